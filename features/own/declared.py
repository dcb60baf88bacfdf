"""Turns conf `features.own` into declarations, and their values into columns and back."""

from collections.abc import Iterable

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.errors import ConfError
from conf.schema import Conf
from conf.sections.features import OwnFeature, OwnTable
from features.spec import Feature

VALUES = "map<string,float>"
"""Type of the column `own` of the feature tables: value by feature, unknown ones left out.

One column for all of them, so that no table's contract depends on a conf.
"""


class OwnFeatureError(ConfError):
    """An own feature cannot be used as conf declares it; the message names the key and the mend."""


def declare_own(conf: Conf, taken: Iterable[str]) -> tuple[Feature, ...]:
    """Declare the own features, in the order of conf.

    Args:
        taken: names that a feature must not have.

    Raises:
        OwnFeatureError: a name is taken, by us or by another own table.
    """
    owners = dict.fromkeys(taken, "Counterpoise has a column of that name")
    declared = []
    for table_name, table in conf.features.own.items():
        for name, feature in table.features.items():
            if name in owners:
                raise OwnFeatureError(
                    f"features.own.{table_name}.features.{name}: the name is taken "
                    f"({owners[name]}); give the feature another name and set its `column`"
                )
            owners[name] = f"features.own.{table_name} has it"
            declared.append(_declaration(name, table, feature, conf.features.hash_buckets))
    return tuple(declared)


def _declaration(name: str, table: OwnTable, feature: OwnFeature, buckets: int) -> Feature:
    category = feature.dtype == "category"
    return Feature(
        name,
        table.level,
        feature.description,
        kind="category" if category else "numeric",
        default=feature.default,
        regional=feature.regional,
        buckets=buckets if category else 0,
    )


def select_own_value(feature: Feature) -> Column:
    """Take the value of an own feature (float) out of the column `own`; its default if unknown."""
    given = F.col("own")[feature.name]
    return F.coalesce(given, F.lit(feature.default)).cast("float").alias(feature.name)


def pack_own_values(own: Iterable[Feature]) -> Column:
    """Pack the columns of the own features into the column `own`; null where there are none."""
    entries = [part for f in own for part in (F.lit(f.name), F.col(f.name).cast("float"))]
    packed = F.create_map(*entries) if entries else F.lit(None).cast(VALUES)
    return packed.alias("own")


def unpack_own_values(rows: DataFrame, own: Iterable[Feature]) -> DataFrame:
    """Add a column per own feature to rows with the column `own`."""
    columns = {feature.name: select_own_value(feature) for feature in own}
    return rows.withColumns(columns) if columns else rows
