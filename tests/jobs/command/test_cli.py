"""The command line: exit codes as a scheduler sees them, help without Spark, errors of one line."""

import logging
import runpy
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

import jobs.nightly
import jobs.platform.runner
import jobs.platform.session
from conf.errors import DataRefusedError, GateRefusedError, OwnedError, UserError
from conf.load import SIMULATED, ConfError
from jobs.command.arguments import summary_of
from jobs.command.cli import run_command
from jobs.command.exits import StepFailedError, exit_code, run_guarded
from jobs.registry import CHAIN, EXTRA, load_job

PYPROJECT = Path(__file__).parents[3] / "pyproject.toml"
CODES = [
    (None, 0),
    (RuntimeError("a full disk"), 1),
    (ConfError("key x"), 2),
    (DataRefusedError("no rows"), 3),
    (GateRefusedError("worse"), 4),
    (OwnedError("pid 7"), 5),
    (KeyboardInterrupt(), 130),
]


def as_wheel_task(*arguments: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """The code that a platform sees: it calls the entry point and drops what that returns."""
    text = PYPROJECT.read_text(encoding="utf-8")
    value = tomllib.loads(text)["project"]["scripts"]["counterpoise"]
    monkeypatch.setattr(sys, "argv", ["counterpoise", *arguments])
    try:
        EntryPoint("counterpoise", value, "console_scripts").load()()
    except SystemExit as stop:
        assert isinstance(stop.code, int)
        return stop.code
    return 0


@pytest.fixture
def fail_with(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException | None], None]:
    """`fail_with(error)`: every step raises it, or does nothing for None; no Spark is started."""

    def fail(error: BaseException | None) -> None:
        def run_job(job: object, spark: object, conf: object) -> jobs.platform.runner.JobReport:
            if error is not None:
                raise error
            return jobs.platform.runner.JobReport("ingest", "2026-03-01", "hash")

        for module in (jobs.platform.runner, jobs.nightly):
            monkeypatch.setattr(module, "run_job", run_job)
        for module in (jobs.platform.session, jobs.nightly):
            monkeypatch.setattr(module, "get_session", lambda conf: None)

    return fail


@pytest.mark.parametrize("command", [("ingest",), ("nightly", "--force", "--only", "ingest")])
@pytest.mark.parametrize(("error", "code"), CODES, ids=lambda value: str(value))
def test_a_wheel_task_fails_where_the_step_does(
    error: BaseException | None,
    code: int,
    command: tuple[str, ...],
    fail_with: Callable[[BaseException | None], None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fail_with(error)
    conf = ("--conf", str(SIMULATED), "--set", f"storage.root={tmp_path}")
    assert as_wheel_task(*command, *conf, monkeypatch=monkeypatch) == code
    told = capsys.readouterr().err
    assert ("Traceback" not in told) and (str(error) in told or error is None)
    if code == 1:
        trace = tmp_path / "reports" / "2026-03-01" / "ingest.error.txt"
        assert str(trace) in told and "Traceback" in trace.read_text(encoding="utf-8")


def test_the_code_is_that_of_the_cause() -> None:
    wrapped = StepFailedError("step ingest failed")
    wrapped.__cause__ = DataRefusedError("no rows")
    assert exit_code(wrapped) == 3
    assert exit_code(StepFailedError("step ingest failed")) == 1
    assert exit_code(UserError("wrong")) == 2


def test_sigterm_is_an_interruption(capsys: pytest.CaptureFixture[str]) -> None:
    import os
    import signal
    import time

    def terminated() -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)
        return 0

    before = signal.getsignal(signal.SIGTERM)
    assert run_guarded("nightly", terminated) == 130
    assert signal.getsignal(signal.SIGTERM) == before
    assert capsys.readouterr().err.startswith("counterpoise nightly: interrupted;")


def test_the_trace_of_an_interrupt_is_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    handler = logging.StreamHandler(sys.stderr)
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        run_command(["--version"])
        for error in (KeyboardInterrupt(), ValueError("told")):
            root.error("sending a command", exc_info=error)
    finally:
        root.removeHandler(handler)
    told = capsys.readouterr().err
    assert "ValueError: told" in told
    assert "KeyboardInterrupt" not in told


def test_an_error_outside_a_step_leaves_its_trace_in_a_file(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def broken() -> int:
        raise LookupError("gone\nand more")

    assert run_guarded("nightly", broken) == 1
    first, second = capsys.readouterr().err.splitlines()
    assert first == "counterpoise nightly: LookupError: gone"
    trace = Path(second.removeprefix("(the whole trace: ").removesuffix(")"))
    assert "Traceback" in trace.read_text() and trace.stat().st_mode & 0o077 == 0
    trace.unlink()


def test_help_and_usage_errors_need_neither_spark_nor_torch() -> None:
    names = ["nightly", "experiment", "show-conf", *CHAIN, *EXTRA]
    script = (
        "import sys\n"
        "from jobs.command.cli import run_command\n"
        f"for name in {names}:\n"
        "    assert run_command([name, '--help']) == 0, name\n"
        "    assert run_command([name, '--no-such']) == 2, name\n"
        "assert run_command(['--help']) == run_command([]) == run_command(['--version']) == 0\n"
        "heavy = {'pyspark', 'torch', 'pandas', 'pydantic', 'pyarrow'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert all(f"usage: counterpoise {name} " in done.stdout for name in names)
    assert "label_pairs" in done.stdout and "\ncounterpoise " in done.stdout


@pytest.mark.spark
def test_a_file_that_spark_cannot_read_is_told_in_one_line(tmp_path: Path) -> None:
    """A session of its own: what Spark's tasks and gateway log is silenced by our settings."""
    (tmp_path / "items.parquet").write_text("PAR1 no Parquet file PAR1")
    given = f"{{format: parquet, path: {tmp_path / 'items.parquet'}}}"
    tables = "".join(f", {table}: {given}" for table in ("items", "queries", "judgments"))
    settings = [
        f"source={{kind: tables, dataset: shop{tables}}}",
        f"storage.root={tmp_path / 'warehouse'}",
        "spark.driver_memory=500m",
    ]
    command = [sys.executable, "-m", "jobs.command.cli", "ingest", "--run-date", "2026-03-01"]
    command += [part for setting in settings for part in ("--set", setting)]
    done = subprocess.run(command, capture_output=True, text=True)
    said = [line for line in done.stderr.splitlines() if "incubator modules" not in line]
    assert done.returncode == 2
    assert len(said) == 1 and said[0].startswith(f"counterpoise ingest: parquet {tmp_path}"), said


def test_a_job_is_named_by_its_module_and_is_no_script() -> None:
    names = [*CHAIN, *EXTRA]
    assert [load_job(name).name for name in names] == names
    with pytest.raises(ValueError, match="a job is no script: `counterpoise NAME`"):
        runpy.run_path(str(PYPROJECT.parent / "jobs/import_labels.py"), run_name="__main__")


def test_the_summary_that_help_reads_is_the_jobs() -> None:
    names = [*CHAIN, *EXTRA]
    assert [summary_of(name) for name in names] == [load_job(name).summary for name in names]


def test_an_unknown_job_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["ingst"]) == 2
    assert "no job 'ingst'; did you mean ingest?" in capsys.readouterr().err


def test_a_run_names_its_source_and_its_date(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["nightly"]) == 2
    assert "conf names no source: give --conf FILE" in capsys.readouterr().err
    assert run_command(["ingest", "--set", "source.kind=simulated"]) == 2
    assert "no run date: pass --run-date" in capsys.readouterr().err
