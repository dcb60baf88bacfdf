"""Labeling through Spark: the rate of the default labeler, and a run that is killed twice.

Queries and titles are those of the Home Depot pairs (all buckets that the file has), in one region:
COUNTERPOISE_LABEL_PAIRS of them (50,000; 12,000 in the killed runs) are candidates. The labeler is
the default ensemble, fitted on COUNTERPOISE_LABEL_FIT of them (20,000) for one epoch with the
network's encoder frozen: what it says is of no matter here, how fast it says it is. The shares are
fixed at a half, so that network and trees both read, and these see what training pairs tell, too
(the result says so). The rate is taken with chunks of 20,000. The texts are embedded before, as in
a night, where `embed_texts` runs before `label_pairs` in any case; that time is not in the rate.
The rate is `label_pairs`' own: pairs of texts read a second on local[2], from the first chunk's
begin to the last one's end, commits included; beside it the rate of the base model alone is taken
in the same run (see `yardstick`). The killed run is another process that gets SIGKILL
after its first committed chunk, twice; then a third run ends the work. COUNTERPOISE_LABEL_KILLS=0
leaves it out.
"""

import os
import signal
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from rich.console import Console

from bench.labels.homedepot_pairs import GradedPairs, find_file, read_pairs
from bench.labels.yardstick import measure_bare_rates
from bench.result import Result
from conf.load import SIMULATED, ResolvedConf, load_conf
from features.contracts import (
    CANDIDATES,
    IMPRESSIONS,
    ITEMS,
    LABELER_DECISIONS,
    LABELER_VERSIONS,
    QUERIES,
    RELEVANCE_LABELS,
    Table,
)
from jobs import embed_texts, label_pairs
from jobs.labels.labelers import labeler_dir
from jobs.platform.runner import open_warehouse
from jobs.platform.session import get_session
from jobs.platform.warehouse import Warehouse
from model.labelers.base import Pairs, Targets
from model.labelers.build import build_labeler
from model.labelers.deployed import Deployed, Deployment, save_deployed
from model.labelers.kinds import LEXICAL

PAIRS = int(os.environ.get("COUNTERPOISE_LABEL_PAIRS", "50000"))
KILLED_PAIRS, KILLS = 12_000, int(os.environ.get("COUNTERPOISE_LABEL_KILLS", "2"))
"""Pairs of the killed run, and how often it is killed."""
FIT, CHOOSE = int(os.environ.get("COUNTERPOISE_LABEL_FIT", "20000")), 1_000
"""Pairs to fit on, and to choose on."""
CHUNK, LARGE_CHUNK, LIMIT = 2_000, 20_000, 450.0
"""Pairs of a chunk in the killed run and in the fast one; least pairs per second."""
OF_BARE = LIMIT / 550.0
"""The limit over the rate of the forward pass alone where it was set."""
RUN_DATE = "2026-03-01"
_THIRD = 1.0 / 3.0
"""Share of each grade: no correction."""


def measure() -> list[Result]:
    """Measure the rate and the killed run; nothing where the data is absent."""
    path = find_file()
    if path is None:
        Console().print("labeling: skipped, no Home Depot pairs under COUNTERPOISE_DATA")
        return []
    given = read_pairs(path, range(10), PAIRS)
    with tempfile.TemporaryDirectory(prefix="counterpoise-bench-") as folder:
        fast = _load_conf(Path(folder) / "fast", f"labeling.chunk_pairs={LARGE_CHUNK}")
        spark = get_session(fast.tree)
        deployed, inputs = _fit_labeler(given, fast)
        _prepare_tables(open_warehouse(spark, fast, "bench")[0], given.pairs, deployed)
        details = label_pairs.JOB.run(spark, fast).details
        rate = float(details["pairs_per_second"])
        bare = measure_bare_rates(given.pairs, Targets.from_grades(given.grades)).reading
        results = [
            _judge_rate(rate, int(details["text_pairs"]), inputs),
            _compare_with_bare(rate, bare),
        ]
        if KILLS:
            killed = _load_conf(Path(folder) / "killed", f"labeling.chunk_pairs={CHUNK}")
            few = given.pairs.select_rows(np.arange(min(KILLED_PAIRS, len(given.pairs))))
            _prepare_tables(open_warehouse(spark, killed, "bench")[0], few, deployed)
            results.append(_judge_kills(spark, killed, len(few)))
        return results


def _load_conf(root: Path, *settings: str) -> ResolvedConf:
    fixed = [
        f"storage.root={root}",
        f"run_date={RUN_DATE}",
        "labeling.partitions=2",
        "labeling.budget_minutes=null",
        "labeler.cross_encoder.epochs=1",
        "labeler.cross_encoder.min_steps=1",
        "labeler.cross_encoder.frozen_layers=7",
        "labeler.ensemble.shares=[0.5,0.5]",
        "labeler.lexical.refit=false",
        "regions=[us]",
    ]
    return load_conf([SIMULATED], settings=[*fixed, *settings])


def _fit_labeler(given: GradedPairs, conf: ResolvedConf) -> tuple[Deployed, str]:
    """Fit the default labeler as little as possible, and say what it reads."""
    labeler = build_labeler(conf.tree)
    draw = np.random.default_rng(1).permutation(len(given.pairs))

    def select_part(rows: NDArray[np.int64]) -> tuple[Pairs, Targets]:
        return given.pairs.select_rows(rows), Targets.from_grades(given.grades[rows])

    report = labeler.fit(*select_part(draw[CHOOSE:][:FIT]), select_part(draw[:CHOOSE]))
    graded = "with" if report.details["members"][LEXICAL]["graded_pairs"] else "without"
    inputs = f"fitted on {report.pairs:,}, a half trees {graded} graded pairs"
    return Deployed(labeler, Deployment((_THIRD,) * 3, (_THIRD,) * 3)), inputs


def _judge_rate(rate: float, pairs: int, inputs: str) -> Result:
    words = f"{rate:.0f} pairs/s ({pairs:,} pairs of texts; {inputs})"
    return Result("label_pairs, ensemble, local[2]", words, f">= {LIMIT:.0f}", rate >= LIMIT)


def _compare_with_bare(rate: float, bare: float) -> Result:
    words = f"{rate / bare:.2f} ({rate:.0f} over {bare:.0f} pairs/s)"
    name = "label_pairs over the forward pass of the base model alone, all cores"
    return Result(name, words, f">= {OF_BARE:.2f}", rate / bare >= OF_BARE)


def _judge_kills(spark: SparkSession, conf: ResolvedConf, pairs: int) -> Result:
    counts = [0]
    for _ in range(KILLS):
        _run_and_kill(conf)
        counts.append(_read_labels(spark, conf).count())
    label_pairs.JOB.run(spark, conf)
    labels = _read_labels(spark, conf)
    counts.append(labels.count())
    doubles = counts[-1] - labels.select("query_id", "item_id").distinct().count()
    words = ", ".join(f"{count:,}" for count in counts[1:])
    grew = all(before < after for before, after in pairwise(counts))
    holds = grew and doubles == 0 and counts[-1] == _count_candidates(spark, conf)
    return Result(
        f"killed {KILLS} times, {pairs:,} pairs",
        f"labels after each run: {words}; doubles {doubles}",
        "all labelled, no double",
        holds,
    )


def _run_and_kill(conf: ResolvedConf) -> None:
    """Start label_pairs, wait for the line of a committed chunk, kill -9."""
    command = [sys.executable, "-u", "-m", "jobs.command.cli", "label_pairs"]
    for setting in (
        f"storage.root={conf.tree.storage.root}",
        f"run_date={RUN_DATE}",
        f"labeling.chunk_pairs={CHUNK}",
        "labeling.budget_minutes=null",
        "regions=[us]",
    ):
        command += ["--set", setting]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "labelled" in line:
            break
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _read_labels(spark: SparkSession, conf: ResolvedConf) -> DataFrame:
    labels = open_warehouse(spark, conf, "bench")[0].read(RELEVANCE_LABELS)
    return labels.where("source IN ('llm', 'model')")


def _count_candidates(spark: SparkSession, conf: ResolvedConf) -> int:
    return open_warehouse(spark, conf, "bench")[0].read(CANDIDATES).count()


def _prepare_tables(warehouse: Warehouse, pairs: Pairs, deployed: Deployed) -> None:
    """Write the tables of the pairs and of their embeddings, without a log, and admit the
    labeler."""
    spark, day = warehouse.spark, warehouse.conf.run_date
    rows = list(zip(pairs.queries, pairs.items, strict=True))
    texts = spark.createDataFrame(rows, "query_text string, title string").distinct()
    named = texts.select(
        F.md5("query_text").alias("query_id"), F.md5("title").alias("item_id"), "*"
    ).persist()
    filled = {"dataset": F.lit("homedepot"), "simulated": F.lit(False), "region": F.lit("us")}
    flags = {"from_log": F.lit(False), "from_judgment": F.lit(True), "from_retrieval": F.lit(False)}
    filled |= {"bucket": F.lit(0), "run_date": F.lit(day), **flags}
    for table, key in ((QUERIES, "query_id"), (ITEMS, "item_id"), (CANDIDATES, None)):
        frame = named.dropDuplicates([key] if key else ["query_id", "item_id"]).withColumns(filled)
        warehouse.merge(table, _add_nulls(frame, table))
    for table in (IMPRESSIONS, RELEVANCE_LABELS):
        warehouse.create(table)
    named.unpersist()
    embed_texts.JOB.run(spark, warehouse.conf)
    _admit_labeler(warehouse, deployed)


def _add_nulls(frame: DataFrame, table: Table) -> DataFrame:
    lacking = [column for column in table.columns if column.name not in frame.columns]
    return frame.withColumns({c.name: F.lit(None).cast(c.type) for c in lacking})


def _admit_labeler(warehouse: Warehouse, deployed: Deployed) -> None:
    version, day = deployed.version, warehouse.conf.run_date
    save_deployed(deployed, labeler_dir(warehouse, version), {})
    mix = list(deployed.deployment.production_mix)
    row: dict[str, Any] = {
        **{"labeler_version": version, "kind": deployed.labeler.kind, "run_date": day},
        **{"conf_key": "bench", "data_key": "bench", "folder": f"labelers/{version}"},
        **{"fit_pairs": FIT, "choose_pairs": CHOOSE, "fitted_mix": mix, "production_mix": mix},
        **{"corrected": False, "metrics": "{}", "simulated": False},
        **{"decision_no": 1, "decision": "admitted", "reasons": [], "gold_pairs": 0},
        "gold_queries": 0,
    }
    for table in (LABELER_VERSIONS, LABELER_DECISIONS):
        warehouse.merge(table, table.local_frame(warehouse.spark, [row]))
