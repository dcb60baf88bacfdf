"""How jobs read the feature tables of a run, and what they say of rows without features."""

from collections.abc import Mapping

from features.contracts import ITEM_FEATURES, QUERY_FEATURES, QUERY_ITEM_FEATURES
from features.lookup import MISSING, FeatureTables
from jobs.platform.report import JobReport
from jobs.platform.warehouse import Warehouse


def read_features(warehouse: Warehouse) -> FeatureTables:
    """Read the feature rows that this run made, at their pinned versions."""
    return FeatureTables(
        query=warehouse.read_run(QUERY_FEATURES),
        item=warehouse.read_run(ITEM_FEATURES),
        query_item=warehouse.read_run(QUERY_ITEM_FEATURES),
    )


def note_missing(report: JobReport, counts: Mapping[str, int | None]) -> None:
    """Note rows that took the declared defaults because their feature row is not there."""
    report.details["rows_without_features"] = {name: counts.get(name) or 0 for name in MISSING}
    for name in MISSING:
        if counts.get(name):
            table = name.removeprefix("missing_") + "_features"
            report.notes.append(f"{counts[name]} rows have no row in {table}: defaults taken")
