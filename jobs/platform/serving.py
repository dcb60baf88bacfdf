"""Which model and which weights are in force for a run date."""

from dataclasses import dataclass
from pathlib import Path

from conf.errors import UserError
from features.contracts import VALUE_WEIGHTS
from jobs.platform.warehouse import Warehouse
from model.value import ValueWeights, WeightTable


class NoModelError(UserError, FileNotFoundError):
    """No model was trained on or before the run date."""


@dataclass(frozen=True)
class WeightsInForce:
    """Weights by region and the version that scores carry."""

    table: WeightTable
    version: str


def model_in_force(warehouse: Warehouse) -> Path:
    """The model directory of the run date, else the latest earlier one, noted in the report.

    Raises:
        NoModelError: there is none.
    """
    wanted = warehouse.model_dir()
    if (wanted / "manifest.json").is_file():
        return wanted
    earlier = [
        folder
        for folder in sorted(wanted.parent.glob("????-??-??"))
        if folder.name < wanted.name and (folder / "manifest.json").is_file()
    ]
    if not earlier:
        raise NoModelError(f"no model at {wanted}, and no earlier one; run `counterpoise train`")
    warehouse.report.notes.append(
        f"no model of {wanted.name}: scored with that of {earlier[-1].name}"
    )
    return earlier[-1]


def weights_in_force(warehouse: Warehouse) -> WeightsInForce:
    """The weights of `tune_value_model` for the run date, else those of conf.

    Conf `value.tuned` = false takes those of conf in any case. A region without tuned weights takes
    those of conf.
    """
    conf = WeightTable.of(warehouse.conf.tree.value)
    if not warehouse.conf.tree.value.tuned:
        return WeightsInForce(conf, conf.version)
    rows = []
    if warehouse.exists(VALUE_WEIGHTS):
        rows = warehouse.read_run(VALUE_WEIGHTS).collect()
    if not rows:
        warehouse.report.notes.append("no tuned weights of this run date: those of conf are used")
        return WeightsInForce(conf, conf.version)
    tuned = {r.region: ValueWeights(r.w_click, r.w_cart, r.w_purchase, r.w_relevance) for r in rows}
    table = WeightTable(conf.default, {**conf.by_region, **tuned})
    versions = {r.weights_version for r in rows}
    return WeightsInForce(table, versions.pop() if len(versions) == 1 else table.version)
