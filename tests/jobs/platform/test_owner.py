"""One run owns a root and run date: a living one is named, a dead one is taken over."""

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from conf.errors import ConfError, OwnedError
from conf.load import SIMULATED
from jobs.command.cli import run_command
from jobs.platform.owner import STALE_SECONDS, Owner, claim_root, this_process

DAY = date(2026, 3, 1)
REPOSITORY = Path(__file__).parents[3]
OWN_AND_WAIT = """
import sys
from datetime import date
from pathlib import Path
from jobs.platform.owner import claim_root
with claim_root(Path(sys.argv[1]), date(2026, 3, 1), "nightly"):
    print("owns", flush=True)
    sys.stdin.readline()
"""


def owner_file(root: Path) -> Path:
    return root / "state" / "2026-03-01.owner.json"


def left_by(root: Path, owner: Owner, silent: float = 0.0) -> None:
    path = owner_file(root)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(owner)))
    then = time.time() - silent
    os.utime(path, (then, then))


def test_two_processes_and_a_killed_one(tmp_path: Path) -> None:
    """The other one owns the date; other dates are free; once it is killed, it is taken over."""
    command = [sys.executable, "-c", OWN_AND_WAIT, str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    other = subprocess.Popen(
        command, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "owns\n"
        said = rf"2026-03-01 .* is owned by `nightly` on host \S+, pid {other.pid}, since 2\d"
        with pytest.raises(OwnedError, match=said), claim_root(tmp_path, DAY, "train"):
            pass
        with claim_root(tmp_path, date(2026, 3, 2), "nightly"):
            pass
    finally:
        other.kill()
        other.wait()
    assert owner_file(tmp_path).exists()
    with claim_root(tmp_path, DAY, "train"):
        assert json.loads(owner_file(tmp_path).read_text())["pid"] == os.getpid()
    assert not owner_file(tmp_path).exists()


def test_a_root_that_cannot_be_written_is_an_error_of_conf(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with (
        pytest.raises(
            ConfError, match=r"storage\.root: .*file cannot be written \(Not a directory"
        ),
        claim_root(file, DAY, "nightly"),
    ):
        pass


def test_a_job_inside_a_run_of_the_same_process(tmp_path: Path) -> None:
    with claim_root(tmp_path, DAY, "nightly"):
        with claim_root(tmp_path, DAY, "ingest"):
            pass
        assert json.loads(owner_file(tmp_path).read_text())["command"] == "nightly"


def test_a_reused_pid_is_another_process(tmp_path: Path) -> None:
    left_by(tmp_path, replace(this_process("nightly"), ticks="1"))
    with claim_root(tmp_path, DAY, "nightly"):
        pass


def test_an_owner_elsewhere_is_gone_once_it_is_silent(tmp_path: Path) -> None:
    elsewhere = replace(this_process("nightly"), host="other", machine="x")
    left_by(tmp_path, elsewhere, silent=STALE_SECONDS / 2)
    with (
        pytest.raises(OwnedError, match=r"on host other, .* remove /.*owner\.json"),
        claim_root(tmp_path, DAY, "nightly"),
    ):
        pass
    left_by(tmp_path, elsewhere, silent=STALE_SECONDS + 60)
    with claim_root(tmp_path, DAY, "nightly"):
        pass


def test_a_half_written_file_blocks_until_it_is_old(tmp_path: Path) -> None:
    left_by(tmp_path, this_process("nightly"))
    owner_file(tmp_path).write_text('{"host": "a')
    with pytest.raises(OwnedError, match="names no process"), claim_root(tmp_path, DAY, "nightly"):
        pass
    then = time.time() - STALE_SECONDS - 60
    os.utime(owner_file(tmp_path), (then, then))
    with claim_root(tmp_path, DAY, "nightly"):
        pass


def test_a_run_that_was_taken_over_stops_at_its_next_job(tmp_path: Path) -> None:
    other = replace(this_process("nightly"), host="other", machine="x")
    with claim_root(tmp_path, DAY, "nightly"):
        left_by(tmp_path, other)
        with pytest.raises(OwnedError, match="on host other"), claim_root(tmp_path, DAY, "train"):
            pass
    assert json.loads(owner_file(tmp_path).read_text())["host"] == "other"


@pytest.mark.parametrize("command", ["nightly", "ingest"])
def test_a_command_stops_before_spark_starts(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
) -> None:
    def start(*_: object) -> None:
        raise AssertionError("Spark was started")

    monkeypatch.setattr(SparkSession.Builder, "getOrCreate", start)
    left_by(tmp_path, replace(this_process("nightly"), host="other", machine="x"))
    settings = [f"storage.root={tmp_path}", "run_date=2026-03-01"]
    given = ["--conf", str(SIMULATED), *(x for s in settings for x in ("--set", s))]
    assert run_command([command, *given]) == 5
    assert "is owned by `nightly` on host other" in capsys.readouterr().err
