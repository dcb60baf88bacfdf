"""The features of the log by Spark beside DuckDB: same tables, same definitions, same cores.

Spark runs the functions of `build_features`, without what is read off texts; DuckDB the script
log_features.sql on the tables' live files. Both write Parquet. Before anything counts, both must
have given the same rows (`bench.log_features_equal`). They alternate in one session, after a round
each that is not counted; medians are compared. Tables are made, and each size is measured, in a
process of its own, so that the first round is what a first job pays.
"""

import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TypeVar

from pyspark.sql import DataFrame, SparkSession

from bench.log_features_duckdb import write_by_duckdb
from bench.log_features_equal import check_equal
from bench.result import Result
from conf.load import SIMULATED, ResolvedConf, load_conf
from features.contracts import CANDIDATES, IMPRESSIONS, ITEMS, QUERIES
from features.declarations import FIT_LEVEL, PAIR_LEVEL, QUERY_LEVEL, QUERY_TEXT_LEVEL
from features.frame import finish_features
from features.item import item_features
from features.log.history import prior_rates, visible_log
from features.pair import pair_engagement
from features.query import daily_pages, query_engagement
from features.spine import feature_spine
from jobs.build_features import PRIOR_WINDOW, daily_log
from jobs.platform.runner import open_warehouse, run_job
from jobs.platform.session import get_session
from jobs.platform.warehouse import Warehouse
from jobs.registry import load_job
from model.cores import count_cores

LIMITS = {300_000: 0.2, 3_000_000: 0.35}
"""Share of DuckDB's rate that Spark must reach, by the impressions of the market (count)."""
ROUNDS = 3
QUERY_LOG_LEVEL = QUERY_LEVEL[len(QUERY_TEXT_LEVEL) :]
PAIR_LOG_LEVEL = PAIR_LEVEL[len(FIT_LEVEL) :]
T = TypeVar("T")


def measure() -> list[Result]:
    """Measure at both sizes.

    Raises:
        UnequalFeaturesError: Spark and DuckDB give different features.
    """
    return [_run_apart(measure_size, impressions) for impressions in LIMITS]


def measure_size(impressions: int) -> Result:
    """Measure on the default market with so many impressions."""
    with tempfile.TemporaryDirectory(prefix="counterpoise-bench-") as name:
        folder = Path(name)
        settings = [
            f"storage.root={folder / 'warehouse'}",
            f"source.impressions={impressions}",
            f"spark.master=local[{count_cores()}]",
        ]
        _run_apart(make_tables, settings)
        conf = load_conf([SIMULATED], settings)
        spark = get_session(conf.tree)
        spark_rounds, duckdb_rounds = alternate_rounds(spark, conf, folder)
        spark.stop()
    return judge_rounds(impressions, spark_rounds, duckdb_rounds)


def make_tables(settings: list[str]) -> None:
    """Draw the market and choose its candidates."""
    conf = load_conf([SIMULATED], settings)
    spark = get_session(conf.tree)
    for name in ("ingest", "read_texts", "build_candidates"):
        run_job(load_job(name), spark, conf)


def alternate_rounds(
    spark: SparkSession, conf: ResolvedConf, folder: Path
) -> tuple[list[dict[str, float]], list[float]]:
    """Run both in turn; the first round of each is the one that is checked.

    Returns:
        Spark's seconds by table, and DuckDB's seconds, of each round.
    """
    warehouse, _ = open_warehouse(spark, conf, "log_features")
    by_spark, by_duckdb = [], []
    for number in range(ROUNDS + 1):
        ours, theirs = folder / f"spark-{number}", folder / f"duckdb-{number}"
        by_spark.append(write_by_spark(warehouse, conf, ours))
        started = time.perf_counter()
        write_by_duckdb(warehouse, conf, theirs, count_cores())
        by_duckdb.append(time.perf_counter() - started)
        if number == 0:
            check_equal(ours, theirs)
    return by_spark, by_duckdb


def write_by_spark(warehouse: Warehouse, conf: ResolvedConf, folder: Path) -> dict[str, float]:
    """Compute the three tables as `build_features` does and write each to a folder of its own.

    Returns:
        Seconds by table; what all share is in the first one's.
    """
    started = time.perf_counter()
    shared, tables = build_by_spark(warehouse, conf)
    seconds = {}
    for name, frame in tables.items():
        frame.write.parquet(str(folder / name))
        seconds[name] = time.perf_counter() - started
        started += seconds[name]
    for frame in shared:
        frame.unpersist()
    return seconds


def build_by_spark(
    warehouse: Warehouse, conf: ResolvedConf
) -> tuple[list[DataFrame], dict[str, DataFrame]]:
    """Build the frames that the tables share, which are kept in memory, and the tables by name."""
    tree, day = conf.tree, conf.run_date
    items, queries = warehouse.read(ITEMS), warehouse.read(QUERIES)
    log = visible_log(warehouse.read(IMPRESSIONS), day)
    spine = feature_spine(log, warehouse.read_run(CANDIDATES), day, tree).persist()
    daily = daily_log(log, items, tree).persist()
    priors = prior_rates(daily, spine.select("day").distinct(), PRIOR_WINDOW, tree).persist()
    asked = queries.select("query_id", "region")
    query = query_engagement(spine, asked, daily, daily_pages(log), items, priors, tree)
    pair = pair_engagement(spine, asked, daily, priors, tree)
    return [spine, daily, priors], {
        "query": finish_features(query, ["query_id", "region"], QUERY_LOG_LEVEL, day),
        "item": item_features(spine, items, daily, priors, day, tree),
        "pair": finish_features(pair, ["query_id", "item_id"], PAIR_LOG_LEVEL, day),
    }


def judge_rounds(
    impressions: int, by_spark: list[dict[str, float]], by_duckdb: list[float]
) -> Result:
    """Hold Spark's rate against DuckDB's: medians of all rounds but the first."""
    totals = [sum(seconds.values()) for seconds in by_spark]
    ours, theirs = statistics.median(totals[1:]), statistics.median(by_duckdb[1:])
    limit, share = LIMITS[impressions], theirs / ours
    parts = ", ".join(f"{name} {s:.1f}" for name, s in _take_medians(by_spark[1:]).items())
    return Result(
        f"features of the log, {impressions:,} impressions",
        f"{share:.2f} of DuckDB's rate (Spark {ours:.1f} s: {parts}; its first round "
        f"{totals[0]:.1f} s; DuckDB {theirs:.2f} s)",
        f">= {limit}",
        share >= limit,
    )


def _take_medians(rounds: list[dict[str, float]]) -> Mapping[str, float]:
    return {name: statistics.median(r[name] for r in rounds) for name in rounds[0]}


def _run_apart(work: Callable[..., T], *given: object) -> T:
    """Run a function in a new process, whose JVM ends with it."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn) as pool:
        return pool.submit(work, *given).result()
