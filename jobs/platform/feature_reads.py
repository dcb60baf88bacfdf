"""How jobs read the feature tables of a run, and what they say of rows without features."""

from collections.abc import Mapping

from pyspark.sql import DataFrame

from features.contracts import (
    ITEM_FEATURES,
    QUERY_FEATURES,
    QUERY_ITEM_FEATURES,
    TRAINING_EXAMPLES,
)
from features.declarations import declare_own_features
from features.lookup import MISSING, FeatureTables
from features.own.declared import unpack_own_values
from jobs.platform.report import JobReport
from jobs.platform.warehouse import Warehouse


def read_features(warehouse: Warehouse) -> FeatureTables:
    """Read the feature rows that this run made, at their pinned versions."""
    return FeatureTables(
        query=warehouse.read_run(QUERY_FEATURES),
        item=warehouse.read_run(ITEM_FEATURES),
        query_item=warehouse.read_run(QUERY_ITEM_FEATURES),
        own=declare_own_features(warehouse.conf.tree),
    )


def read_examples(warehouse: Warehouse) -> DataFrame:
    """Read the training examples of the run, with a column per feature, own ones among them."""
    examples = warehouse.read_run(TRAINING_EXAMPLES)
    return unpack_own_values(examples, declare_own_features(warehouse.conf.tree))


def note_missing(report: JobReport, counts: Mapping[str, int | None]) -> None:
    """Note rows that took the declared defaults because their feature row is not there."""
    report.details["rows_without_features"] = {name: counts.get(name) or 0 for name in MISSING}
    for name in MISSING:
        if counts.get(name):
            table = name.removeprefix("missing_") + "_features"
            report.notes.append(f"{counts[name]} rows have no row in {table}: defaults taken")
