"""Graded pairs as texts: what a labeler is fitted on, chosen on, and judged on.

The query split decides: texts of the training buckets are fitted on, those of the validation
buckets choose (and may join a last fit) or are the gold set, by a hash of the text, and test
buckets are never touched. A text falls on the same side in every region and for every version of
the labeler.
"""

from collections.abc import Sequence
from datetime import date

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from conf.schema import Conf
from features.draws import draw_hash, take_share
from features.labels.grades import split_masses
from features.log.history import visible_log
from features.text.texts import encoder_text, item_title, text_key

Counts = tuple[int, int, int]
Masses = tuple[float, float, float]
FIT, CHOOSE, GOLD = "fit", "choose", "gold"
TEXT_PAIR = ("text_key", "item_key")
"""What makes two pairs of texts the same: the query in lower case, the item as encoders see it."""
_DIGITS = 6
"""Decimal places that are kept, so that the order in which Spark adds does not show."""
_MOST_SHOWN_BAND = 8
"""Pairs shown 256 times or more are one band: further bands would hold few pairs."""


def graded_pairs(labels: DataFrame, queries: DataFrame, items: DataFrame, conf: Conf) -> DataFrame:
    """Return one row per pair that people graded and whose query trains or validates.

    Args:
        labels: rows of relevance_labels; other sources than `human` are left out. Of several human
            labels of a pair the latest counts, as in the training set.
        queries, items: rows of the raw tables.

    Returns:
        query_id, item_id, region, TEXT_PAIR, query_text, item_text, grade, p_ge_1, p_ge_2,
        simulated, role (FIT, CHOOSE or GOLD).
    """
    values = F.struct("grade", "p_ge_1", "p_ge_2", "simulated")
    latest = F.max_by(values, F.struct("labelled_at", "labeler_version"))
    return (
        labels.where("source = 'human'")
        .groupBy("query_id", "item_id")
        .agg(latest.alias("label"))
        .select("query_id", "item_id", "label.*")
        .transform(lambda pairs: _join_texts(pairs, queries, items, conf))
    )


def query_texts(queries: DataFrame) -> DataFrame:
    """Return query_id, region, bucket, query_text, text_key."""
    return queries.select(
        "query_id",
        "region",
        "bucket",
        "query_text",
        text_key(F.col("query_text")).alias("text_key"),
    )


def item_texts(items: DataFrame) -> DataFrame:
    """Return item_id, item_text (title, led by the brand where it lacks it), item_key."""
    text = item_title(F.col("title"), F.col("brand"))
    return items.select("item_id", text.alias("item_text"), encoder_text(text).alias("item_key"))


def distinct_texts(graded: DataFrame) -> DataFrame:
    """Return one row per pair of texts and role, with the mean grade and probabilities of its
    labels.

    Regions that share a pair of texts may grade it differently; a labeler sees only the texts.

    Returns:
        TEXT_PAIR, role, query_text, item_text, grade, p_ge_1, p_ge_2.
    """
    return graded.groupBy(*TEXT_PAIR, "role").agg(
        F.min("query_text").alias("query_text"),
        F.min("item_text").alias("item_text"),
        F.round(F.avg("grade")).cast("int").alias("grade"),
        *(F.round(F.avg(p), _DIGITS).alias(p) for p in ("p_ge_1", "p_ge_2")),
    )


def assumed_texts(
    labels: DataFrame, graded: DataFrame, queries: DataFrame, items: DataFrame, conf: Conf
) -> DataFrame:
    """Return one row per pair of texts that nobody graded and that is assumed irrelevant, of
    training queries.

    Args:
        labels: rows of relevance_labels; those of source `assumed` count, where conf
            `labeling.assumed_share` asks for any.
        graded: of `graded_pairs`.

    Returns:
        The columns of `distinct_texts`; the role is FIT.
    """
    graded_texts = graded.select(*TEXT_PAIR).distinct()
    return (
        labels.where((F.col("source") == "assumed") & F.lit(conf.labeling.assumed_share > 0))
        .select("query_id", "item_id", "grade", "p_ge_1", "p_ge_2")
        .transform(lambda pairs: _join_texts(pairs, queries, items, conf))
        .where(F.col("role") == FIT)
        .transform(distinct_texts)
        .join(graded_texts, on=list(TEXT_PAIR), how="left_anti")
    )


def counts_by_role(texts: DataFrame) -> dict[str, Counts]:
    """Count the pairs of grade 0, 1, 2 of each role."""
    rows = texts.groupBy("role", "grade").count().collect()
    counted = {(str(r["role"]), int(r["grade"])): int(r["count"]) for r in rows}
    return {
        role: (counted.get((role, 0), 0), counted.get((role, 1), 0), counted.get((role, 2), 0))
        for role in (FIT, CHOOSE, GOLD)
    }


def draw_by_grade(texts: DataFrame, quotas: Sequence[int], seed: int) -> DataFrame:
    """Draw so many pairs of grade 0, 1, 2 by hash, in the order of the hash."""
    chance = draw_hash(seed, "labeler/drawn", *TEXT_PAIR)
    parts = [
        texts.where(F.col("grade") == grade).orderBy(chance, *TEXT_PAIR).limit(quota)
        for grade, quota in enumerate(quotas)
    ]
    rows = parts[0].unionByName(parts[1]).unionByName(parts[2])
    return rows.orderBy(chance, *TEXT_PAIR)


def draw_at_most(rows: DataFrame, most: int, seed: int) -> DataFrame:
    """Draw at most so many rows of texts by hash, in the order of the hash."""
    return rows.orderBy(draw_hash(seed, "labeler/sampled", *TEXT_PAIR), *TEXT_PAIR).limit(most)


def data_key(texts: DataFrame) -> str:
    """Hash over the pairs that are fitted and chosen on, whatever their order."""
    row_hash = F.xxhash64(*TEXT_PAIR, "role", "grade", "p_ge_1", "p_ge_2")
    totals = (
        texts.where(F.col("role") != GOLD)
        .agg(F.count("*").alias("n"), F.sum(row_hash.cast("decimal(38,0)")).alias("total"))
        .collect()[0]
    )
    return f"{totals['n']}-{int(totals['total'] or 0) & (2**64 - 1):016x}"


def shown_pairs(impressions: DataFrame, run_date: date) -> DataFrame:
    """Count how often each pair was shown before the run date: query_id, item_id, region, shown."""
    log = visible_log(impressions, run_date)
    return log.groupBy("query_id", "item_id", "region").agg(F.count("*").alias("shown"))


def shown_queries(impressions: DataFrame, queries: DataFrame, run_date: date) -> DataFrame:
    """Count the impressions of each query text in all regions before the run
    date: text_key, shown.
    """
    counted = visible_log(impressions, run_date).groupBy("query_id").agg(F.count("*").alias("n"))
    texts = queries.select("query_id", text_key(F.col("query_text")).alias("text_key"))
    return (
        counted.join(texts, on="query_id", how="inner")
        .groupBy("text_key")
        .agg(F.sum("n").alias("shown"))
    )


def mass_sums(rows: DataFrame) -> tuple[float, float, float]:
    """Sum P(grade = 0), P(grade = 1), P(grade = 2) of labelled rows."""
    sums = rows.agg(*_mass_sums()).collect()[0]
    return _read_masses(sums)


def graded_by_stratum(graded: DataFrame, shown: DataFrame) -> dict[str, Masses]:
    """Sum P(grade = 0), 1, 2 of the pairs that people graded, by stratum (see `assign_stratum`)."""
    counts = shown.select("query_id", "item_id", "shown")
    rows = graded.join(counts, on=["query_id", "item_id"], how="left").groupBy(
        assign_stratum().alias("s")
    )
    return {str(r["s"]): _read_masses(r) for r in rows.agg(*_mass_sums()).collect()}


def ungraded_texts(
    shown: DataFrame, graded: DataFrame, queries: DataFrame, items: DataFrame
) -> DataFrame:
    """Return TEXT_PAIR, query_text and item_text of shown pairs that nobody graded, once each."""
    texts = (
        shown.select("query_id", "item_id")
        .distinct()
        .join(query_texts(queries), on="query_id", how="inner")
        .join(item_texts(items), on="item_id", how="inner")
        .where("trim(query_text) != '' AND trim(item_text) != ''")
        .groupBy(*TEXT_PAIR)
        .agg(F.min("query_text").alias("query_text"), F.min("item_text").alias("item_text"))
    )
    return texts.join(graded.select(*TEXT_PAIR), on=list(TEXT_PAIR), how="left_anti")


def population_by_stratum(shown: DataFrame) -> dict[str, float]:
    """Count the pairs that production shows, by stratum."""
    counted = shown.groupBy(assign_stratum().alias("s")).count().collect()
    return {str(r["s"]): float(r["count"]) for r in counted}


def assign_stratum() -> Column:
    """Name the stratum: region, and times shown in bands of powers of two (-1: never shown)."""
    band = F.least(F.floor(F.log2(F.col("shown"))), F.lit(_MOST_SHOWN_BAND))
    return F.concat_ws("/", "region", F.coalesce(band, F.lit(-1)).cast("string"))


def _join_texts(pairs: DataFrame, queries: DataFrame, items: DataFrame, conf: Conf) -> DataFrame:
    """Keep the pairs that have a role and both texts, and add them."""
    return (
        pairs.join(query_texts(queries), on="query_id", how="inner")
        .join(item_texts(items), on="item_id", how="inner")
        .withColumn("role", _assign_role(conf))
        .where("role IS NOT NULL AND trim(query_text) != '' AND trim(item_text) != ''")
        .drop("bucket")
    )


def _assign_role(conf: Conf) -> Column:
    drawn = draw_hash(conf.seed, "labeler/gold", "text_key")
    is_gold = take_share(drawn, conf.labeling.gold_share)
    return F.when(F.col("bucket").isin(*conf.split.train), FIT).when(
        F.col("bucket").isin(*conf.split.validation), F.when(is_gold, GOLD).otherwise(CHOOSE)
    )


def _mass_sums() -> list[Column]:
    """Sum the three masses, rounded, so that the order in which Spark adds does not show."""
    masses = split_masses(F.col("p_ge_1"), F.col("p_ge_2"))
    return [F.round(F.sum(mass), _DIGITS - 2).alias(f"m{at}") for at, mass in enumerate(masses)]


def _read_masses(row: Row) -> Masses:
    return float(row["m0"] or 0.0), float(row["m1"] or 0.0), float(row["m2"] or 0.0)
