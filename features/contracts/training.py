"""Labels, training examples and the packed rows that scoring reads."""

from features.contracts.feature_tables import OWN, feature_columns
from features.contracts.table import Constraint, Table, declare_optional, declare_required
from features.declarations import FEATURES

TASKS = ("click", "cart", "purchase")
"""Steps of engagement, in the order of the funnel."""

RELEVANCE_LABELS = Table(
    name="relevance_labels",
    grain="one row per query, item, source and labeler version",
    columns=(
        *declare_required(
            [
                ("query_id", "string", "query"),
                ("item_id", "string", "item"),
                (
                    "source",
                    "string",
                    "human, llm (a language model), model (another labeler) or assumed",
                ),
                ("labeler_version", "string", "version of the labeler; the data set for humans"),
                ("grade", "int", "0 irrelevant, 1 moderately relevant, 2 highly relevant"),
                ("p_ge_1", "double", "P(grade >= 1)"),
                ("p_ge_2", "double", "P(grade >= 2)"),
            ]
        ),
        *declare_optional(
            [
                ("prompt_hash", "string", "hash of the prompt; null for humans"),
                ("labelled_at", "timestamp", "when it was labelled (UTC)"),
            ]
        ),
        *declare_required([("simulated", "boolean", "the grade is simulated or assumed")]),
    ),
    key=("query_id", "item_id", "source", "labeler_version"),
    checks=(
        Constraint("grade_in_range", "grade IN (0, 1, 2)"),
        Constraint("probabilities_ordered", "0 <= p_ge_2 AND p_ge_2 <= p_ge_1 AND p_ge_1 <= 1"),
        Constraint("source_known", "source IN ('human', 'llm', 'model', 'assumed')"),
    ),
    cluster_by=("query_id",),
)

LABEL_COLUMNS = (
    ("label_click", "float", "1 clicked"),
    ("mask_click", "float", "1 where label_click is known"),
    ("label_cart", "float", "1 put into the cart within the attribution window"),
    ("mask_cart", "float", "1 where label_cart is known"),
    ("label_purchase", "float", "1 bought within the attribution window"),
    ("mask_purchase", "float", "1 where label_purchase is known"),
    ("label_ge_1", "float", "P(grade >= 1) of the label"),
    ("label_ge_2", "float", "P(grade >= 2) of the label"),
    ("mask_relevance", "float", "1 where a relevance label is known"),
    (
        "weight_relevance",
        "float",
        "weight of the relevance label, by source and version; of a negative by its kind",
    ),
)

TRAINING_EXAMPLES = Table(
    name="training_examples",
    grain="one row per impression, and per labelled pair or negative that was never shown",
    columns=(
        *declare_required(
            [
                ("run_date", "date", "run that made the row"),
                ("split", "string", "train, validation or test, by the query's bucket"),
                ("example_id", "string", "search_id|item_id, or query_id|item_id if never shown"),
                ("query_id", "string", "query"),
                ("item_id", "string", "item"),
                ("region", "string", "region"),
                ("as_of_date", "date", "day of the features"),
                ("position", "float", "rank on the page, from 1; 0 never shown"),
                ("simulated_engagement", "boolean", "engagement labels are simulated"),
            ]
        ),
        *declare_optional(
            [
                ("search_id", "string", "result page; null if never shown"),
                ("propensity", "double", "probability that the logger put this item here"),
                (
                    "label_source",
                    "string",
                    "source of the relevance label; negative: nobody graded the pair",
                ),
                ("grade", "int", "grade of the relevance label"),
                (
                    "labeler_version",
                    "string",
                    "version of the relevance label's labeler; of a negative its kind",
                ),
                ("label_admitted", "boolean", "the last decision on that version admits it"),
            ]
        ),
        *declare_required(LABEL_COLUMNS),
        *feature_columns(FEATURES),
        *OWN,
    ),
    key=("run_date", "example_id"),
    checks=(
        Constraint("split_known", "split IN ('train', 'validation', 'test')"),
        Constraint("labels_ordered", "label_ge_2 <= label_ge_1"),
        Constraint(
            "labeler_admitted",
            "label_source IS NULL OR label_source NOT IN ('llm', 'model') "
            "OR coalesce(label_admitted, false)",
        ),
    ),
    cluster_by=("run_date", "split"),
)

SCORING_ROWS = Table(
    name="scoring_rows",
    grain="one row per query, its candidates and their features as arrays",
    columns=declare_required(
        [
            ("run_date", "date", "run that made the row"),
            ("query_id", "string", "query"),
            ("region", "string", "region"),
            ("item_ids", "array<string>", "candidates"),
            ("query_values", "array<float>", "query features, in the declared order"),
            (
                "candidate_values",
                "array<float>",
                "item then query-item features of each candidate, one candidate after the other",
            ),
        ]
    ),
    key=("run_date", "query_id"),
    cluster_by=("run_date",),
)
