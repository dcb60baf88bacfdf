"""Every Delta table of Counterpoise: schema, key, constraints, comments, clustering."""

from features.contracts.audit import (
    JUDGMENT_SAMPLE,
    LABEL_AUDIT,
    RATER_ANSWERS,
    RESOLVED_JUDGMENTS,
)
from features.contracts.feature_tables import (
    CANDIDATES,
    ITEM_FEATURES,
    QUERY_FEATURES,
    QUERY_ITEM_FEATURES,
    TEXT_EMBEDDINGS,
)
from features.contracts.raw import (
    IMPRESSIONS,
    ITEMS,
    JUDGMENTS,
    MARKET_PARAMETERS,
    MARKET_TRUTH,
    QUARANTINE,
    QUERIES,
)
from features.contracts.scored import (
    EXAMPLE_SCORES,
    MARKET_CHECKS,
    METRICS,
    SCORES,
    VALUE_CURVE,
    VALUE_WEIGHTS,
)
from features.contracts.table import Check, Column, Table
from features.contracts.training import RELEVANCE_LABELS, SCORING_ROWS, TRAINING_EXAMPLES

ALL_TABLES: tuple[Table, ...] = (
    ITEMS,
    QUERIES,
    IMPRESSIONS,
    JUDGMENTS,
    QUARANTINE,
    MARKET_TRUTH,
    MARKET_PARAMETERS,
    TEXT_EMBEDDINGS,
    CANDIDATES,
    QUERY_FEATURES,
    ITEM_FEATURES,
    QUERY_ITEM_FEATURES,
    RELEVANCE_LABELS,
    LABEL_AUDIT,
    JUDGMENT_SAMPLE,
    RATER_ANSWERS,
    RESOLVED_JUDGMENTS,
    TRAINING_EXAMPLES,
    SCORING_ROWS,
    EXAMPLE_SCORES,
    VALUE_CURVE,
    VALUE_WEIGHTS,
    SCORES,
    METRICS,
    MARKET_CHECKS,
)

__all__ = [
    "ALL_TABLES",
    "CANDIDATES",
    "EXAMPLE_SCORES",
    "IMPRESSIONS",
    "ITEMS",
    "ITEM_FEATURES",
    "JUDGMENTS",
    "JUDGMENT_SAMPLE",
    "LABEL_AUDIT",
    "MARKET_CHECKS",
    "MARKET_PARAMETERS",
    "MARKET_TRUTH",
    "METRICS",
    "QUARANTINE",
    "QUERIES",
    "QUERY_FEATURES",
    "QUERY_ITEM_FEATURES",
    "RATER_ANSWERS",
    "RELEVANCE_LABELS",
    "RESOLVED_JUDGMENTS",
    "SCORES",
    "SCORING_ROWS",
    "TEXT_EMBEDDINGS",
    "TRAINING_EXAMPLES",
    "VALUE_CURVE",
    "VALUE_WEIGHTS",
    "Check",
    "Column",
    "Table",
]
