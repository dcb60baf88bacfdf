"""Candidates and the three feature tables."""

from collections.abc import Sequence

from features.contracts.table import Column, Constraint, Table, declare_optional, declare_required
from features.declarations import ITEM_LEVEL, PAIR_LEVEL, QUERY_LEVEL
from features.spec import Feature

_DATES = (
    ("run_date", "date", "run that made the row"),
    ("as_of_date", "date", "only events before this day, known before it, were used"),
)


OWN = declare_optional(
    [("own", "map<string,float>", "known values of conf `features.own`, by feature")]
)


def feature_columns(features: Sequence[Feature]) -> tuple[Column, ...]:
    """Return one NOT NULL float column per feature, its description as the comment."""
    return declare_required((f.name, f.sql_type, f.description) for f in features)


CANDIDATES = Table(
    name="candidates",
    grain="one row per query and item to be scored",
    columns=declare_required(
        [
            ("run_date", "date", "run that made the row"),
            ("query_id", "string", "query"),
            ("region", "string", "region of the query"),
            ("item_id", "string", "item"),
            ("from_log", "boolean", "shown lately"),
            ("from_judgment", "boolean", "judged"),
            ("from_retrieval", "boolean", "among the top of lexical retrieval"),
        ]
    ),
    key=("run_date", "query_id", "item_id"),
    checks=(Constraint("has_an_origin", "from_log OR from_judgment OR from_retrieval"),),
    cluster_by=("run_date", "query_id"),
)

QUERY_FEATURES = Table(
    name="query_features",
    grain="one row per query and as-of day",
    columns=(
        *declare_required(
            [*_DATES, ("query_id", "string", "query"), ("region", "string", "region")]
        ),
        *feature_columns(QUERY_LEVEL),
        *OWN,
    ),
    key=("run_date", "as_of_date", "query_id"),
    cluster_by=("run_date", "as_of_date"),
)

ITEM_FEATURES = Table(
    name="item_features",
    grain="one row per item, region and as-of day",
    columns=(
        *declare_required([*_DATES, ("item_id", "string", "item"), ("region", "string", "region")]),
        *feature_columns(ITEM_LEVEL),
        *OWN,
    ),
    key=("run_date", "as_of_date", "item_id", "region"),
    cluster_by=("run_date", "as_of_date"),
)

QUERY_ITEM_FEATURES = Table(
    name="query_item_features",
    grain="one row per query, item and as-of day",
    columns=(
        *declare_required(
            [*_DATES, ("query_id", "string", "query"), ("item_id", "string", "item")]
        ),
        *feature_columns(PAIR_LEVEL),
        *OWN,
    ),
    key=("run_date", "as_of_date", "query_id", "item_id"),
    cluster_by=("run_date", "as_of_date"),
)
