"""The whole chain on a tiny simulated market, with features of a team's own: rows balance, the own
features reach the scores, and a first night that is killed before a table's first commit, between
two commits of a step, in the middle of a training and after a step's last commit, and started
again each time, ends with the same tables."""

import datetime as dt
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from rich.console import Console

from conf.load import SIMULATED, ResolvedConf, load_conf
from features.contracts import (
    EXAMPLE_SCORES,
    ITEM_FEATURES,
    MARKET_CHECKS,
    METRICS,
    QUARANTINE,
    SCORES,
    SCORING_ROWS,
    TRAINING_EXAMPLES,
    VALUE_CURVE,
)
from jobs.nightly import Nightly, closing_table
from jobs.platform.report import JobReport
from jobs.platform.runner import open_warehouse
from jobs.registry import CHAIN, load_job
from tests.jobs.stored import contents, is_close, read_properties, sort_rows
from udfs.model_files import read_spec

REPOSITORY = Path(__file__).parents[2]
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
KILLED_AT = (
    "log:items",
    "commit:queries@ingest",
    "commit:quarantine@label_pairs",
    "commit:training_examples@build_training_set",
    "checkpoint",
    "commit:scores@score_catalog",
)
"""Points in the order of the chain (tests/jobs/run_and_die.py)."""
BY_BATCH = (EXAMPLE_SCORES, SCORES, VALUE_CURVE, METRICS, MARKET_CHECKS)
"""Tables of scores, and of figures of them: another batch of rows changes a score's last bits, as
it does an embedding's. A session of the tests gives tables other files than one of the command."""
OWN_ROWS = (
    ("2026-01-01,0.5,gold", "2026-02-26,0.25,"),
    ("2026-02-27 12:00:00,0.75,silver", "2026-04-01,0.1,gold"),
    ("2026-02-01,much,gold",),
    (),
)
"""Own values of item n, by n % 4: of two days; within a day, and of a later day; wrong; none."""


def own_rows(items: int) -> str:
    rows = [f"i{n:09d},{row}" for n in range(items) for row in OWN_ROWS[n % 4]]
    return "\n".join(["sku,known_on,margin,tier", *rows])


def settings(root: Path) -> list[str]:
    own = (
        f"features.own.shop={{format: csv, path: '{root}/own.csv', key: [item_id], "
        "columns: {item_id: sku}, as_of: known_on, features: {margin: {default: -1}, "
        "tier: {dtype: category}}}"
    )
    return [f"storage.root={root}", own, *TINY]


@pytest.fixture(scope="module")
def undisturbed(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[ResolvedConf, Nightly, list[JobReport]]]:
    root = tmp_path_factory.mktemp("chain")
    (root / "own.csv").write_text(own_rows(items=300))
    conf = load_conf([SIMULATED], settings=settings(root))
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
    (gate,) = (report for report in reports if report.job == "admit_model")
    (beside,) = gate.details["decision"]["metrics"]["baselines"]  # no purchase of 6 days counts yet
    assert (beside["part"], beside["baseline"]) == ("relevance_only", "cosine")


def test_own_features_go_from_a_file_to_the_scores(
    spark: SparkSession, undisturbed: tuple[ResolvedConf, Nightly, list[JobReport]]
) -> None:
    """As of each day, in what is trained on and what is scored; the other rows are put aside."""
    conf, _, reports = undisturbed
    warehouse, _ = open_warehouse(spark, conf, "test")
    put_aside = warehouse.read_run(QUARANTINE).where(F.col("table_name") == "own_values")
    assert {r["rule"] for r in put_aside.collect()} == {"as_of_after_run_date", "wrong_type"}

    on_run_date = (0.25, 0.75, None, None)
    for row in warehouse.read_run(ITEM_FEATURES).collect():
        turn, day = int(row["item_id"][1:]) % 4, row["as_of_date"]
        expected = on_run_date[turn]
        if (turn, day < dt.date(2026, 2, 26)) == (0, True):
            expected = 0.5
        if (turn, day < dt.date(2026, 2, 28)) == (1, True):
            expected = None
        assert row["own"].get("margin") == expected, (row["item_id"], day)

    spec = read_spec(warehouse.model_dir())
    assert [f.name for f in spec.features[-2:]] == ["margin", "tier"]
    row = warehouse.read_run(SCORING_ROWS).first()
    width = len(spec.candidate_positions)
    packed = [
        row["candidate_values"][i + width - 2]
        for i in range(0, len(row["item_ids"]) * width, width)
    ]
    turns = [int(item[1:]) % 4 for item in row["item_ids"]]
    assert packed == [-1.0 if (m := on_run_date[turn]) is None else m for turn in turns]
    (report,) = (r for r in reports if r.job == "build_features")
    assert 0 < report.details["own_features"]["margin"] < 1
    assert "| `margin` | item | numeric | invariant | -1 |" in (
        warehouse.report_dir() / "features.md"
    ).read_text(encoding="utf-8")
    examples = warehouse.read_run(TRAINING_EXAMPLES)
    assert examples.where("own['margin'] NOT IN (-1, 0.5, 0.25, 0.75)").isEmpty()
    assert not examples.where("own['margin'] = -1").isEmpty()


def test_a_first_night_that_is_killed_again_and_again_ends_with_the_same_rows(
    spark: SparkSession,
    undisturbed: tuple[ResolvedConf, Nightly, list[JobReport]],
    tmp_path: Path,
) -> None:
    conf, run, _ = undisturbed
    (tmp_path / "own.csv").write_text(own_rows(items=300))
    for point in KILLED_AT:
        _run_and_die_at(point, tmp_path)

    killed = load_conf([SIMULATED], settings=settings(tmp_path))
    reports = Nightly(spark, killed, run.steps, run.chain, console=run.console).run()

    done = [report.job for report in reports if report.skipped]
    assert done == list(CHAIN[: CHAIN.index("score_catalog")])
    before, after = contents(spark, conf), contents(spark, killed)
    assert {name: len(rows) for name, rows in after.items()} == {
        name: len(rows) for name, rows in before.items()
    }
    for table in BY_BATCH:
        ours, theirs = (sort_rows(found.pop(table.name), table) for found in (before, after))
        for row, other in zip(ours, theirs, strict=True):
            assert row.keys() == other.keys()
            assert all(is_close(row[name], other[name]) for name in row), (row, other)
    assert after == before
    assert list(list_leftovers(tmp_path)) == []
    assert read_properties(spark, killed) == read_properties(spark, conf)


def list_leftovers(root: Path) -> Iterator[str]:
    """Hidden folders under the root, but for the one that the next command on the host sweeps."""
    for folder, names, _ in os.walk(root):
        yield from (f"{folder}/{n}" for n in names if n.startswith(".") and n != ".spark")


def _run_and_die_at(point: str, root: Path) -> None:
    """Run `nightly` in a process that kills itself at the point."""
    command = [sys.executable, str(Path(__file__).with_name("run_and_die.py")), point, "nightly"]
    command += ["--conf", str(SIMULATED)]
    for setting in settings(root):
        command += ["--set", setting]
    path = os.pathsep.join(filter(None, (str(REPOSITORY), os.environ.get("PYTHONPATH"))))
    ended = subprocess.run(
        command,
        capture_output=True,
        text=True,
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": path},
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stdout + ended.stderr
