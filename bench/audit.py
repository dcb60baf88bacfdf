"""Planted wrong grades: which of them the audit finds, and whether it mends more than it harms.

5 % of the graded (text, item) get another grade, in all regions alike; the log stays as it was, so
engagement follows the true grade. On the simulated market all is drawn. On Home Depot the texts and
grades are real, the engagement is simulated from the real grades, and the raters' own errors are
not known: they count as right. Figures are means over seeds of the planted errors with the 95 % t
interval of the mean; text and item are counted once, whatever the regions.

Arms, each with the evidence of one run:
    engagement, model, taxonomy   the order that a summary of arXiv 2605.27704 gives
    + agreeing                    where engagement and model agree, the model's grade is taken
    + model alone                 the model flags pairs by itself
"""

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from rich.console import Console
from rich.table import Table as RichTable
from scipy import stats

from bench.result import Result
from conf.load import ResolvedConf, load_conf
from features.audit.evidence import audited_pairs, pair_engagement, units, with_attraction
from features.contracts import IMPRESSIONS, ITEMS, QUERIES, RELEVANCE_LABELS
from jobs.audit_labels import Evidence, build, tested_units
from jobs.platform.runner import open_warehouse, run_job
from jobs.platform.second_reading import read_again
from jobs.platform.session import get_session
from jobs.registry import load_job

SEEDS = (1, 2, 3)
WRONG_SHARE = 0.05
IMPRESSIONS_COUNT = int(os.environ.get("COUNTERPOISE_AUDIT_IMPRESSIONS", "1500000"))
_REPOSITORY = Path(__file__).parents[1]
_ARMS: Mapping[str, tuple[bool, bool]] = {
    "engagement, model, taxonomy": (False, False),
    "+ agreeing": (True, False),
    "+ model alone": (True, True),
}
"""Name -> (audit.agreeing, whether the model flags by itself)."""

Cell = tuple[int, int, int, str, str, bool]
Counts = Mapping[Cell, int]
"""(true grade, planted grade, audited grade, path, flagged_by, tested) -> pairs."""


def measure() -> list[Result]:
    """Both markets; Home Depot only where its files are."""
    results = []
    for name, conf in _confs():
        with tempfile.TemporaryDirectory(prefix="counterpoise-audit-") as folder:
            rooted = load_conf(conf.files, [*conf.settings, f"storage.root={folder}"])
            by_arm = _market(get_session(rooted.tree), rooted)
        _print(name, by_arm)
        results += [_result(name, arm, seeds) for arm, seeds in by_arm.items()]
    return results


@dataclass(frozen=True)
class _Asked:
    files: tuple[Path, ...]
    settings: tuple[str, ...]


def _confs() -> Iterator[tuple[str, _Asked]]:
    fixed = (f"source.impressions={IMPRESSIONS_COUNT}", "tracking.mlflow=false")
    yield "simulated market", _Asked((), fixed)
    data = os.environ.get("COUNTERPOISE_DATA", str(_REPOSITORY.parent / "shared" / "data"))
    if not (Path(data) / "homedepot_pairs.csv.gz").is_file():
        print(f"Home Depot is skipped: no files at {data} (set COUNTERPOISE_DATA)")
        return
    titles = ("audit.taxonomy.types=titles", f"source.path={data}")
    yield (
        "Home Depot, engagement simulated",
        _Asked((_REPOSITORY / "conf" / "homedepot.yaml",), (*fixed, *titles)),
    )


def _market(spark: SparkSession, conf: ResolvedConf) -> dict[str, list[Counts]]:
    """The counts of each arm and seed on one log."""
    for job in ("ingest", "import_labels"):
        run_job(load_job(job), spark, conf)
    warehouse, _ = open_warehouse(spark, conf, "bench")
    queries, items = warehouse.read(QUERIES), warehouse.read(ITEMS)
    found: dict[str, list[Counts]] = {arm: [] for arm in _ARMS}
    with ExitStack() as kept:
        pairs = _kept(audited_pairs(warehouse.read(RELEVANCE_LABELS), queries), kept)
        engagement = _kept(
            pair_engagement(warehouse.read(IMPRESSIONS), conf.tree, conf.run_date), kept
        )
        for seed in SEEDS:
            for arm, counts in _audited(pairs, engagement, items, conf, seed).items():
                found[arm].append(counts)
    return found


def _audited(
    pairs: DataFrame, engagement: DataFrame, items: DataFrame, conf: ResolvedConf, seed: int
) -> dict[str, Counts]:
    with ExitStack() as kept:
        planted = _kept(pairs.transform(lambda df: with_wrong_grades(df, seed)), kept)
        prior = conf.tree.audit.contradiction.prior_clicks
        counted = units(planted, engagement).transform(lambda df: with_attraction(df, prior))
        checked, _ = tested_units(_kept(counted, kept), conf)
        checked = _kept(checked, kept)
        with tempfile.TemporaryDirectory() as folder:
            reading = read_again(checked, items, conf, Path(folder))
            reading = replace(reading, read=_kept(reading.read, kept))
            evidence = Evidence(planted, checked, reading, items)
            return {arm: _counts(evidence, planted, conf, arm) for arm in _ARMS}


def with_wrong_grades(pairs: DataFrame, seed: int) -> DataFrame:
    """Keep the grade as true_grade; a share of the (text, item) get one of the other two."""
    key = ("text_key", "item_id")
    chance = F.pmod(F.xxhash64(F.lit(seed), F.lit("planted"), *key), F.lit(10**6)) / 1e6
    step = 1 + F.pmod(F.xxhash64(F.lit(seed), F.lit("other grade"), *key), F.lit(2))
    other = ((F.col("grade") + step) % 3).cast("int")
    wrong = F.when(chance < WRONG_SHARE, other).otherwise(F.col("grade"))
    return pairs.withColumn("true_grade", F.col("grade")).withColumn("grade", wrong)


def _counts(evidence: Evidence, planted: DataFrame, conf: ResolvedConf, arm: str) -> Counts:
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
        .withColumn("tested", F.col("p_value").isNotNull())
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


def figures(counts: Counts) -> dict[str, float]:
    """What came of one seed: shares (fractions); NaN where there is nothing to take a share of."""

    def total(*conditions: bool | Sequence[bool]) -> float:
        keep = np.ones(len(cells), bool)
        for condition in conditions:
            keep &= np.asarray(condition)
        return float(sizes[keep].sum())

    cells = list(counts)
    sizes = np.array([counts[cell] for cell in cells], float)
    true, given, audited = (np.array([cell[i] for cell in cells]) for i in range(3))
    flag = np.array([cell[4] for cell in cells])
    tested = np.array([cell[5] for cell in cells])
    wrong, flagged, changed = true != given, flag != "none", audited != given
    by_engagement = np.isin(flag, ("engagement", "both"))
    by_model = np.isin(flag, ("model", "both"))
    return {
        "graded pairs": total(),
        "wrong": total(wrong),
        "tested share": _share(total(tested), total()),
        "precision of flags": _share(total(flagged, wrong), total(flagged)),
        "recall of flags": _share(total(flagged, wrong), total(wrong)),
        "precision, by engagement": _share(total(by_engagement, wrong), total(by_engagement)),
        "recall, by engagement, of tested": _share(
            total(by_engagement, wrong), total(wrong, tested)
        ),
        "precision, by model": _share(total(by_model, wrong), total(by_model)),
        "precision of changes": _share(total(changed, wrong), total(changed)),
        "wrong and mended": _share(total(wrong, audited == true), total(wrong)),
        "right and spoilt": _share(total(~wrong, changed), total(~wrong)),
        "accuracy before": _share(total(~wrong), total()),
        "accuracy after": _share(total(audited == true), total()),
    }


def path_figures(counts: Counts) -> dict[str, dict[str, float]]:
    """By path: flagged pairs, those that were wrong, and grades mended less grades spoilt."""
    found: dict[str, dict[str, float]] = {}
    for (true, given, audited, path, flag, _), size in counts.items():
        if flag == "none":
            continue
        row = found.setdefault(path, {"flagged": 0.0, "wrong": 0.0, "net mended": 0.0})
        row["flagged"] += size
        row["wrong"] += size * (true != given)
        row["net mended"] += size * (int(audited == true) - int(given == true))
    return found


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean, and half the width of its 95 % t interval."""
    known = np.asarray(values, float)
    if len(known) < 2:
        return float(known.mean()), float("nan")
    spread = known.std(ddof=1) / np.sqrt(len(known))
    return float(known.mean()), float(stats.t.ppf(0.975, len(known) - 1) * spread)


def _print(name: str, by_arm: Mapping[str, Sequence[Counts]]) -> None:
    console = Console(width=140)
    table = RichTable("figure", *by_arm, title=f"{name}, {len(SEEDS)} seeds")
    seeds = {arm: [figures(counts) for counts in runs] for arm, runs in by_arm.items()}
    for figure in next(iter(seeds.values()))[0]:
        cells = (_shown([run[figure] for run in runs]) for runs in seeds.values())
        table.add_row(figure, *cells)
    console.print(table)
    for arm, runs in by_arm.items():
        steps = [path_figures(counts) for counts in runs]
        table = RichTable("path", "flagged", "wrong", "net mended", title=f"{name}: {arm}")
        for path in sorted({path for step in steps for path in step}):
            rows = [step.get(path, {}) for step in steps]
            columns = ("flagged", "wrong", "net mended")
            table.add_row(path, *(_shown([r.get(c, 0.0) for r in rows]) for c in columns))
        console.print(table)


def _result(name: str, arm: str, runs: Sequence[Counts]) -> Result:
    gains = [f["accuracy after"] - f["accuracy before"] for f in map(figures, runs)]
    mean, half = interval(gains)
    return Result(
        f"{name}: accuracy of the labels, after less before, {arm}",
        f"{mean:+.4f} +- {half:.4f}",
        "> 0, interval included",
        mean - half > 0,
    )


def _shown(values: Sequence[float]) -> str:
    mean, half = interval(values)
    digits = 0 if mean > 1.5 or mean < -1.5 else 4
    return f"{mean:,.{digits}f} +- {half:,.{digits}f}"


def _share(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def _kept(df: DataFrame, kept: ExitStack) -> DataFrame:
    kept.callback(df.unpersist)
    return df.persist(StorageLevel.DISK_ONLY)
