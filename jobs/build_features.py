"""Makes `query_features`, `item_features` and `query_item_features`, as of the days that need them.

Grain: one row per run date, as-of day and key. As of the run date: the candidates' queries, items
(in the regions where they are candidates) and pairs. As of each of the `features.training_days`
days before: the keys that were shown on that day. Inputs: items, queries, impressions,
candidates, text_embeddings. Idempotent by run date: the rows of the run date are replaced.
Run: counterpoise build_features --run-date 2026-03-01
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.load import ResolvedConf
from conf.schema import Conf
from features.contracts import (
    CANDIDATES,
    IMPRESSIONS,
    ITEM_FEATURES,
    ITEMS,
    QUERIES,
    QUERY_FEATURES,
    QUERY_ITEM_FEATURES,
    TEXT_EMBEDDINGS,
    Table,
)
from features.cosine import blocked_pairs, blocked_vectors, check_embedded
from features.debias import with_examination
from features.history import ENGAGEMENT, daily_counts, effective_events, prior_rates, visible_log
from features.item import item_features
from features.lexical import build_postings
from features.pair import item_tokens, pair_features, query_texts, text_features
from features.query import daily_pages, query_features
from features.regional import with_price_ratio
from features.spine import ITEM_KEYS, PAIR_KEYS, QUERY_KEYS, feature_spine
from features.text import text_key
from jobs.platform.cli import job_main
from jobs.platform.job import Job
from jobs.platform.report import JobReport
from jobs.platform.runner import open_warehouse
from jobs.platform.warehouse import Warehouse
from model.encoder import find_encoder
from udfs.embed import COSINE_SCHEMA, cosine_block

PRIOR_WINDOW = 28
MEASURES = (*ENGAGEMENT, "examined", "price_ratio", "priced")
SPINES = {QUERY_FEATURES: QUERY_KEYS, ITEM_FEATURES: ITEM_KEYS, QUERY_ITEM_FEATURES: PAIR_KEYS}


@dataclass(frozen=True)
class Inputs:
    """What the three tables are made of.

    Attributes:
        items, queries: rows of the raw tables.
        log: the impressions visible at the run date.
        embeddings: text_hash, embedding of the encoder in use.
        spine: query_id, item_id, region, day.
        daily: query_id, item_id, region, day and the MEASURES (long).
    """

    items: DataFrame
    queries: DataFrame
    log: DataFrame
    embeddings: DataFrame
    spine: DataFrame
    daily: DataFrame
    run_date: date


def read_inputs(warehouse: Warehouse, conf: ResolvedConf) -> Inputs:
    """Read the tables; spine and daily counts, which everything hangs on, are kept in memory."""
    items, queries = warehouse.read(ITEMS), warehouse.read(QUERIES)
    log = visible_log(warehouse.read(IMPRESSIONS), conf.run_date)
    version = find_encoder(conf.tree.encoder).version
    embeddings = warehouse.read(TEXT_EMBEDDINGS).where(F.col("encoder_version") == version)
    candidates = warehouse.read_run(CANDIDATES)
    return Inputs(
        items=items,
        queries=queries,
        log=log,
        embeddings=embeddings.select("text_hash", "embedding"),
        spine=feature_spine(log, candidates, conf.run_date, conf.tree).persist(),
        daily=daily_log(log, items, conf.tree).persist(),
        run_date=conf.run_date,
    )


def daily_log(log: DataFrame, items: DataFrame, conf: Conf) -> DataFrame:
    """query_id, item_id, region, day and the MEASURES of the log."""
    return (
        effective_events(log)
        .transform(with_price_ratio, items)
        .transform(with_examination, conf)
        .transform(daily_counts, ["query_id", "item_id", "region"], MEASURES)
    )


def build(inputs: Inputs, conf: Conf) -> dict[Table, DataFrame]:
    """The three feature tables of the run date."""
    days = inputs.spine.select("day").distinct()
    by_region = daily_counts(inputs.daily, ["region"], [*ENGAGEMENT, "examined"])
    priors = prior_rates(by_region, days, PRIOR_WINDOW, conf)
    spine, daily, day, pages = inputs.spine, inputs.daily, inputs.run_date, daily_pages(inputs.log)
    items, queries, texts = inputs.items, inputs.queries, pair_texts(inputs, conf)
    built = {
        QUERY_FEATURES: query_features(spine, queries, daily, pages, items, priors, day, conf),
        ITEM_FEATURES: item_features(spine, items, daily, priors, day, conf),
        QUERY_ITEM_FEATURES: pair_features(spine, queries, texts, daily, priors, day, conf),
    }
    return {table: table.conform(frame) for table, frame in built.items()}


def pair_texts(inputs: Inputs, conf: Conf) -> DataFrame:
    """text, item_id and all text features of the distinct pairs, the cosine among them."""
    known = inputs.queries.select("query_id", text_key(F.col("query_text")).alias("text"))
    pairs = (
        inputs.spine.join(known, on="query_id", how="inner").select("text", "item_id").distinct()
    )
    texts = query_texts(inputs.queries)
    postings = inputs.items.transform(item_tokens).transform(build_postings, conf)
    fit = text_features(pairs, texts, inputs.items, postings)
    return fit.join(pair_cosines(pairs, texts, inputs, conf), on=["text", "item_id"], how="left")


def pair_cosines(pairs: DataFrame, texts: DataFrame, inputs: Inputs, conf: Conf) -> DataFrame:
    """text, item_id, pair_cosine."""
    blocks = conf.features.cosine_blocks
    vectors = blocked_vectors(pairs, texts, inputs.items, inputs.embeddings, blocks)
    return (
        blocked_pairs(pairs, blocks)
        .groupBy("block")
        .cogroup(vectors.groupBy("block"))
        .applyInPandas(cosine_block, schema=COSINE_SCHEMA)
    )


def run(spark: SparkSession, conf: ResolvedConf) -> JobReport:
    """Read, build, write; rows in are the distinct keys of each table's spine."""
    warehouse, report = open_warehouse(spark, conf, "build_features")
    inputs = read_inputs(warehouse, conf)
    check_embedded(query_texts(inputs.queries), inputs.items, inputs.embeddings)
    for table, features in build(inputs, conf.tree).items():
        keys = inputs.spine.select(*SPINES[table]).distinct().count()
        written = warehouse.replace_run(table, features)
        report.count(table.name, rows_in=keys, rows_out=written.rows)
    inputs.spine.unpersist()
    inputs.daily.unpersist()
    return report


JOB = Job(
    name="build_features",
    summary="features of queries, items and pairs, as of the days that need them",
    run=run,
    reads=(ITEMS, QUERIES, IMPRESSIONS, CANDIDATES, TEXT_EMBEDDINGS),
    writes=(QUERY_FEATURES, ITEM_FEATURES, QUERY_ITEM_FEATURES),
    sections=("encoder", "features"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line of the job."""
    return job_main("build_features", argv)


if __name__ == "__main__":
    sys.exit(main())
