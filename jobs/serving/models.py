"""Decisions on rankers: which one is in force, and where the admitted ones are kept."""

import shutil
from pathlib import Path
from typing import Any

from pyspark.sql import functions as F

from conf.errors import UserError
from features.contracts import MODEL_DECISIONS
from jobs.platform.warehouse import Warehouse
from model.files import new_folder, read_json

Row = dict[str, Any]


class ModelGoneError(UserError, FileNotFoundError):
    """The folder of an admitted model is missing or damaged; the message names it and the mend."""


class NoRollbackError(UserError, ValueError):
    """There is no model to go back to."""


def read_model_decisions(warehouse: Warehouse) -> list[Row]:
    """Read decisions up to the run date, by run date and number (about one per night).

    A night for an earlier run date decides on that date: later ones keep their own model.
    """
    if not warehouse.exists(MODEL_DECISIONS):
        return []
    decisions = warehouse.read(MODEL_DECISIONS).where(F.col("run_date") <= warehouse.conf.run_date)
    return [row.asDict() for row in decisions.orderBy("run_date", "decision_no").collect()]


def find_in_force(decisions: list[Row]) -> Row | None:
    """Find the decision that admitted the model in force: of those admitted now, the last one.

    The last decision on a version holds: a revoked one is out, and the one admitted before it is in
    force again.
    """
    last = {str(row["model_version"]): row for row in decisions}
    admitted = [row for row in last.values() if row["decision"] == "admitted"]
    return max(admitted, key=lambda row: (row["run_date"], row["decision_no"]), default=None)


def build_revocation(warehouse: Warehouse, number: int, by: str, why: str) -> Row:
    """Build the row that takes the model in force out; the one before it serves again.

    Raises:
        NoRollbackError: no model was admitted before it.
        ModelGoneError: the folder of that one is missing.
    """
    decisions = read_model_decisions(warehouse)
    current = find_in_force(decisions)
    if current is None:
        raise NoRollbackError("no model is in force: there is nothing to go back from")
    version = current["model_version"]
    before = find_in_force([row for row in decisions if row["model_version"] != version])
    if before is None:
        raise NoRollbackError(f"no model was admitted before {version}: none to go back to")
    require_admitted(warehouse, before)
    return {
        "decision_no": number,
        "run_date": warehouse.conf.run_date,
        "model_version": version,
        "decision": "revoked",
        "decided_by": by,
        "reasons": [why],
        "metrics": "{}",
        "criteria": "",
        "compared_with": before["model_version"],
    }


def name_admitted_dir(warehouse: Warehouse, version: str) -> Path:
    """Name the folder of an admitted model: a later training of its run date does not touch it."""
    return warehouse.root / "admitted" / version


def keep_admitted(warehouse: Warehouse, version: str) -> None:
    """Copy the run date's model there; a copy that was cut off is made anew."""
    place = name_admitted_dir(warehouse, version)
    if holds_version(place, version):
        return
    with new_folder(place) as new:
        shutil.copytree(warehouse.model_dir(), new, dirs_exist_ok=True)


def holds_version(folder: Path, version: str) -> bool:
    """Tell whether a model directory has this version."""
    manifest = folder / "manifest.json"
    if not manifest.is_file():
        return False
    try:
        content = read_json(manifest, ModelGoneError)
    except ModelGoneError:  # a manifest that cannot be read holds no version
        return False
    return isinstance(content, dict) and content.get("model_version") == version


def require_admitted(warehouse: Warehouse, decision: Row) -> Path:
    """Find the folder of an admitted model.

    Raises:
        ModelGoneError: it is not there, or damaged.
    """
    version = str(decision["model_version"])
    place = name_admitted_dir(warehouse, version)
    if not holds_version(place, version):
        raise ModelGoneError(
            f"model {version}, in force by decision {decision['decision_no']} of "
            f"{decision['run_date']}, is not whole in {place}: put the folder back from a copy, or "
            "go back to the model before it: `counterpoise admit_model --rollback --by WHO "
            "--why TEXT`"
        )
    return place
