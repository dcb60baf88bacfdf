"""Every feature, declared once.

A declaration drives the column of its table, the column of the training set and of the snapshot,
the input of the model and the documentation.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

FeatureTable = Literal["query", "item", "query_item"]


@dataclass(frozen=True)
class Feature:
    """One feature.

    Attributes:
        name: column name, the same in every table.
        table: query (one value per query), item (one per item and region), query_item (one per
            pair).
        description: what it measures, with its unit.
        kind: numeric (standardised by the model) or category (an id below `buckets`, embedded).
        default: value where the feature is unknown.
        regional: True where its distribution depends on the region (the MD mask's input).
        buckets: number of ids of a category (count).
        exposure: True where it counts what the logger chose to show, whatever shoppers did.
    """

    name: str
    table: FeatureTable
    description: str
    kind: Literal["numeric", "category"] = "numeric"
    default: float = 0.0
    regional: bool = False
    buckets: int = 0
    exposure: bool = False

    @property
    def sql_type(self) -> str:
        """All features are float32: the snapshot is one packed matrix."""
        return "float"


def spec_json(features: Iterable[Feature]) -> list[dict[str, Any]]:
    """Return the declarations as plain JSON, in order: what the snapshot and the model carry."""
    return [asdict(feature) for feature in features]
