"""Planning, skipping, failing and going on, with two small jobs in place of the chain."""

import json
from collections.abc import Callable
from dataclasses import replace
from io import StringIO

import pytest
from pyspark.sql import SparkSession
from rich.console import Console

from conf.load import ConfError, ResolvedConf
from jobs.command.exits import StepFailedError
from jobs.nightly import Nightly, closing_table, select_steps
from jobs.platform.job import Job
from jobs.platform.report import JobReport
from jobs.platform.run import Run
from jobs.platform.runner import open_warehouse, run_job
from tests.jobs.small_chain import A, B, Chain, nightly

MakeConf = Callable[..., ResolvedConf]


def with_batch(conf: ResolvedConf, size: int) -> ResolvedConf:
    feed = conf.tree.feed.model_copy(update={"batch_size": size})
    return replace(conf, tree=conf.tree.model_copy(update={"feed": feed}))


def test_second_run_skips_and_says_so(spark: SparkSession, make_conf: MakeConf) -> None:
    chain, conf = Chain(), make_conf("feed.batch_size=3")
    nightly(spark, conf, chain).run()
    reports = nightly(spark, conf, chain).run()
    assert chain.ran == ["first", "second"]
    assert [r.skipped for r in reports] == [True, True]
    assert [r.counts[0].rows_out for r in reports] == [3, 3]


def test_changed_conf_reruns_the_step_and_what_hangs_on_it(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    chain, conf = Chain(), make_conf("feed.batch_size=3")
    nightly(spark, conf, chain).run()
    reports = nightly(spark, with_batch(conf, 4), chain).run()
    assert chain.ran == ["first", "second"] * 2
    assert reports[1].counts[0].rows_out == 4


def test_other_section_reruns_nothing(spark: SparkSession, make_conf: MakeConf) -> None:
    chain = Chain()
    nightly(spark, make_conf("feed.batch_size=3"), chain).run()
    nightly(
        spark, make_conf("feed.batch_size=3", "trainer.epochs=2", "trainer.min_steps=1"), chain
    ).run()
    assert chain.ran == ["first", "second"]


def test_failed_step_is_named_and_the_next_run_goes_on_there(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    chain, conf = Chain(broken=True), make_conf("feed.batch_size=3")
    with pytest.raises(StepFailedError, match="step second failed: ValueError: no luck"):
        nightly(spark, conf, chain).run()
    trace = open_warehouse(spark, conf, "test")[0].report_dir() / "second.error.txt"
    assert trace.read_text().endswith("ValueError: no luck\n")
    chain.broken = False
    reports = nightly(spark, conf, chain).run()
    assert chain.ran == ["first", "second"]
    assert [r.skipped for r in reports] == [True, False]
    assert not trace.exists()


def test_a_step_is_named_where_its_trace_cannot_be_written(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    chain, conf = Chain(broken=True), make_conf("feed.batch_size=3")
    night = nightly(spark, conf, chain)
    open_warehouse(spark, conf, "test")[0].root.mkdir()
    (night.state.warehouse.root / "reports").write_text("no folder")
    night.steps = night.steps[1:]
    with pytest.raises(StepFailedError, match=r"ValueError: no luck\n.*could not be written, Not"):
        night.run()


def test_a_job_run_alone_is_run_again_by_the_chain(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    chain, conf = Chain(), make_conf("feed.batch_size=3")
    nightly(spark, conf, chain).run()
    run_job(chain.jobs()[0], spark, with_batch(conf, 4))
    reports = nightly(spark, conf, chain).run()
    assert chain.ran == ["first", "second", "first", "first", "second"]
    assert [r.counts[0].rows_out for r in reports] == [3, 3]


def test_a_dry_run_counts_what_can_be_counted(spark: SparkSession, make_conf: MakeConf) -> None:
    chain, conf = Chain(), make_conf("feed.batch_size=3")
    dry = replace(conf, dry_run=True)
    assert [r.job for r in nightly(spark, dry, chain).rehearse()] == ["first"]
    run_job(chain.jobs()[0], spark, conf)
    reports = nightly(spark, dry, chain).rehearse()
    assert [(r.job, r.counts[0].rows_out) for r in reports] == [("first", 3), ("second", 3)]
    warehouse, _ = open_warehouse(spark, conf, "test")
    assert not warehouse.exists(B)


def test_what_a_step_adds_to_a_table_of_an_earlier_one_is_no_input_of_either(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    """Two steps share a table: one replaces its rows, the other adds to them."""
    ran, conf = [], make_conf()

    def step(name: str, number: int) -> Job:
        def work(run: Run) -> None:
            ran.append(name)
            rows = run.spark.range(number, number + 1).toDF("a")
            run.report.count_rows("a", 1, run.warehouse.merge(A, rows, update=False).rows)

        return Job(work, name, reads=(A,), may_lack=(A,), writes=(A,), name=name)

    jobs = [step("first", 1), step("second", 2)]
    chain = Nightly(spark, conf, jobs, jobs, console=Console(quiet=True))
    chain.run()
    assert [report.skipped for report in chain.run()] == [True, True]
    other, _ = open_warehouse(spark, conf, "somebody else")
    other.merge(A, spark.range(7, 8).toDF("a"), update=False)
    assert [report.skipped for report in chain.run()] == [False, False]
    assert ran == ["first", "second"] * 2


def test_the_model_of_an_earlier_date_that_is_scored_with_is_an_input(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    """Trained again, it makes scoring run again; the run date's own model is looked at first."""
    jobs = [Job(lambda run: None, "scores", artifacts_in=("model",), name="score")]
    night = Nightly(spark, make_conf(), jobs, jobs, console=Console(quiet=True))
    models = night.state.warehouse.model_dir().parent

    def fingerprint(date: str, version: str) -> str:
        (models / date).mkdir(parents=True, exist_ok=True)
        (models / date / "manifest.json").write_text(json.dumps({"model_version": version}))
        return night.state.fingerprint_step(jobs[0], jobs)

    today = night.state.warehouse.model_dir().name
    found = [
        night.state.fingerprint_step(jobs[0], jobs),
        fingerprint("2026-02-01", "a"),
        fingerprint("2026-02-01", "b"),
        fingerprint(today, "c"),
    ]
    assert len(set(found)) == 4
    assert fingerprint("2026-02-01", "a") == found[-1]


def test_the_packages_that_compute_are_part_of_the_fingerprint(
    spark: SparkSession, make_conf: MakeConf, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = Chain()
    night = nightly(spark, make_conf(), chain)
    before = night.state.fingerprint_step(chain.jobs()[0], chain.jobs())
    monkeypatch.setattr("jobs.state.run_state.version", lambda name: f"{name} 99")
    assert night.state.fingerprint_step(chain.jobs()[0], chain.jobs()) != before


def test_force_runs_everything(spark: SparkSession, make_conf: MakeConf) -> None:
    chain, conf = Chain(), make_conf("feed.batch_size=3")
    nightly(spark, conf, chain).run()
    nightly(spark, conf, chain, force=True).run()
    assert chain.ran == ["first", "second"] * 2


def test_closing_table_has_a_line_a_table() -> None:
    report = JobReport("first", "2026-03-01", "abc", seconds=1.5)
    report.count_rows("a", 5, 3, 2)
    report.outputs["a"] = 7
    output = StringIO()
    console = Console(width=120, file=output)
    console.print(closing_table([report]))
    lines = output.getvalue().splitlines()
    line = next(x for x in lines if "first" in x)
    assert [cell.strip() for cell in line.strip("│ ").split("│")] == [
        *("first", "a", "5", "3", "2", "7", "1.5")
    ]


def test_steps_can_be_chosen() -> None:
    assert select_steps(None, "train") == ["train"]
    assert select_steps("score_catalog", None)[0] == "score_catalog"
    with pytest.raises(ConfError, match="no step 'trian'; the steps are: ingest"):
        select_steps("trian", None)
