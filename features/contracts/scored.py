"""Predictions, value weights, scores and metrics."""

from features.contracts.table import Constraint, Table, declare_optional, declare_required

_PROBABILITIES = (
    ("p_click", "float", "calibrated P(click) when shown at position 1"),
    ("p_cart", "float", "calibrated P(cart) when shown at position 1"),
    ("p_purchase", "float", "calibrated P(purchase) when shown at position 1"),
    ("p_ge_1", "float", "P(grade >= 1)"),
    ("p_ge_2", "float", "P(grade >= 2)"),
    ("relevance", "float", "p_ge_1 + p_ge_2, the expected grade"),
)
_ORDERED = Constraint("grades_ordered", "p_ge_2 <= p_ge_1")

EXAMPLE_SCORES = Table(
    name="example_scores",
    grain="one row per validation or test example, with the model's predictions",
    columns=(
        *declare_required(
            [
                ("run_date", "date", "run that made the row"),
                ("split", "string", "validation or test"),
                ("example_id", "string", "as in training_examples"),
                ("query_id", "string", "query"),
                ("item_id", "string", "item"),
                ("region", "string", "region"),
                ("position", "float", "rank on the page, from 1; 0 never shown"),
                ("label_click", "float", "1 clicked"),
                ("mask_click", "float", "1 where known"),
                ("label_cart", "float", "1 put into the cart"),
                ("mask_cart", "float", "1 where known"),
                ("label_purchase", "float", "1 bought"),
                ("mask_purchase", "float", "1 where known"),
                ("simulated_engagement", "boolean", "engagement labels are simulated"),
            ]
        ),
        *declare_optional(
            [
                ("search_id", "string", "result page; null if never shown"),
                ("propensity", "double", "probability that the logger put this item here"),
                ("grade", "int", "grade of the relevance label"),
                ("label_source", "string", "source of the relevance label"),
            ]
        ),
        *declare_required(_PROBABILITIES),
        *declare_required(
            [
                ("bm25", "float", "baseline: pair_bm25"),
                ("popularity", "float", "baseline: item_region_popularity"),
                ("model_version", "string", "model that predicted"),
            ]
        ),
    ),
    key=("run_date", "example_id"),
    checks=(_ORDERED,),
    cluster_by=("run_date", "split"),
)

_WEIGHTS = (
    ("w_click", "double", "weight of p_click"),
    ("w_cart", "double", "weight of p_cart"),
    ("w_purchase", "double", "weight of p_purchase"),
    ("w_relevance", "double", "weight of relevance / 2"),
)

VALUE_CURVE = Table(
    name="value_curve",
    grain="one row per region and relevance weight tried on validation queries",
    columns=(
        *declare_required(
            [
                ("run_date", "date", "run that made the row"),
                ("region", "string", "region, or all"),
                *_WEIGHTS,
                ("relevance_queries", "long", "validation queries behind relevance_ndcg"),
                ("engagement_queries", "long", "validation queries behind engagement"),
                ("currency", "string", "yardstick of engagement: off_policy, debiased or logged"),
                ("picked", "boolean", "chosen by the rule for this region"),
                ("rule", "string", "rule in words, and whose pick the region takes"),
                ("relevance_labels", "string", "human, or all: what relevance_ndcg is taken over"),
                ("model_version", "string", "model that predicted"),
                ("simulated_engagement", "boolean", "engagement labels are simulated"),
            ]
        ),
        *declare_optional(
            [
                ("relevance_ndcg", "double", "relevance NDCG@k, gain 2^g - 1; null: no query"),
                ("relevance_low", "double", "lower end of its interval"),
                ("relevance_high", "double", "upper end of its interval"),
                ("engagement_ndcg", "double", "engagement@k in the currency; null: no query"),
                ("engagement_low", "double", "lower end of its interval"),
                ("engagement_high", "double", "upper end of its interval"),
                (
                    "engagement_kept",
                    "double",
                    "engagement over that of the smallest weight, as the rule takes it",
                ),
                (
                    "engagement_kept_by",
                    "string",
                    "who says so: log (the currency), or ranker (its own p)",
                ),
            ]
        ),
    ),
    key=("run_date", "region", "w_relevance"),
    cluster_by=("run_date",),
)

VALUE_WEIGHTS = Table(
    name="value_weights",
    grain="one row per region: the weights that tuning gives; in force unless others are adopted",
    columns=declare_required(
        [
            ("run_date", "date", "run that made the row"),
            ("region", "string", "region"),
            *_WEIGHTS,
            ("weights_version", "string", "hash of the weights of all regions"),
            ("origin", "string", "conf or tuned"),
        ]
    ),
    key=("run_date", "region"),
    cluster_by=("run_date",),
)

SCORES = Table(
    name="scores",
    grain="one row per query and candidate item",
    columns=declare_required(
        [
            ("run_date", "date", "run that made the row"),
            ("query_id", "string", "query"),
            ("region", "string", "region"),
            ("item_id", "string", "item"),
            *_PROBABILITIES,
            ("value", "float", "sum_t w_t p_t + w_rel * relevance / 2"),
            ("rank", "int", "rank by value within the query, from 1"),
            ("model_version", "string", "model that predicted"),
            ("weights_version", "string", "weights that ranked"),
        ]
    ),
    key=("run_date", "query_id", "item_id"),
    checks=(_ORDERED, Constraint("rank_from_one", "rank >= 1")),
    cluster_by=("run_date", "query_id"),
)

METRICS = Table(
    name="metrics",
    grain="one row per ranker, metric and region on test queries",
    columns=(
        *declare_required(
            [
                ("run_date", "date", "run that made the row"),
                ("split", "string", "test"),
                ("ranker", "string", "joint, engagement_only, ..., or model: no ranking"),
                ("metric", "string", "name with its cut-off and gain"),
                ("region", "string", "region, or all"),
                ("value", "double", "mean over queries, ratio of sums, or the pooled figure"),
                ("queries", "long", "queries behind it"),
                ("seed", "long", "seed of the bootstrap"),
                ("simulated", "boolean", "rests on simulated engagement"),
                ("model_version", "string", "model that predicted"),
            ]
        ),
        *declare_optional(
            [
                ("low", "double", "lower end of the interval; null: too few queries for one"),
                ("high", "double", "upper end of the interval"),
                ("reference", "string", "ranker that the difference is taken from"),
                ("difference", "double", "paired difference from the reference"),
                ("difference_low", "double", "lower end of its interval"),
                ("difference_high", "double", "upper end of its interval"),
            ]
        ),
    ),
    key=("run_date", "ranker", "metric", "region"),
    cluster_by=("run_date",),
)

MARKET_CHECKS = Table(
    name="market_checks",
    grain="one row per comparison of predictions with the planted truth of a simulated market",
    columns=(
        *declare_required(
            [
                ("run_date", "date", "run that made the row"),
                ("queries", "string", "test (never trained on) or all"),
                ("region", "string", "region, or all"),
                ("check", "string", "what is compared, e.g. p_click.spearman"),
                ("value", "double", "the figure"),
                ("rows", "long", "pairs or queries behind it"),
                ("meaning", "string", "how to read it"),
            ]
        ),
        *declare_optional([("passed", "boolean", "for a yes-or-no check")]),
    ),
    key=("run_date", "queries", "region", "check"),
    cluster_by=("run_date",),
)
