"""Writes the declared features and the table contracts in Markdown.

`features/README.md` holds the features, `docs/data_tables.md` the tables.
"""

from collections.abc import Iterable

from features.contracts import ALL_TABLES, Column, Table
from features.declarations import FEATURES
from features.spec import Feature

_TABLES = """# The Delta tables

This page is written by `make docs` from the table contracts (`features/contracts/`). A column is
NOT NULL unless it says optional. Feature columns are listed once, in
[features/README.md](../features/README.md).
"""
_HEAD = ("feature", "table", "kind", "region", "default", "description")


def feature_table(features: Iterable[Feature] = FEATURES) -> str:
    """Write one row per feature, in the order of the declarations; ends with a line break."""
    rows = [_HEAD, tuple("---" for _ in _HEAD), *map(_list_cells, features)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _list_cells(feature: Feature) -> tuple[str, ...]:
    return (
        f"`{feature.name}`",
        feature.table,
        feature.kind,
        "dependent" if feature.regional else "invariant",
        f"{feature.default:g}",
        feature.description,
    )


def table_page(tables: Iterable[Table] = ALL_TABLES) -> str:
    """Give one section per table: its grain, key, columns and checks."""
    return _TABLES + "".join(_render_section(table) for table in tables)


def _render_section(table: Table) -> str:
    features = {feature.name for feature in FEATURES}
    columns = [c for c in table.columns if c.name not in features]
    rows = [
        f"| `{c.name}` | {c.type}{_mark_optional(c)} | {_escape_cell(c.comment)} |\n"
        for c in columns
    ]
    if len(columns) < len(table.columns):
        rows.append(f"| {len(table.columns) - len(columns)} features | float | |\n")
    checks = "".join(f"- check `{c.name}`: `{c.expression}`\n" for c in table.checks)
    return (
        f"\n## {table.name}\n\n{table.grain[:1].upper()}{table.grain[1:]}. "
        f"Key: {', '.join(f'`{key}`' for key in table.key)}.\n\n"
        f"| column | type | what it is |\n| --- | --- | --- |\n{''.join(rows)}"
        + (f"\n{checks}" if checks else "")
    )


def _mark_optional(column: Column) -> str:
    return "" if column.required else ", optional"


def _escape_cell(text: str) -> str:
    return text.replace("|", "\\|")
