"""Reads a team's own features: the tables or files of conf `features.own`."""

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, BinaryType, MapType, StructType

from conf.load import ResolvedConf, section_hash
from conf.sections.features import OwnTable
from features.own.checks import bring_to_common_form
from features.quality.typed import MALFORMED
from jobs.sources.base import (
    SourceError,
    name_column,
    require_columns,
    require_plain_values,
)
from jobs.sources.tables import input_fingerprint, load_input

_NO_VALUES = (ArrayType, BinaryType, MapType, StructType)
_FORMS = {"float": "a number", "int": "a whole number", "boolean": "true or false"}


def read_own_table(spark: SparkSession, name: str, table: OwnTable) -> DataFrame:
    """Read one own table as rows of own_values, unchecked.

    Raises:
        SourceError: the table is gone, a column is missing or holds no plain values.
    """
    key = f"features.own.{name}"
    rows = load_input(spark, table, key)
    theirs = {feature: f.column or feature for feature, f in table.features.items()}
    keys = {k: table.columns.get(k, k) for k in table.key if k not in table.fixed}
    require_columns(rows, [*keys.values(), table.as_of, *theirs.values()], key)
    for feature, column in theirs.items():
        kind = rows.schema[column].dataType
        if isinstance(kind, _NO_VALUES):
            wanted = _FORMS.get(table.features[feature].dtype, "text")
            raise SourceError(
                f"{key}.features.{feature}: column {column} is {kind.simpleString()}; give a "
                f"column of plain values, each {wanted}"
            )
    require_plain_values(rows, keys | {"as_of": table.as_of}, key)
    columns = {ours: name_column(column) for ours, column in (keys | theirs).items()}
    columns |= {ours: F.lit(value) for ours, value in table.fixed.items()}
    columns["as_of"] = name_column(table.as_of)
    if MALFORMED in rows.columns:
        columns[MALFORMED] = F.col(MALFORMED)
    mapped = rows.select(*(column.alias(ours) for ours, column in columns.items()))
    return bring_to_common_form(mapped, name, table)


def compute_own_fingerprint(conf: ResolvedConf) -> str:
    """Hash of what can be seen of each own table without reading it."""
    tables = conf.tree.features.own
    seen = {name: input_fingerprint(table, conf.run_date) for name, table in tables.items()}
    return section_hash(seen)
