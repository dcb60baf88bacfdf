"""The whole chain on a tiny simulated market: rows balance, and a second run that was killed in the
middle of steps and started again ends with the tables of the first."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from rich.console import Console

from conf.load import SIMULATED, ResolvedConf, load_conf
from features.contracts import ALL_TABLES, TEXT_EMBEDDINGS
from jobs.nightly import Nightly, closing_table
from jobs.platform.report import JobReport
from jobs.platform.runner import open_warehouse
from jobs.registry import CHAIN, load_job

TINY = (
    "source.items=300",
    "source.queries=60",
    "source.days=6",
    "source.impressions=6000",
    "regions=[us,uk]",
    "features.training_days=5",
    "candidates.retrieved=10",
    "trainer.epochs=2",
    "trainer.min_steps=1",
    "evaluation.bootstrap=20",
    "split.train=[0,1,2,3,4,5]",
    "split.validation=[6,7,8]",
    "labeler.kind=lexical",
    "labeler.lexical.cosine=false",
    "labeler.lexical.min_leaf=5",
    "labeling.min_pairs=10",
    "labeling.budget_minutes=null",
    "labeling.gate={min_qwk: -1, min_exact: 0, min_within_one: 0, min_recall: [0, 0, 0],"
    " max_calibration_error: 1, min_segment_pairs: 100000}",
    "spark.driver_memory=1500m",
    "spark.shuffle_partitions=2",
)
KILLED_IN = ("ingest", "label_pairs", "train", "score_catalog")


def settings(root: Path) -> list[str]:
    return [f"storage.root={root}", *TINY]


def contents(spark: SparkSession, conf: ResolvedConf) -> dict[str, list[str]]:
    """Rows of every table as sorted text."""
    warehouse, _ = open_warehouse(spark, conf, "test")
    return {
        table.name: sorted(_lines(warehouse.read(table)))
        for table in ALL_TABLES
        if warehouse.exists(table) and table is not TEXT_EMBEDDINGS
    }


def _lines(rows: DataFrame) -> list[str]:
    lines = rows.select(F.to_json(F.struct("*")).alias("line"))
    return [row["line"] for row in lines.collect()]


@pytest.fixture(scope="module")
def undisturbed(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[ResolvedConf, Nightly, list[JobReport]]]:
    conf = load_conf([SIMULATED], settings=settings(tmp_path_factory.mktemp("chain")))
    jobs = [load_job(name) for name in CHAIN]
    run = Nightly(spark, conf, jobs, jobs, console=Console(file=StringIO(), width=150))
    yield conf, run, run.run()


def test_every_step_reports_balanced_rows(
    undisturbed: tuple[ResolvedConf, Nightly, list[JobReport]],
) -> None:
    _, _, reports = undisturbed
    assert [report.job for report in reports] == list(CHAIN)
    counts = {c.table: c for report in reports for c in report.counts}
    for table in ("items", "impressions", "label_chunks", "training_examples", "scores"):
        assert counts[table].rows_out > 0, table
    assert closing_table(reports).row_count >= len(CHAIN)


def test_steps_killed_in_a_second_run_leave_the_same_rows(
    spark: SparkSession, undisturbed: tuple[ResolvedConf, Nightly, list[JobReport]]
) -> None:
    conf, run, _ = undisturbed
    before = contents(spark, conf)
    for step in KILLED_IN:
        _run_and_kill_in(step, conf)

    reports = Nightly(spark, conf, run.steps, run.chain, console=run.console).run()

    assert set(KILLED_IN) <= {report.job for report in reports if not report.skipped}
    after = contents(spark, conf)
    assert {name: len(rows) for name, rows in after.items()} == {
        name: len(rows) for name, rows in before.items()
    }
    assert after == before


def _run_and_kill_in(step: str, conf: ResolvedConf) -> None:
    """Start `nightly`, wait for the step's line, let it work for a moment, and kill -9."""
    command = [sys.executable, "-u", "-m", "jobs.platform.cli", "nightly"]
    command += ["--conf", str(SIMULATED), "--force", "--from", step]
    for setting in settings(Path(conf.tree.storage.root)):
        command += ["--set", setting]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, start_new_session=True, env={**os.environ}
    )
    assert process.stdout is not None
    for line in process.stdout:
        if f"] {step} ..." in line:
            time.sleep(0.5)
            break
    else:
        pytest.fail(f"nightly ended before {step}")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
