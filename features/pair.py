"""Features of a query and an item: how well the texts fit, and what became of the pair."""

from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.schema import Conf
from conf.sections.features import LOOK_BACK_DAYS
from features.declarations import PAIR_LEVEL
from features.frame import compute_share, finish_features, to_flag
from features.log.history import ENGAGEMENT, RATES, daily_counts, smooth_rate, sum_windows
from features.text.attributes import item_attributes, query_attributes, three_way
from features.text.bm25 import (
    SCALE,
    build_postings,
    item_weights,
    query_idf,
    score_bm25,
    total_weight,
)
from features.text.head_nouns import item_head, query_head
from features.text.normal_form import (
    extract_trigrams,
    item_text,
    select_numbers,
    split_tokens,
    text_key,
)

WINDOW = LOOK_BACK_DAYS


def pair_features(
    spine: DataFrame,
    queries: DataFrame,
    texts: DataFrame,
    daily: DataFrame,
    priors: DataFrame,
    run_date: date,
    conf: Conf,
) -> DataFrame:
    """Build the query_item_features table of one run.

    Rates are (events + n * m) / (impressions + n) over the pair's 28 days, m the region's rate of
    the same days and n = features.prior_impressions.

    Args:
        spine: query_id, item_id, day.
        queries: rows of the queries table.
        texts: text, item_id and the text features, `pair_cosine` among them; one row per pair.
        daily: query_id, item_id, day and the ENGAGEMENT counts.
        priors: of `prior_rates`.
    """
    keys = ["query_id", "item_id"]
    sums = sum_windows(daily_counts(daily, keys, ENGAGEMENT), spine, keys, ENGAGEMENT, [WINDOW])
    query_keys = queries.select("query_id", "region", text_key(F.col("query_text")).alias("text"))
    return (
        sums.join(query_keys, on="query_id", how="inner")
        .join(texts, on=["text", "item_id"], how="left")
        .join(F.broadcast(priors), on=["day", "region"], how="left")
        .withColumns(_derive_engagement(conf))
        .transform(finish_features, keys, PAIR_LEVEL, run_date)
    )


def query_texts(queries: DataFrame) -> DataFrame:
    """Return text and tokens: one row per distinct query text."""
    return (
        queries.select(text_key(F.col("query_text")).alias("text"))
        .distinct()
        .select("text", split_tokens(F.col("text")).alias("tokens"))
    )


def item_tokens(items: DataFrame) -> DataFrame:
    """Return item_id, and the tokens of title, brand and type."""
    text = item_text(F.col("title"), F.col("brand"), F.col("item_type"))
    return items.select("item_id", split_tokens(text).alias("tokens"))


def text_features(
    pairs: DataFrame, texts: DataFrame, items: DataFrame, words: DataFrame, conf: Conf
) -> DataFrame:
    """Compute how well each distinct (query text, item) fits.

    Args:
        pairs: text, item_id; one row each.
        texts: of `query_texts`.
        items: rows of the items table.
        words: of `item_tokens`; worth persisting, it is read several times.

    Returns:
        text, item_id, and the text features but the cosine.
    """
    return (
        pairs.join(_query_side(texts, items, words), on="text", how="inner")
        .join(_item_side(items, words, conf), on="item_id", how="inner")
        .select(
            "text",
            "item_id",
            score_bm25(F.col("q_terms"), F.col("weights")).alias("pair_bm25"),
            _compute_coverage("q_terms", "i_terms").alias("pair_token_overlap"),
            _compute_coverage("q_trigrams", "i_trigrams").alias("pair_trigram_overlap"),
            to_flag(_holds_all("q_terms", "brand_tokens")).alias("pair_brand_match"),
            three_way(F.col("q_colours"), F.col("colours")).alias("pair_colour_match"),
            three_way(F.col("q_sizes"), F.col("sizes")).alias("pair_size_match"),
            _compute_coverage("q_numbers", "i_terms").alias("pair_number_match"),
            _compute_coverage("i_terms", "q_terms").alias("pair_item_overlap"),
            _compute_idf_coverage("q_terms", "i_terms", "q_idf").alias("pair_idf_overlap"),
            _mean_idf("q_terms", "q_idf").alias("pair_query_idf"),
            to_flag(F.array_contains("q_terms", F.col("head"))).alias("pair_head_match"),
            to_flag((F.col("head") == F.col("q_head")) & (F.col("head") != "")).alias(
                "pair_last_match"
            ),
        )
    )


def _query_side(texts: DataFrame, items: DataFrame, words: DataFrame) -> DataFrame:
    typed = F.col("tokens")
    lexical = query_attributes(texts, items).select(
        "text",
        F.array_distinct(typed).alias("q_terms"),
        extract_trigrams(typed).alias("q_trigrams"),
        select_numbers(typed).alias("q_numbers"),
        query_head(typed).alias("q_head"),
        F.col("colours").alias("q_colours"),
        F.col("sizes").alias("q_sizes"),
    )
    idf = query_idf(texts, words).select("text", F.col("idf").alias("q_idf"))
    return lexical.join(idf, on="text", how="left")


def _item_side(items: DataFrame, words: DataFrame, conf: Conf) -> DataFrame:
    lexical = words.select(
        "item_id",
        F.array_distinct("tokens").alias("i_terms"),
        extract_trigrams(F.col("tokens")).alias("i_trigrams"),
    )
    weights = item_weights(build_postings(words, conf))
    heads = items.select("item_id", item_head(F.col("title"), F.col("item_type")).alias("head"))
    return (
        lexical.join(item_attributes(items), on="item_id", how="inner")
        .join(heads, on="item_id", how="inner")
        .join(weights, on="item_id", how="left")
    )


def _compute_coverage(query_side: str, item_side: str) -> Column:
    """Compute the share of the query's elements that the item has (fraction); 0 where there are
    none.
    """
    return compute_share(F.array_intersect(query_side, item_side), F.col(query_side))


def _compute_idf_coverage(query_side: str, item_side: str, idf: str) -> Column:
    """Compute the share of the idf of the query's terms that the item has (fraction); 0 without
    terms.
    """
    shared = total_weight(F.array_intersect(query_side, item_side), F.col(idf))
    total = total_weight(F.col(query_side), F.col(idf))
    return F.when(total > 0, shared / total).otherwise(F.lit(0.0))


def _mean_idf(query_side: str, idf: str) -> Column:
    """Compute the mean idf of the query's terms; 0 without terms."""
    terms = F.col(query_side)
    mean = total_weight(terms, F.col(idf)) / (SCALE * F.size(terms))
    return F.when(F.size(terms) > 0, mean).otherwise(F.lit(0.0))


def _holds_all(query_side: str, item_side: str) -> Column:
    """Return whether the query holds every token of a non-empty item array."""
    missing = F.array_except(item_side, query_side)
    return (F.size(item_side) > 0) & (F.size(missing) == 0)


def _derive_engagement(conf: Conf) -> dict[str, Column]:
    """Derive counts and rates of the pair from the columns of its joined history and priors."""
    shown = F.col("impressions_28d")
    rates = {
        f"pair_{rate}_28d": smooth_rate(F.col(f"{what}_28d"), shown, F.col(f"prior_{rate}"), conf)
        for rate, what in RATES
    }
    return {"pair_impressions_28d": F.log1p("impressions_28d"), **rates}
