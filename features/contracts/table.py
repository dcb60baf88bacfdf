"""What a table contract is, and the SQL that creates the table from it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.errors import UserError

_MOMENTS = ("date", "timestamp")


class ContractError(UserError, ValueError):
    """A DataFrame does not have the columns of its contract; the message lists both."""


@dataclass(frozen=True)
class Column:
    """One column: `type` is a Spark SQL type; `required` means NOT NULL."""

    name: str
    type: str
    comment: str
    required: bool = True

    def build_ddl(self) -> str:
        """Build the column's part of CREATE TABLE."""
        null = " NOT NULL" if self.required else ""
        return f"`{self.name}` {self.type}{null} COMMENT {_quote_literal(self.comment)}"


@dataclass(frozen=True)
class Constraint:
    """A CHECK constraint: `expression` is SQL that must not be false for a row."""

    name: str
    expression: str


@dataclass(frozen=True)
class Table:
    """The contract of one Delta table.

    Attributes:
        grain: "one row per ...", the table's comment.
        key: columns that name a row; writers de-duplicate by them.
        cluster_by: liquid clustering columns, the most filtered first.
    """

    name: str
    grain: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    checks: tuple[Constraint, ...] = ()
    cluster_by: tuple[str, ...] = ()

    @property
    def column_names(self) -> list[str]:
        """Column names in the order of the contract."""
        return [column.name for column in self.columns]

    @property
    def skipped_by(self) -> list[str]:
        """Columns by which reads may skip files: clustering, key, dates and times.

        Delta would keep the bounds of the first 32 columns of every file. Nobody looks for a
        feature's value, and of a wide table those bounds are a good part of a write.
        """
        moments = [c.name for c in self.columns if c.type in _MOMENTS]
        return list(dict.fromkeys((*self.cluster_by, *self.key, *moments)))

    def build_ddl(self, identifier: str) -> str:
        """Build CREATE TABLE IF NOT EXISTS for a SQL identifier such as delta.`/path`."""
        columns = ",\n  ".join(column.build_ddl() for column in self.columns)
        cluster = f"\nCLUSTER BY ({', '.join(self.cluster_by)})" if self.cluster_by else ""
        properties = {f"delta.constraints.{c.name}": c.expression for c in self.checks}
        properties["counterpoise.key"] = ",".join(self.key)
        properties["delta.dataSkippingStatsColumns"] = ",".join(self.skipped_by)
        listed = ", ".join(
            f"{_quote_literal(k)} = {_quote_literal(v)}" for k, v in properties.items()
        )
        return (
            f"CREATE TABLE IF NOT EXISTS {identifier} (\n  {columns}\n) USING delta"
            f"\nCOMMENT {_quote_literal(self.grain)}{cluster}\nTBLPROPERTIES ({listed})"
        )

    def find_lacking(self, present: Iterable[str]) -> list[Column]:
        """List the optional columns that a table of an older contract does not have."""
        names = {*present}
        return [c for c in self.columns if not c.required and c.name not in names]

    def complete(self, df: DataFrame) -> DataFrame:
        """Add null to the frame for each optional column that it lacks."""
        lacking = {c.name: F.lit(None).cast(c.type) for c in self.find_lacking(df.columns)}
        return df.withColumns(lacking) if lacking else df

    def conform(self, df: DataFrame) -> DataFrame:
        """Select the contract's columns in order, cast to its types.

        Raises:
            ContractError: a column is missing.
        """
        missing = [name for name in self.column_names if name not in df.columns]
        if missing:
            raise ContractError(
                f"table {self.name}: columns {missing} are missing; present: {sorted(df.columns)}"
            )
        return df.select(*(F.col(c.name).cast(c.type).alias(c.name) for c in self.columns))

    def local_frame(self, spark: SparkSession, rows: Iterable[Mapping[str, Any]]) -> DataFrame:
        """Make a DataFrame of the contract's columns from a few rows that the driver holds."""
        schema = ", ".join(f"`{column.name}` {column.type}" for column in self.columns)
        data = [tuple(row.get(name) for name in self.column_names) for row in rows]
        return spark.createDataFrame(data, schema)


def declare_required(columns: Iterable[tuple[str, str, str]]) -> tuple[Column, ...]:
    """Declare NOT NULL columns from (name, type, comment)."""
    return tuple(Column(name, type_, comment) for name, type_, comment in columns)


def declare_optional(columns: Iterable[tuple[str, str, str]]) -> tuple[Column, ...]:
    """Declare nullable columns from (name, type, comment)."""
    return tuple(Column(name, type_, comment, required=False) for name, type_, comment in columns)


def _quote_literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
