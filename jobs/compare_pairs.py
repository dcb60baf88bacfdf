"""Makes `text_pairs` and `text_statistics`: how well the texts of queries and items fit.

Grain: one row per distinct pair of texts (by their hashes) and comparer version. Compared are the
pairs that get features: the candidates of the run date, the random pairs that conf
`features.random_pairs` asks for, and what was shown on the training days before. Inputs: items,
queries, impressions, candidates, texts, text_embeddings. Idempotent by key: a pair that this
version compared before is left as it is. The statistics of the catalogue's words are counted anew
where more than `features.statistics_renewal` of its items changed.
Run: counterpoise compare_pairs --conf FILE --run-date 2026-03-01
"""

import math
from dataclasses import dataclass

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
from features.spine import draw_random_pairs, feature_spine
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
    list_query_texts,
    query_hash,
    text_hash,
)
from jobs.delta.difference import content_hash
from jobs.platform import plans
from jobs.platform.job import Job
from jobs.platform.run import Run
from jobs.platform.warehouse import Warehouse
from jobs.text.versions import (
    Statistics,
    comparer_version,
    find_statistics,
    read_embeddings,
    read_readings,
    reader_version,
    remove_old_versions,
    require_statistics,
)
from udfs.compare_pairs import COMPARED, make_comparer


@dataclass(frozen=True)
class Texts:
    """The raw rows of the run, and what is kept of their texts.

    Attributes:
        items, queries: rows of the raw tables.
        readings: rows of texts of the reader version in use.
        embeddings: text_hash, embedding of the encoder in use.
    """

    items: DataFrame
    queries: DataFrame
    readings: DataFrame
    embeddings: DataFrame

    def join_queries(self) -> DataFrame:
        """Join the distinct query texts with their readings: text and the columns of texts."""
        return list_query_texts(self.queries).join(self.readings, on="text_hash", how="inner")

    def join_items(self) -> DataFrame:
        """Join the items with their readings: the columns of texts, and embedded_as, the key of
        the title's embedding; one row per item."""
        title = item_title(F.col("title"), F.col("brand"))
        hashed = self.items.select(
            item_hash().alias("text_hash"), text_hash(title).alias("embedded_as")
        )
        return hashed.join(self.readings, on="text_hash", how="inner")

    def check_read(self) -> None:
        """Raise MissingReadingsError where a text was not read."""
        asked = list_query_texts(self.queries).select("text_hash")
        check_read(asked.union(self.items.select(item_hash())), self.readings)


def find_pairs(spine: DataFrame, texts: Texts) -> DataFrame:
    """Find the distinct pairs of texts that get features: query_hash, item_hash.

    Args:
        spine: query_id, item_id.
    """
    asked = texts.queries.select("query_id", query_hash(F.col("query_text")).alias("query_hash"))
    offered = texts.items.select("item_id", item_hash().alias("item_hash"))
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
    named = name_attributes(texts.join_queries(), statistics.rows)
    queries = named.withColumn("embedded_as", text_hash(F.col("text")))
    items = texts.join_items().dropDuplicates(["text_hash"])
    queries, items = (
        side.join(vectors, on="embedded_as", how="inner") for side in (queries, items)
    )
    needed = block_texts(pairs, queries, items, statistics.rows, blocks)
    return (
        assign_block(pairs, blocks)
        .groupBy("block")
        .cogroup(needed.groupBy("block"))
        .applyInPandas(make_comparer(statistics.prepare_figures(conf)), COMPARED)
    )


def renew_statistics(run: Run, items: DataFrame) -> Statistics:
    """Count the catalogue's words anew where it has moved too far; return the statistics in force.

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
    texts = Texts(
        items=warehouse.read(ITEMS),
        queries=warehouse.read(QUERIES),
        readings=read_readings(warehouse),
        embeddings=read_embeddings(warehouse),
    )
    texts.check_read()
    if conf.dry_run and find_statistics(warehouse) is None:
        report.notes.append("dry run: would count the catalogue's words and compare all pairs")
        return
    statistics = renew_statistics(run, texts.join_items())
    version = comparer_version(conf.tree, statistics)
    report.details |= {"statistics": statistics.version, "comparer_version": version}
    new = plans.keep_frame(_find_new_pairs(warehouse, texts, version))
    count = new.count()
    report.notes.append(f"{count} pairs of texts not compared yet by comparer version {version}")
    if conf.dry_run or (count == 0 and warehouse.exists(TEXT_PAIRS)):
        report.count_rows(TEXT_PAIRS.name, rows_in=count, rows_out=count)
        return
    check_embedded(list_query_texts(texts.queries), texts.items, texts.embeddings)
    compared = build(new, count, texts, statistics, conf.tree).withColumns(
        {"comparer_version": F.lit(version), "run_date": F.lit(conf.run_date)}
    )
    new_at = report.inputs.get(TEXT_PAIRS.name)
    written = warehouse.merge(TEXT_PAIRS, compared, update=False, new_at=new_at)
    report.count_rows(TEXT_PAIRS.name, rows_in=count, rows_out=written.rows)
    report.details["removed_versions"] = [
        *remove_old_versions(warehouse, TEXT_PAIRS, "comparer_version", version),
        *remove_old_versions(warehouse, TEXT_STATISTICS, "statistics_version", statistics.version),
    ]


def _find_new_pairs(warehouse: Warehouse, texts: Texts, version: str) -> DataFrame:
    """Find the pairs that get features and that this version has not compared yet."""
    conf = warehouse.conf
    log = visible_log(warehouse.read(IMPRESSIONS), conf.run_date)
    candidates = warehouse.read_run(CANDIDATES)
    drawn = draw_random_pairs(texts.queries, texts.items, candidates, conf.tree)
    spine = feature_spine(log, candidates, conf.run_date, conf.tree, drawn)
    pairs = find_pairs(spine, texts)
    if not warehouse.exists(TEXT_PAIRS):
        return pairs
    stored = warehouse.read(TEXT_PAIRS).where(F.col("comparer_version") == version)
    return pairs.join(stored, on=["query_hash", "item_hash"], how="left_anti")


JOB = Job(
    run,
    summary="how well the texts of new pairs fit, and the catalogue's word statistics",
    reads=(ITEMS, QUERIES, IMPRESSIONS, CANDIDATES, TEXT_EMBEDDINGS, TEXTS),
    writes=(TEXT_STATISTICS, TEXT_PAIRS),
    sections=("encoder", "features", "language"),
)
