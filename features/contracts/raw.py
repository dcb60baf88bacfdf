"""The raw tables that `ingest` writes, the quarantine, and the simulator's planted truth."""

from features.contracts.table import Constraint, Table, declare_optional, declare_required

_DATASET = ("dataset", "string", "source adapter that the row came through")

ITEMS = Table(
    name="items",
    grain="one row per item of the catalogue",
    columns=(
        *declare_required(
            [
                ("item_id", "string", "item"),
                ("title", "string", "title as the seller wrote it"),
            ]
        ),
        *declare_optional(
            [
                ("price", "double", "current price, in the market's currency; null: not given"),
                ("description", "string", "longer text"),
                ("brand", "string", "brand"),
                ("item_type", "string", "type or category"),
                ("colour", "string", "colour"),
                ("size", "string", "size"),
                ("material", "string", "material"),
                ("listed_on", "date", "first day on sale"),
            ]
        ),
        *declare_required(
            [_DATASET, ("simulated", "boolean", "price or item itself is simulated")]
        ),
    ),
    key=("item_id",),
    checks=(Constraint("price_positive", "price IS NULL OR (price > 0 AND price < 1e12)"),),
    cluster_by=("item_id",),
)

QUERIES = Table(
    name="queries",
    grain="one row per query: a text in a region",
    columns=declare_required(
        [
            ("query_id", "string", "query: text and region"),
            ("query_text", "string", "text as the shopper typed it"),
            ("region", "string", "region"),
            ("bucket", "int", "crc32(lower(trim(query_text))) % split.buckets"),
            _DATASET,
            ("simulated", "boolean", "the text is simulated"),
        ]
    ),
    key=("query_id",),
    checks=(Constraint("bucket_not_negative", "bucket >= 0"),),
    cluster_by=("query_id",),
)

IMPRESSIONS = Table(
    name="impressions",
    grain="one row per item shown on a result page",
    columns=(
        *declare_required(
            [
                ("search_id", "string", "one result page shown"),
                ("query_id", "string", "query of the page"),
                ("item_id", "string", "item shown"),
                ("region", "string", "region of the shopper"),
                ("position", "int", "rank on the page, from 1"),
                ("event_time", "timestamp", "when the page was shown (UTC)"),
                ("known_at", "timestamp", "when the row first reached the log (UTC)"),
                ("event_date", "date", "day of event_time (UTC)"),
                ("price", "double", "price shown"),
                ("clicked", "boolean", "clicked"),
                ("carted", "boolean", "put into the cart"),
                ("purchased", "boolean", "bought"),
            ]
        ),
        *declare_optional(
            [
                ("carted_at", "timestamp", "when it was put into the cart; null: with the page"),
                ("purchased_at", "timestamp", "when it was bought; null: with the page"),
                ("propensity", "double", "probability that the logger put this item here"),
                ("clicked_known_at", "timestamp", "when the click was first known (UTC)"),
                ("carted_known_at", "timestamp", "when the cart was first known (UTC)"),
                ("purchased_known_at", "timestamp", "when the purchase was first known (UTC)"),
            ]
        ),
        *declare_required([_DATASET, ("simulated", "boolean", "the engagement is simulated")]),
    ),
    key=("search_id", "item_id"),
    checks=(
        Constraint("position_from_one", "position >= 1"),
        Constraint("price_shown_positive", "price > 0 AND price < 1e12"),
        Constraint("known_not_before_event", "known_at >= event_time"),
        Constraint(
            "propensity_in_unit", "propensity IS NULL OR (propensity > 0 AND propensity <= 1)"
        ),
    ),
    cluster_by=("event_date", "query_id"),
)

JUDGMENTS = Table(
    name="judgments",
    grain="one row per judged query and item, and source of the grade",
    columns=(
        *declare_required(
            [
                ("query_id", "string", "query"),
                ("item_id", "string", "item"),
                ("source", "string", "human, or assumed (a filler taken as irrelevant)"),
                ("grade", "int", "0 irrelevant, 1 moderately relevant, 2 highly relevant"),
            ]
        ),
        *declare_optional(
            [
                ("rating", "double", "rating on the source's own scale"),
                ("judged_at", "timestamp", "when it was judged (UTC)"),
            ]
        ),
        *declare_required(
            [_DATASET, ("simulated", "boolean", "the grade is simulated or assumed")]
        ),
    ),
    key=("query_id", "item_id", "source"),
    checks=(
        Constraint("grade_in_range", "grade IN (0, 1, 2)"),
        Constraint("source_known", "source IN ('human', 'assumed')"),
    ),
    cluster_by=("query_id",),
)

OWN_VALUES = Table(
    name="own_values",
    grain="one row per own table of conf `features.own`, key and day as of which its values hold",
    columns=declare_required(
        [
            ("dataset", "string", "the table's name in conf `features.own`"),
            ("query", "string", "query_id, or query text in lower case; * where the key has none"),
            ("item_id", "string", "item; * where the key has none"),
            ("region", "string", "region; * where the values hold for all"),
            ("as_of_date", "date", "first day on which the values may be used"),
            ("values", "string", "JSON: value by feature, as text; a blank one is left out"),
        ]
    ),
    key=("dataset", "query", "item_id", "region", "as_of_date"),
    cluster_by=("dataset", "as_of_date"),
)

QUARANTINE = Table(
    name="quarantine",
    grain="one row per raw row that broke a contract",
    columns=declare_required(
        [
            ("run_date", "date", "run that met the row"),
            ("table_name", "string", "table that it was meant for"),
            ("dataset", "string", "source adapter"),
            ("rule", "string", "first rule broken"),
            ("reason", "string", "all that is wrong, in words"),
            (
                "raw_row",
                "string",
                "the row as JSON, or the line as read; long ones cut",
            ),
        ]
    ),
    key=(),
    cluster_by=("run_date", "table_name"),
)

MARKET_TRUTH = Table(
    name="market_truth",
    grain="one row per query and item of the simulated market; no feature or trainer reads it",
    columns=declare_required(
        [
            ("query_id", "string", "query"),
            ("item_id", "string", "item"),
            ("region", "string", "region"),
            ("true_grade", "int", "grade by attribute match"),
            ("true_p_click", "double", "P(click) when shown at position 1"),
            ("true_p_cart", "double", "P(cart) when shown at position 1"),
            ("true_p_purchase", "double", "P(purchase) when shown at position 1"),
        ]
    ),
    key=("query_id", "item_id"),
    checks=(
        Constraint(
            "funnel_order", "true_p_purchase <= true_p_cart AND true_p_cart <= true_p_click"
        ),
    ),
    cluster_by=("query_id",),
)

MARKET_PARAMETERS = Table(
    name="market_parameters",
    grain="one row per planted parameter; no feature or trainer reads it",
    columns=declare_required(
        [
            ("name", "string", "parameter, dotted"),
            ("value", "double", "value"),
            ("meaning", "string", "what it does, with its unit"),
        ]
    ),
    key=("name",),
)
