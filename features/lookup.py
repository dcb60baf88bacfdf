"""Joins the three feature tables to rows that say which query, item, region and day they mean."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from features.declarations import ITEM_LEVEL, PAIR_LEVEL, QUERY_LEVEL
from features.own.declared import select_own_value
from features.spec import Feature

Transform = Callable[[DataFrame], DataFrame]

QUERY_KEY = ("as_of_date", "query_id")
ITEM_KEY = ("as_of_date", "item_id", "region")
PAIR_KEY = ("as_of_date", "query_id", "item_id")
MISSING = ("missing_query", "missing_item", "missing_query_item")


@dataclass(frozen=True)
class FeatureTables:
    """The rows of one run of query_features, item_features and query_item_features.

    `own` are the declarations of a team's own features, which the tables hold in their column own.
    """

    query: DataFrame
    item: DataFrame
    query_item: DataFrame
    own: tuple[Feature, ...] = ()

    def as_of(self, day: Column) -> "FeatureTables":
        """Only the rows as of one day."""
        query, item, pair = (
            table.where(F.col("as_of_date") == day)
            for table in (self.query, self.item, self.query_item)
        )
        return FeatureTables(query, item, pair, self.own)

    def own_of(self, *levels: str) -> tuple[Feature, ...]:
        """The own features of these levels, in their order."""
        return tuple(feature for feature in self.own if feature.table in levels)


def with_features(tables: FeatureTables) -> Transform:
    """Add every declared feature to rows with as_of_date, query_id, item_id and region.

    A row without its feature row takes the declared defaults and has 1 in the column of MISSING
    that names the table; else 0. The keys of the feature tables are unique, so no row is doubled.
    """
    return lambda df: (
        df.transform(with_query_features(tables))
        .transform(with_item_features(tables))
        .transform(with_pair_features(tables))
    )


def with_query_features(tables: FeatureTables) -> Transform:
    """Add the query's features to rows with as_of_date and query_id."""
    own = tables.own_of("query")
    return _join_features(tables.query, QUERY_KEY, QUERY_LEVEL, own, "missing_query")


def with_item_features(tables: FeatureTables) -> Transform:
    """Add the item's features to rows with as_of_date, item_id and region."""
    own = tables.own_of("item")
    return _join_features(tables.item, ITEM_KEY, ITEM_LEVEL, own, "missing_item")


def with_pair_features(tables: FeatureTables) -> Transform:
    """Add the pair's features to rows with as_of_date, query_id and item_id."""
    own = tables.own_of("query_item")
    return _join_features(tables.query_item, PAIR_KEY, PAIR_LEVEL, own, "missing_query_item")


def pack_features(features: Sequence[Feature]) -> Column:
    """Pack the features into one array<float>, in order."""
    return F.array(*(F.col(feature.name).cast("float") for feature in features))


def _join_features(
    table: DataFrame,
    key: tuple[str, ...],
    features: Sequence[Feature],
    own: Sequence[Feature],
    missing: str,
) -> Transform:
    columns = [F.col(feature.name) for feature in features] + [select_own_value(f) for f in own]
    stored = table.select(*key, *columns, F.lit(0).alias(missing))

    def transform(df: DataFrame) -> DataFrame:
        joined = df.join(stored, on=list(key), how="left")
        filled = {
            f.name: F.coalesce(f.name, F.lit(f.default).cast("float")) for f in (*features, *own)
        }
        return joined.withColumns({**filled, missing: F.coalesce(missing, F.lit(1))})

    return transform
