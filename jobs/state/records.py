"""The record of a step's last success for a run date: a small JSON file under `state`."""

from pathlib import Path
from typing import Any

from conf.errors import UserError
from jobs.platform.report import JobReport
from jobs.state.artifacts import Stamps
from model.files import read_json, write_json

_KEYS = ("fingerprint", "outputs", "artifacts", "report")


class DamagedRecordError(UserError):
    """A file that we keep is half written, cut or foreign; the message names it and the mend."""


def read_record(path: Path) -> dict[str, Any] | None:
    """Read the record, or None where there is none.

    Raises:
        DamagedRecordError: the file is not a complete record.
    """
    if not path.exists():
        return None
    content = read_json(path, DamagedRecordError)
    if not isinstance(content, dict) or not all(key in content for key in _KEYS):
        raise DamagedRecordError(f"{path} is damaged: it is no whole record of a step")
    return content


def write_record(
    path: Path,
    fingerprint: str,
    artifacts: dict[str, Stamps | None],
    report: JobReport,
    versions: dict[str, int | None],
) -> None:
    """Note a step's success: what it depended on, and what would show that its outputs changed.

    `versions` are those of all tables that it may write: one to which it had nothing to add this
    time must not be lost either.
    """
    content = {
        "fingerprint": fingerprint,
        "outputs": report.outputs,
        "versions": versions,
        "artifacts": artifacts,
        "report": report.to_json(),
    }
    write_json(path, content, default=str)
