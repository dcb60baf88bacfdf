"""An error's trace is never lost."""

from pathlib import Path
from unittest.mock import MagicMock

import pytest

from conf.load import SIMULATED, load_conf
from jobs.nightly import Nightly
from jobs.platform.job import Job
from jobs.platform.runner import keep_trace


@pytest.mark.usefixtures("full_disk")
def test_a_trace_that_cannot_be_written_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "train.error.txt"
    line = keep_trace(_raised(), path)
    assert line == f"(the trace is above: {path} could not be written, No space left on device)"
    printed = capsys.readouterr().err
    assert "in _raised" in printed
    assert "ValueError: no luck" in printed


def test_a_trace_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "reports" / "train.error.txt"
    assert keep_trace(_raised(), path) == f"(the whole trace: {path})"
    assert path.read_text().endswith("ValueError: no luck\n")


def test_no_stored_file_holds_a_secret_and_the_kept_conf_is_not_for_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("S3_KEY", "hunter2")
    secret = "spark.options={spark.hadoop.fs.s3a.secret.key: '${S3_KEY}'}"
    conf = load_conf([SIMULATED], [f"storage.root={tmp_path}", secret, "tracking.uri=${S3_KEY}"])
    job = Job(lambda run: None, "", sections=("tracking",), name="ingest")
    Nightly(MagicMock(), conf, [job], [job], console=MagicMock()).run()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.parent.relative_to(tmp_path).parts[0] for path in files} == {
        "conf",
        "reports",
        "state",
    }
    assert [path for path in files if b"hunter2" in path.read_bytes()] == []
    (kept,) = (path for path in files if path.suffix == ".yaml")
    assert kept.stat().st_mode & 0o007 == 0 and "${S3_KEY}" in kept.read_text()


def _raised() -> Exception:
    try:
        raise ValueError("no luck")
    except ValueError as error:
        return error
