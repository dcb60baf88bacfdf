"""BM25 over the catalogue and top-k retrieval from an inverted index.

BM25 (Robertson and Zaragoza 2009), for a query q and an item d of `length` tokens:
    sum over distinct terms t of q of  idf(t) * tf * (k1 + 1) / (tf + k1 * (1 - b + b * length/avg))
    idf(t) = ln(1 + (N - df + 0.5) / (df + 0.5))
A term's weight in an item depends on the item alone, so the index keeps the weight. Weights are
rounded to `SCALE` and summed as whole numbers: a score never depends on the order of a sum, nor
do ties.
"""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from conf.schema import Conf

SCALE = 1_000_000
"""Weights are stored as whole millionths, whose sums are exact in any order."""
ROWS_PER_TASK = 1_000_000
"""Joined rows of a chunk of a term, about (count): seconds of work, and far below a task's
memory."""


def build_postings(items: DataFrame, conf: Conf) -> DataFrame:
    """Build the inverted index: one row per term and item.

    Args:
        items: item_id, tokens (array<string>).

    Returns:
        term, item_id, df (items with the term, count), weight (long, BM25 weight * SCALE).
    """
    catalogue = items.agg(
        F.count("*").alias("items"), F.avg(F.size("tokens")).alias("average_length")
    )
    length = F.size("tokens").alias("length")
    others = F.size(F.array_remove("tokens", F.col("term")))  # no lambda: Spark interprets those
    occurrences = items.select(
        "item_id", "tokens", length, F.explode(F.array_distinct("tokens")).alias("term")
    ).select("item_id", "length", "term", (F.col("length") - others).alias("tf"))
    frequencies = occurrences.groupBy("term").agg(F.count("*").alias("df"))
    return (
        occurrences.join(frequencies, on="term", how="inner")
        .join(F.broadcast(catalogue), how="cross")
        .select("term", "item_id", "df", _compute_weight(conf).alias("weight"))
    )


def rank_terms(texts: DataFrame, postings: DataFrame, conf: Conf) -> DataFrame:
    """Rank the terms of each text that the catalogue knows, and mark those that generate items.

    The work of a text is bounded: its terms generate items from the rarest on, as long as their
    postings together stay within `candidates.max_postings`; the rarest always generates.

    Args:
        texts: text, terms (array<string>, distinct); one row per text.
        postings: of `build_postings`; worth persisting, it is read several times.

    Returns:
        text, term, df, generates (boolean).
    """
    frequencies = postings.groupBy("term").agg(F.first("df").alias("df"))
    rarest_first = Window.partitionBy("text").orderBy("df", "term")
    so_far = rarest_first.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    within = F.sum("df").over(so_far) <= conf.candidates.max_postings
    return (
        texts.select("text", F.explode("terms").alias("term"))
        .join(frequencies, on="term", how="inner")
        .withColumn("generates", within | (F.row_number().over(rarest_first) == 1))
    )


def retrieve_items(ranked: DataFrame, postings: DataFrame, conf: Conf) -> DataFrame:
    """Retrieve the best items of each query text by BM25.

    Generating terms find items (a head term only those of its heaviest postings); the other terms
    only add to the scores of items that were found.

    Args:
        ranked: of `rank_terms`; worth persisting, it is read several times.
        postings: of `build_postings`; worth persisting, too.

    Returns:
        text, item_id: at most `candidates.retrieved` items per text; ties by a hash of both.
    """
    generated = _generate_items(ranked.where("generates"), postings, conf.candidates.max_postings)
    best = _take_best(generated, conf.candidates.retrieved * conf.candidates.rescored)
    full = _rescore_items(best, ranked.where(~F.col("generates")), postings)
    return _take_best(full, conf.candidates.retrieved).select("text", "item_id")


def _compute_weight(conf: Conf) -> Column:
    k1, b = conf.features.bm25_k1, conf.features.bm25_b
    length = F.lit(1 - b) + b * F.col("length") / F.col("average_length")
    saturation = F.col("tf") * (k1 + 1) / (F.col("tf") + k1 * length)
    return _scale_weight(_compute_idf(F.col("df")) * saturation)


def _compute_idf(df: Column) -> Column:
    return F.log1p((F.col("items") - df + 0.5) / (df + 0.5))


def _scale_weight(value: Column) -> Column:
    return F.round(value * SCALE).cast("long")


def _generate_items(terms: DataFrame, postings: DataFrame, max_postings: int) -> DataFrame:
    """Return text, item_id and score over the generating terms.

    A term that many texts share is split by item into chunks of about ROWS_PER_TASK joined rows, so
    that no single task meets all of it.
    """
    usable = F.least(F.col("df"), F.lit(max_postings))
    used = (
        terms.groupBy("term")
        .agg(F.count("*").alias("texts"), F.first("df").alias("df"))
        .select("term", F.ceil(F.col("texts") * usable / ROWS_PER_TASK).cast("int").alias("chunks"))
    )
    wanted = (
        terms.join(used, on="term", how="inner")
        .withColumn("chunk", F.explode(F.sequence(F.lit(0), F.col("chunks") - 1)))
        .select("text", "term", "chunk")
    )
    offered = (
        _usable_postings(postings.join(used, on="term", how="inner"), max_postings)
        .withColumn("chunk", F.pmod(F.xxhash64("item_id"), F.col("chunks")).cast("int"))
        .select("term", "chunk", "item_id", "weight")
    )
    # One shuffle by text serves the sum and the top-k; a text's rows are bounded.
    return (
        wanted.join(offered, on=["term", "chunk"], how="inner")
        .repartition("text")
        .groupBy("text", "item_id")
        .agg(F.sum("weight").alias("score"))
    )


def _usable_postings(postings: DataFrame, max_postings: int) -> DataFrame:
    """Keep all postings of an ordinary term, and the heaviest `max_postings` of a head term."""
    heaviest = Window.partitionBy("term").orderBy(F.desc("weight"), "item_id")
    head = F.col("df") > max_postings
    cut = (
        postings.where(head)
        .withColumn("place", F.row_number().over(heaviest))
        .where(F.col("place") <= max_postings)
        .drop("place")
    )
    return postings.where(~head).unionByName(cut)


def _rescore_items(generated: DataFrame, others: DataFrame, postings: DataFrame) -> DataFrame:
    """Add the weights of the terms that did not generate."""
    by_text = others.groupBy("text").agg(F.collect_list("term").alias("others"))
    return (
        generated.join(by_text, on="text", how="left")
        .select("text", "item_id", "score", F.explode_outer("others").alias("term"))
        .join(postings.select("term", "item_id", "weight"), on=["term", "item_id"], how="left")
        .groupBy("text", "item_id")
        .agg((F.first("score") + F.coalesce(F.sum("weight"), F.lit(0))).alias("score"))
    )


def _take_best(scored: DataFrame, k: int) -> DataFrame:
    """Take the k best items of each text."""
    best = Window.partitionBy("text").orderBy(
        F.desc("score"), F.xxhash64("text", "item_id"), "item_id"
    )
    return (
        scored.withColumn("place", F.row_number().over(best))
        .where(F.col("place") <= k)
        .drop("place")
    )
