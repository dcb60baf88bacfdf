"""The features of the ranker, in the order in which the model sees them."""

from dataclasses import replace

from conf.schema import Conf
from conf.sections.features import LOOK_BACK_DAYS
from features.own.declared import declare_own
from features.spec import Feature

WINDOWS = (1, 7, LOOK_BACK_DAYS)
COLUMNS_BESIDE = (
    *("run_date", "split", "example_id", "query_id", "item_id", "region", "as_of_date", "position"),
    *("search_id", "propensity", "label_source", "grade", "labeler_version", "label_admitted"),
    *(
        "simulated_engagement",
        "own",
        "as_of",
        "query_text",
        "day",
        "hash",
        "hash_range",
        "place",
        "file",
    ),
    *(f"{kind}_{task}" for kind in ("label", "mask") for task in ("click", "cart", "purchase")),
    *("label_ge_1", "label_ge_2", "mask_relevance", "weight_relevance"),
    *("page_high", "page_low", "list_high", "list_low"),
    *("missing_query", "missing_item", "missing_query_item"),
    *("p_click", "p_cart", "p_purchase", "p_ge_1", "p_ge_2", "relevance", "value", "rank"),
    *("bm25", "popularity", "model_version", "rows", "others", "candidate_values", "query_values"),
)
"""Columns that stand beside the features in examples, snapshots and scores: no feature's name."""

QUERY_TEXT_LEVEL: tuple[Feature, ...] = (
    Feature(
        "region_index",
        "query",
        "position of the region in conf `regions`, from 1; 0 unknown",
        kind="category",
        regional=True,
    ),
    Feature("query_chars", "query", "length of the query text (characters)"),
    Feature("query_tokens", "query", "tokens of the query text (count)"),
    Feature("query_has_number", "query", "1 where a token holds a digit"),
    Feature(
        "query_has_size", "query", "1 where the text holds a number with a unit or several numbers"
    ),
)
"""What a query says, and where it was asked; the log has no part in it."""

QUERY_LEVEL: tuple[Feature, ...] = (
    *QUERY_TEXT_LEVEL,
    Feature(
        "query_traffic_28d",
        "query",
        "log1p of result pages in 28 days",
        regional=True,
        exposure=True,
    ),
    Feature("query_type_entropy", "query", "entropy of clicks over item types, 28 days (nats)"),
    Feature("query_ctr_28d", "query", "smoothed clicks per impression, 28 days", regional=True),
    Feature(
        "query_cart_rate_28d", "query", "smoothed carts per impression, 28 days", regional=True
    ),
    Feature(
        "query_purchase_rate_28d",
        "query",
        "smoothed purchases per impression, 28 days",
        regional=True,
    ),
)

_COUNTS = tuple(
    Feature(
        f"item_{what}_{days}d",
        "item",
        f"log1p of {what} in {days} days, all regions",
        exposure=what == "impressions",
    )
    for what in ("impressions", "clicks", "carts", "purchases")
    for days in WINDOWS
)
_RATES = tuple(
    Feature(f"item_{rate}_{days}d", "item", f"smoothed {meaning} per impression, {days} days")
    for rate, meaning in (("ctr", "clicks"), ("cart_rate", "carts"), ("purchase_rate", "purchases"))
    for days in WINDOWS
)

ITEM_LEVEL: tuple[Feature, ...] = (
    Feature("item_brand", "item", "hashed brand; 0 unknown", kind="category"),
    Feature("item_type", "item", "hashed item type; 0 unknown", kind="category"),
    Feature("item_log_price", "item", "log of the price", regional=True),
    Feature(
        "item_price_percentile",
        "item",
        "price percentile within item type and region (fraction)",
        default=0.5,
        regional=True,
    ),
    Feature("item_price_vs_median", "item", "log of price over the region's median", regional=True),
    Feature("item_age_days", "item", "log1p of days on sale"),
    Feature("item_title_chars", "item", "length of the title (characters)"),
    *_COUNTS,
    *_RATES,
    Feature("item_debiased_ctr_28d", "item", "clicks over examinations expected at the positions"),
    Feature(
        "item_region_popularity",
        "item",
        "log1p of clicks, carts and purchases in the region, 28 days",
        regional=True,
    ),
    Feature("item_region_ctr_28d", "item", "smoothed click rate in the region", regional=True),
)

FIT_LEVEL: tuple[Feature, ...] = (
    Feature("pair_bm25", "query_item", "BM25 of the query over the catalogue's titles and brands"),
    Feature(
        "pair_token_overlap", "query_item", "share of query tokens in the item's text (fraction)"
    ),
    Feature("pair_trigram_overlap", "query_item", "share of query character trigrams (fraction)"),
    Feature("pair_cosine", "query_item", "cosine of the text embeddings"),
    Feature("pair_brand_match", "query_item", "1 where the query names the item's brand"),
    Feature("pair_colour_match", "query_item", "1 same colour, -1 another colour, 0 none named"),
    Feature("pair_size_match", "query_item", "1 same size, -1 another size, 0 none named"),
    Feature("pair_number_match", "query_item", "share of the query's numbers in the text; 0 none"),
    Feature(
        "pair_item_overlap", "query_item", "share of the item's tokens in the query (fraction)"
    ),
    Feature(
        "pair_idf_overlap",
        "query_item",
        "share of the query's idf that the item's text has (fraction)",
    ),
    Feature("pair_query_idf", "query_item", "mean BM25 idf of the query's tokens"),
    Feature("pair_head_match", "query_item", "1 where the query names the item's head noun"),
    Feature(
        "pair_last_match", "query_item", "1 where the query's last word is the item's head noun"
    ),
)
"""How well the texts of a query and an item fit; the log has no part in it."""

PAIR_LEVEL: tuple[Feature, ...] = (
    *FIT_LEVEL,
    Feature(
        "pair_impressions_28d",
        "query_item",
        "log1p of impressions of the pair",
        regional=True,
        exposure=True,
    ),
    Feature("pair_ctr_28d", "query_item", "smoothed click rate of the pair", regional=True),
    Feature("pair_cart_rate_28d", "query_item", "smoothed cart rate of the pair", regional=True),
    Feature(
        "pair_purchase_rate_28d", "query_item", "smoothed purchase rate of the pair", regional=True
    ),
)

FEATURES: tuple[Feature, ...] = (*QUERY_LEVEL, *ITEM_LEVEL, *PAIR_LEVEL)


def declare_features(conf: Conf) -> tuple[Feature, ...]:
    """The declarations with the sizes of the categories filled in from conf; own features last."""
    sizes = {"region_index": len(conf.regions) + 1}
    ours = tuple(
        replace(f, buckets=sizes.get(f.name, conf.features.hash_buckets))
        if f.kind == "category"
        else f
        for f in FEATURES
    )
    return ours + declare_own_features(conf)


def declare_own_features(conf: Conf) -> tuple[Feature, ...]:
    """Declare the features of conf `features.own`.

    Raises:
        OwnFeatureError: a name is taken.
    """
    return declare_own(conf, [*(f.name for f in FEATURES), *COLUMNS_BESIDE])
