"""Which model and which weights are in force for a run date."""

from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from pyspark.sql import functions as F

from conf.errors import UserError
from conf.sections.value import Weights
from features.contracts import VALUE_WEIGHTS, WEIGHT_DECISIONS
from features.declarations import declare_features
from features.spec import spec_json
from jobs.platform.warehouse import Warehouse
from jobs.serving.models import find_in_force, holds_version, read_model_decisions, require_admitted
from model.spec import InputFeature, InputSpec, describe_input_difference
from model.value.weights import ValueWeights, WeightTable
from udfs.model_files import model_version, read_spec

Decision = dict[str, Any]


class NoModelError(UserError, FileNotFoundError):
    """No model was trained on or before the run date."""


class OtherFeaturesError(UserError, ValueError):
    """The model in force was made for other features than conf declares; the message says which."""


@dataclass(frozen=True)
class WeightsInForce:
    """Weights by region and the version that scores carry.

    `adopted` says who adopted them and why; "" for those of tuning or conf.
    """

    table: WeightTable
    version: str
    adopted: str = ""

    @property
    def by_region(self) -> dict[str, Weights]:
        """The listed regions' weights, as sections of conf."""
        return {region: Weights(**asdict(w)) for region, w in self.table.by_region.items()}


def find_model_in_force(warehouse: Warehouse) -> Path:
    """Find the directory of the model that serves: the one that was admitted last.

    Without any decision of `admit_model`: the model of the run date, else the latest earlier one.
    What a reader would not expect is noted in the report.

    Raises:
        NoModelError: there is none.
        ModelGoneError: the folder of the admitted model is missing.
    """
    decisions = read_model_decisions(warehouse)
    if not decisions:
        return _find_latest_model(warehouse)
    current, last = find_in_force(decisions), decisions[-1]
    if current is None:
        raise NoModelError(
            f"no model is admitted: {last['model_version']} was {last['decision']} on "
            f"{last['run_date']} ({'; '.join(last['reasons'])}); mend what is wrong and train "
            "again, or widen the conf section `admission`"
        )
    if current["run_date"] != warehouse.conf.run_date:
        warehouse.report.notes.append(
            f"scored with model {current['model_version']} of {current['run_date']}, in force by "
            f"decision {current['decision_no']}; {_describe_tonight(warehouse, decisions)}"
        )
    return require_admitted(warehouse, current)


def find_scoring_model(warehouse: Warehouse) -> Path:
    """Find the directory of the model that serves, for rows with the features of conf.

    Raises:
        OtherFeaturesError: to that model the values of those features mean something else.
        NoModelError, ModelGoneError: as `find_model_in_force`.
    """
    folder, tree = find_model_in_force(warehouse), warehouse.conf.tree
    spec = read_spec(folder)
    features = (InputFeature(**entry) for entry in spec_json(declare_features(tree)))
    declared = InputSpec(tuple(features), spec.tasks, tuple(tree.regions), spec.relevance)
    other = describe_input_difference(declared, spec)
    if other:
        raise OtherFeaturesError(
            f"model {model_version(folder)}, in force, cannot read the features of this conf "
            f"({other}); set the conf back, or run `counterpoise nightly`, which trains and judges "
            "a model that reads them"
        )
    return folder


def _describe_tonight(warehouse: Warehouse, decisions: list[Decision]) -> str:
    """Describe what became of the run date's own model."""
    place = warehouse.model_dir()
    for row in reversed(decisions):
        if row["run_date"] == warehouse.conf.run_date and holds_version(
            place, row["model_version"]
        ):
            return f"model {row['model_version']} of the run date was {row['decision']}"
    if (place / "manifest.json").is_file():
        return "no decision on the model of the run date yet: run `counterpoise admit_model`"
    return "no model of the run date"


def _find_latest_model(warehouse: Warehouse) -> Path:
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


def find_weights_in_force(warehouse: Warehouse) -> WeightsInForce:
    """Find the weights in force: adopted by hand, else those of `tune_value_model`, else those of
    conf.

    This order holds everywhere. Of the decisions of `adopt_weights` the last one up to the run date
    holds; one that goes back to the tuned weights ends the adoption. Conf `value.tuned` = false
    passes over the tuned weights, not over adopted ones. A region without weights takes conf's.
    """
    return _read_adopted_weights(warehouse) or _read_tuned_weights(
        warehouse, warehouse.conf.run_date
    )


def find_weights_before(warehouse: Warehouse) -> WeightsInForce:
    """Find the weights in force, but with tuned ones of the latest run date before this one.

    What a model of tonight is judged under: tonight's weights are tuned for the model that is
    admitted.
    """
    adopted = _read_adopted_weights(warehouse)
    if adopted is not None:
        return adopted
    before = None
    if warehouse.exists(VALUE_WEIGHTS):
        dates = warehouse.read(VALUE_WEIGHTS).select(F.col("run_date").alias("day"))
        earlier = dates.where(F.col("day") < warehouse.conf.run_date)
        before = earlier.agg(F.max("day").alias("day")).collect()[0]["day"]
    return _read_tuned_weights(warehouse, before)


def _read_adopted_weights(warehouse: Warehouse) -> WeightsInForce | None:
    decision = read_weights_decision(warehouse)
    if decision is None or decision["decision"] != "adopted":
        return None
    words = _format_adoption(decision)
    warehouse.report.notes.append(words)
    table = WeightTable.from_json(str(decision["weights"]))
    return WeightsInForce(table, str(decision["weights_version"]), words)


def read_weights_decision(warehouse: Warehouse) -> Decision | None:
    """Read the last decision on weights up to the run date; None: there is none."""
    if not warehouse.exists(WEIGHT_DECISIONS):
        return None
    decisions = warehouse.read(WEIGHT_DECISIONS).where(F.col("run_date") <= warehouse.conf.run_date)
    last = decisions.orderBy(F.desc("run_date"), F.desc("decision_no")).first()
    return last.asDict() if last else None


def _format_adoption(decision: Decision) -> str:
    return (
        f"weights {decision['weights_version']} (trial {decision['trial']}) in force: adopted by "
        f"{decision['decided_by']} from {decision['run_date']} on: {decision['why']}"
    )


def _read_tuned_weights(warehouse: Warehouse, day: date | None) -> WeightsInForce:
    """Read the weights of `tune_value_model` of a run date, else those of conf."""
    given = WeightTable.from_conf(warehouse.conf.tree.value)
    conf = WeightsInForce(given, given.version)
    if not warehouse.conf.tree.value.tuned:
        return conf
    rows = []
    if day is not None and warehouse.exists(VALUE_WEIGHTS):
        rows = warehouse.read(VALUE_WEIGHTS).where(F.col("run_date") == day).collect()
    if not rows:
        of_day = "this run date" if day == warehouse.conf.run_date else "an earlier run date"
        warehouse.report.notes.append(f"no tuned weights of {of_day}: those of conf are used")
        return conf
    tuned = {r.region: ValueWeights(r.w_click, r.w_cart, r.w_purchase, r.w_relevance) for r in rows}
    table = WeightTable(given.default, {**given.by_region, **tuned})
    versions = {r.weights_version for r in rows}
    return WeightsInForce(table, versions.pop() if len(versions) == 1 else table.version)
