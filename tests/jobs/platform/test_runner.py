"""Small files are whole or absent, and an error's trace is never lost."""

from pathlib import Path

import pytest

from jobs.platform.runner import keep_trace, write_text


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that takes ten more characters."""
    real = Path.write_text

    def write(self: Path, text: str, **kwargs: str) -> int:
        real(self, text[:10], **kwargs)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", write)


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_leaves_no_part_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left"):
        write_text(tmp_path / "reports" / "train.json", "a longer text")
    assert list((tmp_path / "reports").iterdir()) == []


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


def _raised() -> Exception:
    try:
        raise ValueError("no luck")
    except ValueError as error:
        return error
