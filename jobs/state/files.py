"""The record of a step's last success for a run date: a small JSON file under `state`."""

import json
from pathlib import Path
from typing import Any

from conf.errors import UserError
from jobs.platform.report import JobReport
from jobs.platform.runner import write_text
from jobs.state.artifacts import Stamps

_KEYS = ("fingerprint", "outputs", "artifacts", "report")


class DamagedRecordError(UserError):
    """A file that we keep is half written, cut or foreign; the message names it and the mend."""


def read_record(path: Path) -> dict[str, Any] | None:
    """The record, or None where there is none.

    Raises:
        DamagedRecordError: the file is no whole record.
    """
    if not path.exists():
        return None
    content = read_json(path)
    if not isinstance(content, dict) or not all(key in content for key in _KEYS):
        raise DamagedRecordError(f"{path} is damaged: it is no whole record of a step")
    return content


def write_record(
    path: Path, fingerprint: str, artifacts: dict[str, Stamps | None], report: JobReport
) -> None:
    """Note a step's success: what it depended on, and what would show that its outputs changed."""
    content = {
        "fingerprint": fingerprint,
        "outputs": report.outputs,
        "artifacts": artifacts,
        "report": report.to_json(),
    }
    write_text(path, json.dumps(content, indent=1, default=str))


def read_json(path: Path) -> Any:
    """The parsed file; raises DamagedRecordError where it is no whole JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # of JSON or of UTF-8
        raise DamagedRecordError(f"{path} is damaged ({error})") from error
