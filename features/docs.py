"""The declared features as a table in Markdown; `features/README.md` holds it."""

from collections.abc import Iterable

from features.declarations import FEATURES
from features.spec import Feature

_HEAD = ("feature", "table", "kind", "region", "default", "description")


def feature_table(features: Iterable[Feature] = FEATURES) -> str:
    """One row a feature, in the order of the declarations; ends with a line break."""
    rows = [_HEAD, tuple("---" for _ in _HEAD), *map(_cells, features)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _cells(feature: Feature) -> tuple[str, ...]:
    return (
        f"`{feature.name}`",
        feature.table,
        feature.kind,
        "dependent" if feature.regional else "invariant",
        f"{feature.default:g}",
        feature.description,
    )
