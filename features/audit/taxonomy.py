"""Which item types a query is for, from its other items and its text."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.sections.audit import TaxonomyConf
from features.text.texts import SplitTokens


def with_type_evidence(
    units: DataFrame, types: DataFrame, conf: TaxonomyConf, split: SplitTokens
) -> DataFrame:
    """Add item_type, type_share and type_votes to the units.

    A type gets votes of a text from each of its items that has grade 2 (unless its engagement
    contradicts the grade) or was carted, and from the text where it names the type. A unit's own
    item does not vote on it. type_share is the share of the item's type among all votes, type_votes
    their sum; both null where the item has no type, the share also where there is no vote.

    Args:
        units: text_key, item_id, grade, query_text, carts, contradicts.
        types: item_id, item_type.
        split: splits a text into its tokens.
    """
    typed = units.join(types, on="item_id", how="left").withColumn("_own", _weigh_vote(conf))
    voted = typed.where("item_type IS NOT NULL AND _own > 0")
    by_item = voted.groupBy("text_key", "item_type", "item_id").agg(F.max("_own").alias("_item"))
    votes = by_item.groupBy("text_key", "item_type").agg(F.sum("_item").alias("_votes"))
    named = named_types(units, types, split).withColumn("_named", F.lit(conf.text_weight))
    both = votes.join(named, on=["text_key", "item_type"], how="full").select(
        "text_key",
        "item_type",
        (F.coalesce("_votes", F.lit(0.0)) + F.coalesce("_named", F.lit(0.0))).alias("_type"),
    )
    text_votes = both.groupBy("text_key").agg(F.sum("_type").alias("_all"))
    item_votes = by_item.select("text_key", "item_id", "_item")
    counted = (
        typed.drop("_own")
        .join(both, on=["text_key", "item_type"], how="left")
        .join(text_votes, on="text_key", how="left")
        .join(item_votes, on=["text_key", "item_id"], how="left")
        .na.fill(0.0, ["_type", "_all", "_item"])
    )
    others = F.col("_all") - F.col("_item")
    share = F.when(others > 0, (F.col("_type") - F.col("_item")) / others)
    has_type = F.col("item_type").isNotNull()
    return counted.withColumns(
        {"type_share": F.when(has_type, share), "type_votes": F.when(has_type, others)}
    ).drop("_type", "_all", "_item")


def named_types(units: DataFrame, types: DataFrame, split: SplitTokens) -> DataFrame:
    """Return text_key and item_type: the types all of whose words stand in the text.

    Where a text names a type and a longer one that contains its words, as `hose` and `garden hose`,
    the longer one is meant. Types are joined by their last word, so the join grows with the texts.
    """
    last_words = (
        types.where("item_type IS NOT NULL")
        .select("item_type")
        .distinct()
        .withColumn("_parts", split(F.col("item_type")))
        .where(F.size("_parts") > 0)
        .withColumn("_word", F.element_at("_parts", -1))
    )
    texts = units.groupBy("text_key").agg(F.min("query_text").alias("query_text"))
    met = (
        texts.select("text_key", split(F.col("query_text")).alias("_tokens"))
        .withColumn("_word", F.explode(F.array_distinct("_tokens")))
        .join(last_words, on="_word", how="inner")
        .where(F.size(F.array_except("_parts", "_tokens")) == 0)
    )
    longest = met.groupBy("text_key", "_word").agg(F.max(F.size("_parts")).alias("_longest"))
    return (
        met.join(longest, on=["text_key", "_word"], how="inner")
        .where(F.size("_parts") == F.col("_longest"))
        .select("text_key", "item_type")
        .distinct()
    )


def _weigh_vote(conf: TaxonomyConf) -> Column:
    good = (F.col("grade") == 2) & (F.col("contradicts") == 0)
    graded = F.when(good, conf.grade_weight).otherwise(0.0)
    return graded + F.when(F.col("carts") > 0, conf.cart_weight).otherwise(0.0)
