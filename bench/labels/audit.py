"""Planted wrong grades: which of them the audit finds, and whether it mends more than it harms.

5 % of the graded (text, item) get another grade, in all regions alike; the log stays as it was, so
engagement follows the true grade. On the simulated market all is drawn. On Home Depot (every fourth
query text) the texts and grades are real, the engagement is simulated from the real grades, and the
raters' own errors are not known: they count as right. Some dozens of impressions stand behind a
graded pair: people grade what is shown. The model is `lexical` without the encoder's cosine, fitted
out of fold on the grades with the planted errors. Figures are means over seeds of the planted
errors with the 95 % t interval of the mean; text and item count once, whatever the regions.

Arms, each with the evidence of one run:
    engagement, model, taxonomy   the order that a summary of arXiv 2605.27704 gives
    + agreeing                    where engagement and model agree, the model's grade is taken
    + model alone                 the model flags pairs by itself
"""

import os
import shutil
import tempfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pandas as pd
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from bench.labels.audit_figures import Counts, compute_figures, estimate_mean, print_market
from bench.result import Result
from conf.load import SIMULATED, ResolvedConf, load_conf
from features.audit.evidence import audited_pairs, build_units, pair_engagement, with_attraction
from features.contracts import IMPRESSIONS, ITEMS, QUERIES, RELEVANCE_LABELS
from jobs.audit_labels import (
    AuditEvidence,
    build,
    gather_audit_evidence,
    reread_units,
    tested_units,
)
from jobs.platform.plans import cut_plan
from jobs.platform.runner import open_warehouse, run_job
from jobs.platform.session import get_session
from jobs.registry import load_job
from jobs.sources.homedepot import BRANDS_FILE, PAIRS_FILE

SEEDS = (1, 2, 3, 4, 5)
"""Of the planted errors: five draws for an interval."""
WRONG_SHARE = 0.05
"""Share of the graded (text, item) that get another grade."""
IMPRESSIONS_COUNT = 1_000_000
"""Impressions of a log: some dozens behind each graded pair."""
HOMEDEPOT_PART = 4
"""One query text in so many is taken, so that a graded pair has clicks enough."""
_LABELER = ("labeler.lexical.cosine=false", "labeler.lexical.threads=1")
_REPOSITORY = Path(__file__).parents[2]
_ARMS: Mapping[str, tuple[bool, bool]] = {
    "engagement, model, taxonomy": (False, False),
    "+ agreeing": (True, False),
    "+ model alone": (True, True),
}
"""Name -> (audit.agreeing, whether the model flags by itself)."""


def measure() -> list[Result]:
    """Measure both markets; Home Depot only where its files are."""
    results = []
    with ExitStack() as stack:
        made = stack.enter_context(tempfile.TemporaryDirectory(prefix="counterpoise-audit-"))
        root = Path(os.environ.get("COUNTERPOISE_AUDIT_ROOT", made))
        for name, conf in _load_confs(root):
            by_arm = _audit_market(get_session(conf.tree), conf)
            print_market(name, by_arm)
            results += [_build_result(name, arm, seeds) for arm, seeds in by_arm.items()]
    return results


def _load_confs(root: Path) -> Iterator[tuple[str, ResolvedConf]]:
    """Yield name and conf of each market; logs that `root` holds already are used again."""
    fixed = (f"source.impressions={IMPRESSIONS_COUNT}", "tracking.mlflow=false", *_LABELER)
    of_market = (
        *fixed,
        "source.queries=500",
        "source.items=5000",
        f"storage.root={root / 'simulated'}",
    )
    yield "simulated market", load_conf([SIMULATED], of_market)
    data = Path(os.environ.get("COUNTERPOISE_DATA", _REPOSITORY.parent / "shared" / "data"))
    if not (data / PAIRS_FILE).is_file():
        print(f"Home Depot is skipped: no files at {data} (set COUNTERPOISE_DATA)")
        return
    titles = ("audit.taxonomy.types=titles", f"source.path={_cut_part(data, root / 'raw')}")
    yield (
        "Home Depot, engagement simulated",
        load_conf(
            [_REPOSITORY / "conf" / "homedepot.yaml"],
            [*fixed, *titles, f"storage.root={root / 'homedepot'}"],
        ),
    )


def _cut_part(data: Path, folder: Path) -> Path:
    """Write a folder with the pairs of every fourth query text, by hash, and the brands."""
    folder.mkdir(parents=True, exist_ok=True)
    pairs = pd.read_csv(data / PAIRS_FILE, dtype=str, keep_default_na=False)
    texts = pairs["search_term"].str.strip().str.lower()
    chosen = texts.map(lambda text: zlib.crc32(f"part {text}".encode()) % HOMEDEPOT_PART == 0)
    pairs[chosen].to_csv(folder / PAIRS_FILE, index=False)
    shutil.copyfile(data / BRANDS_FILE, folder / BRANDS_FILE)
    return folder


def _audit_market(spark: SparkSession, conf: ResolvedConf) -> dict[str, list[Counts]]:
    """Count what the audit did to one log, by arm and seed."""
    warehouse, _ = open_warehouse(spark, conf, "bench")
    if not warehouse.exists(RELEVANCE_LABELS):
        for job in ("ingest", "import_labels"):
            run_job(load_job(job), spark, conf)
    queries, items = warehouse.read(QUERIES), warehouse.read(ITEMS)
    by_arm: dict[str, list[Counts]] = {arm: [] for arm in _ARMS}
    pairs = cut_plan(audited_pairs(warehouse.read(RELEVANCE_LABELS), queries))
    engagement = cut_plan(pair_engagement(warehouse.read(IMPRESSIONS), conf.tree, conf.run_date))
    for seed in SEEDS:
        for arm, counts in _audit_seed(pairs, engagement, items, conf, seed).items():
            by_arm[arm].append(counts)
    return by_arm


def _audit_seed(
    pairs: DataFrame, engagement: DataFrame, items: DataFrame, conf: ResolvedConf, seed: int
) -> dict[str, Counts]:
    planted = cut_plan(pairs.transform(lambda df: plant_wrong_grades(df, seed)))
    prior = conf.tree.audit.contradiction.prior_clicks
    counted = build_units(planted, engagement).transform(lambda df: with_attraction(df, prior))
    checked = cut_plan(tested_units(cut_plan(counted), conf)[0])
    with tempfile.TemporaryDirectory() as folder:
        reading = reread_units(checked, items, conf, Path(folder))
        evidence = gather_audit_evidence(planted, checked, reading, items, conf)
        return {arm: _count_outcomes(evidence, planted, conf, arm) for arm in _ARMS}


def plant_wrong_grades(pairs: DataFrame, seed: int) -> DataFrame:
    """Keep the grade as true_grade; a share of the (text, item) get one of the other two."""
    key = ("text_key", "item_id")
    chance = F.pmod(F.xxhash64(F.lit(seed), F.lit("planted"), *key), F.lit(10**6)) / 1e6
    step = 1 + F.pmod(F.xxhash64(F.lit(seed), F.lit("other grade"), *key), F.lit(2))
    other = ((F.col("grade") + step) % 3).cast("int")
    wrong = F.when(chance < WRONG_SHARE, other).otherwise(F.col("grade"))
    return pairs.withColumn("true_grade", F.col("grade")).withColumn("grade", wrong)


def _count_outcomes(
    evidence: AuditEvidence, planted: DataFrame, conf: ResolvedConf, arm: str
) -> Counts:
    agreeing, model_alone = _ARMS[arm]
    reread = conf.tree.audit.reread
    settings = conf.tree.audit.model_copy(
        update={
            "agreeing": agreeing,
            "reread": reread if model_alone else reread.model_copy(update={"scope": "flagged"}),
        }
    )
    tree = conf.tree.model_copy(update={"audit": settings})
    names = ("true_grade", "grade", "audited_grade", "path", "flagged_by", "tested")
    rows = (
        build(evidence, replace(conf, tree=tree))
        .withColumn("tested", _band_expected())
        .join(
            planted.select("query_id", "item_id", "text_key", "true_grade"),
            on=["query_id", "item_id"],
            how="inner",
        )
        .select("text_key", "item_id", *names)
        .distinct()
        .groupBy(*names)
        .count()
    )
    return {tuple(row[name] for name in names): int(row["count"]) for row in rows.collect()}


def _band_expected() -> Column:
    """Give the lower bound of the expected clicks of a tested pair: 1, 10 or 30; 0: not tested."""
    expected = F.col("expected_clicks")
    bound = F.when(expected >= 30, 30).when(expected >= 10, 10).otherwise(1)
    return F.when(F.col("p_value").isNotNull(), bound).otherwise(0)


def _build_result(name: str, arm: str, runs: Sequence[Counts]) -> Result:
    """Build the result of an arm, its gain; the limit is that of the default, which is the last
    one."""
    gains = [f["accuracy after"] - f["accuracy before"] for f in map(compute_figures, runs)]
    mean, half = estimate_mean(gains)
    is_default = arm == list(_ARMS)[-1]
    return Result(
        f"{name}: accuracy of the labels, after less before, {arm}",
        f"{mean:+.4f} +- {half:.4f}",
        "> 0, interval included" if is_default else "-",
        mean - half > 0 or not is_default,
    )
