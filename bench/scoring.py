"""Scoring, Delta to Delta, against a plain Spark copy of the same rows on the same cores.

Both read every column of the same scoring rows and write the columns of `scores` for every
candidate; the copy takes its figures from the features instead of a model. They alternate, and
medians are compared.

    python -m bench scoring
    python -m bench.scoring --queries 20000 --candidates 200
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from bench.result import Result
from bench.scoring_data import CANDIDATE_LEVEL, write_inputs
from conf.load import SIMULATED, ResolvedConf, load_conf
from features.contracts import SCORES, SCORING_ROWS
from jobs import score_catalog
from jobs.platform.runner import open_warehouse
from jobs.platform.session import get_session

QUERIES, CANDIDATES, ROUNDS = 10_000, 200, 5
"""Size of the run, and how often both jobs are timed."""
LIMIT = 0.85
"""Share of the copy's speed that scoring must reach."""
COPIES = replace(SCORES, name="scores_copy")


def measure(
    queries: int = QUERIES, candidates: int = CANDIDATES, rounds: int = ROUNDS
) -> list[Result]:
    """Measure the median pairs per second of the scoring job and of the copy, and their ratio."""
    with tempfile.TemporaryDirectory(prefix="counterpoise-bench-") as folder:
        conf = load_conf(
            [SIMULATED], settings=[f"storage.root={folder}/warehouse", "value.tuned=false"]
        )
        spark = get_session(conf.tree)
        write_inputs(spark, conf, queries, candidates)
        jobs: dict[str, Callable[[], int]] = {
            "copy": lambda: copy_rows(spark, conf),
            "scoring": lambda: score_catalog.JOB.run(spark, conf).counts[0].rows_out,
        }
        seconds: dict[str, list[float]] = {name: [] for name in jobs}
        for _ in range(rounds + 1):
            for name, job in jobs.items():
                seconds[name].append(time_job(job, queries * candidates))
        spark.stop()
    rates = {
        name: queries * candidates / statistics.median(times[1:]) for name, times in seconds.items()
    }
    ratio = rates["scoring"] / rates["copy"]
    return [
        Result(
            f"scoring, Delta to Delta, {queries:,} queries x {candidates} candidates",
            f"{ratio:.2f} of a copy ({rates['scoring']:,.0f} against {rates['copy']:,.0f} pairs/s)",
            f">= {LIMIT}",
            ratio >= LIMIT,
        )
    ]


def time_job(job: Callable[[], int], expected: int) -> float:
    """Time a job (s), which must write `expected` rows."""
    started = time.perf_counter()
    rows = job()
    seconds = time.perf_counter() - started
    if rows != expected:
        raise RuntimeError(f"{rows} rows written instead of {expected}")
    return seconds


def copy_rows(spark: SparkSession, conf: ResolvedConf) -> int:
    """Copy the rows without a model: one row per candidate, its columns taken from the arrays."""
    warehouse, _ = open_warehouse(spark, conf, "copy")
    rows = warehouse.read_run(SCORING_ROWS)
    written = warehouse.replace_run(COPIES, rows.transform(build_copy))
    rows.agg(F.sum(F.size("item_ids"))).collect()
    return written.rows


def build_copy(rows: DataFrame) -> DataFrame:
    """Build as many columns of the same types as scores, from every column of the scoring rows."""
    carried = ["run_date", "query_id", "region", "query_values", "candidate_values"]
    exploded = rows.select(*carried, F.posexplode("item_ids").alias("pos", "item_id"))
    last_value, value_before = _read_value(-1), _read_value(-2)
    return exploded.select(
        "run_date",
        "query_id",
        "region",
        "item_id",
        _read_value(-3).alias("p_click"),
        _read_value(-4).alias("p_cart"),
        _read_value(-5).alias("p_purchase"),
        F.greatest(last_value, value_before).alias("p_ge_1"),
        F.least(last_value, value_before).alias("p_ge_2"),
        (last_value + value_before).alias("relevance"),
        (_read_value(-6) + F.col("query_values")[1]).alias("value"),
        (F.col("pos") + 1).alias("rank"),
        F.lit("copy").alias("model_version"),
        F.lit("copy").alias("weights_version"),
    )


def _read_value(offset: int) -> Column:
    """Read a feature of the candidate, counted from the end of its values."""
    place = (F.col("pos") + 1) * len(CANDIDATE_LEVEL) + offset
    return F.col("candidate_values")[place]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=QUERIES)
    parser.add_argument("--candidates", type=int, default=CANDIDATES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args()
    for result in measure(given.queries, given.candidates, given.rounds):
        print(f"{result.what}: {result.measured}, limit {result.limit}")
