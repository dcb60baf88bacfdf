"""Makes `text_pairs` and `text_statistics`: how well the texts of queries and items fit.

Grain: one row per distinct pair of texts (by their hashes) and comparer version. Compared are the
pairs that get features: the candidates of the run date, and what was shown on the training days
before. Inputs: items, queries, impressions, candidates, texts, text_embeddings. Idempotent by key:
only pairs that were not compared yet are, and added by MERGE. The statistics of the catalogue's
words are counted anew where more than `features.statistics_renewal` of its items changed.
Run: counterpoise compare_pairs --conf FILE --run-date 2026-03-01
"""

import math
from dataclasses import dataclass
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.load import section_hash
from conf.schema import Conf
from features.contracts import (
    CANDIDATES,
    IMPRESSIONS,
    ITEMS,
    QUERIES,
    TEXT_EMBEDDINGS,
    TEXT_PAIRS,
    TEXT_STATISTICS,
    TEXTS,
)
from features.log.history import visible_log
from features.spine import feature_spine
from features.text.attributes import name_attributes
from features.text.blocks import (
    PAIRS_PER_BLOCK,
    assign_block,
    block_texts,
    check_embedded,
    check_read,
)
from features.text.statistics import changed_share, count_words
from features.text.texts import (
    item_hash,
    item_title,
    list_item_texts,
    list_query_texts,
    query_hash,
    text_hash,
)
from jobs.delta.difference import content_hash
from jobs.platform import plans
from jobs.platform.job import Job
from jobs.platform.run import Run
from jobs.text.versions import (
    Statistics,
    comparer_version,
    find_statistics,
    forget_versions,
    read_embeddings,
    read_readings,
    reader_version,
    require_statistics,
)
from udfs.compare_pairs import COMPARED, make_comparer


@dataclass(frozen=True)
class Texts:
    """The texts of the run.

    Attributes:
        queries: text_hash, text; one row per distinct query text.
        items: item_id, text_hash and the item's texts.
        titles: text_hash, embedded_as; the key of the embedding of an item's title.
        readings: rows of texts of the reader version in use.
        embeddings: text_hash, embedding.
    """

    queries: DataFrame
    items: DataFrame
    titles: DataFrame
    readings: DataFrame
    embeddings: DataFrame


def find_pairs(
    log: DataFrame,
    candidates: DataFrame,
    queries: DataFrame,
    items: DataFrame,
    run_date: date,
    conf: Conf,
) -> DataFrame:
    """Find the distinct pairs of texts that get features: query_hash, item_hash."""
    spine = feature_spine(log, candidates, run_date, conf)
    asked = queries.select("query_id", query_hash(F.col("query_text")).alias("query_hash"))
    offered = items.select("item_id", item_hash().alias("item_hash"))
    return (
        spine.select("query_id", "item_id")
        .distinct()
        .join(asked, on="query_id", how="inner")
        .join(offered, on="item_id", how="inner")
        .select("query_hash", "item_hash")
        .distinct()
    )


def build(
    pairs: DataFrame, count: int, texts: Texts, statistics: Statistics, conf: Conf
) -> DataFrame:
    """Compare pairs in Spark's Python workers: the columns of COMPARED.

    Args:
        pairs: query_hash, item_hash; `count` rows.
    """
    blocks = max(math.ceil(count / PAIRS_PER_BLOCK), conf.spark.shuffle_partitions)
    vectors = texts.embeddings.withColumnRenamed("text_hash", "embedded_as")
    queries = (
        name_attributes(
            texts.queries.join(texts.readings, on="text_hash", how="inner"), statistics.rows
        )
        .withColumn("embedded_as", text_hash(F.col("text")))
        .join(vectors, on="embedded_as", how="inner")
    )
    items = texts.titles.join(texts.readings, on="text_hash", how="inner").join(
        vectors, on="embedded_as", how="inner"
    )
    needed = block_texts(pairs, queries, items, statistics.rows, blocks)
    return (
        assign_block(pairs, blocks)
        .groupBy("block")
        .cogroup(needed.groupBy("block"))
        .applyInPandas(make_comparer(statistics.weigh_by(conf)), COMPARED)
    )


def hold_statistics(run: Run, items: DataFrame) -> Statistics:
    """Return the statistics in force, counted anew where the catalogue has moved too far.

    Args:
        items: text_hash and the columns of a reading; one row per item.
    """
    held = find_statistics(run.warehouse)
    if held is not None:
        share = float(changed_share(items, held.rows).collect()[0]["share"])
        run.report.details["catalogue_changed"] = round(share, 4)
        if share <= run.conf.tree.features.statistics_renewal:
            return held
    counted = plans.keep_frame(count_words(items))
    rows = content_hash(counted.select("kind", "value", "items", "tokens"))
    version = f"{reader_version(run.conf.tree)}-{section_hash(rows)}"
    dated = counted.withColumns(
        {"run_date": F.lit(run.conf.run_date), "statistics_version": F.lit(version)}
    )
    written = run.warehouse.replace_run(TEXT_STATISTICS, dated)
    run.report.count_rows(TEXT_STATISTICS.name, rows_in=rows[0], rows_out=written.rows)
    return require_statistics(run.warehouse)


def run(run: Run) -> None:
    """Count words where needed, compare the new pairs and add them; rows in are those pairs."""
    warehouse, conf, report = run.warehouse, run.conf, run.report
    items, queries = warehouse.read(ITEMS), warehouse.read(QUERIES)
    title = item_title(F.col("title"), F.col("brand"))
    texts = Texts(
        queries=list_query_texts(queries),
        items=list_item_texts(items),
        titles=items.select(
            item_hash().alias("text_hash"), text_hash(title).alias("embedded_as")
        ).dropDuplicates(["text_hash"]),
        readings=read_readings(warehouse),
        embeddings=read_embeddings(warehouse),
    )
    needed = texts.queries.select("text_hash").union(texts.items.select("text_hash"))
    check_read(needed, texts.readings)
    read_items = texts.items.select("text_hash").join(texts.readings, on="text_hash", how="inner")
    if conf.dry_run and find_statistics(warehouse) is None:
        report.notes.append("dry run: would count the catalogue's words and compare all pairs")
        return
    statistics = hold_statistics(run, read_items)
    version = comparer_version(conf.tree, statistics)
    report.details |= {"statistics": statistics.version, "comparer_version": version}
    log = visible_log(warehouse.read(IMPRESSIONS), conf.run_date)
    candidates = warehouse.read_run(CANDIDATES)
    pairs = find_pairs(log, candidates, queries, items, conf.run_date, conf.tree)
    is_new = not warehouse.exists(TEXT_PAIRS)
    if not is_new:
        stored = warehouse.read(TEXT_PAIRS).where(F.col("comparer_version") == version)
        pairs = pairs.join(stored, on=["query_hash", "item_hash"], how="left_anti")
    new = plans.keep_frame(pairs)
    count = new.count()
    report.notes.append(f"{count} pairs of texts not compared yet by comparer version {version}")
    if conf.dry_run or (count == 0 and not is_new):
        report.count_rows(TEXT_PAIRS.name, rows_in=count, rows_out=count)
        return
    check_embedded(texts.queries, items, texts.embeddings)
    compared = build(new, count, texts, statistics, conf.tree).withColumns(
        {"comparer_version": F.lit(version), "run_date": F.lit(conf.run_date)}
    )
    written = warehouse.merge(TEXT_PAIRS, compared, update=False)
    report.count_rows(TEXT_PAIRS.name, rows_in=count, rows_out=written.rows)
    report.details["forgotten"] = [
        *forget_versions(warehouse, TEXT_PAIRS, "comparer_version", version),
        *forget_versions(warehouse, TEXT_STATISTICS, "statistics_version", statistics.version),
    ]


JOB = Job(
    run,
    summary="how well the texts of new pairs fit, and the catalogue's word statistics",
    reads=(ITEMS, QUERIES, IMPRESSIONS, CANDIDATES, TEXT_EMBEDDINGS, TEXTS),
    writes=(TEXT_STATISTICS, TEXT_PAIRS),
    sections=("encoder", "features", "language"),
)
