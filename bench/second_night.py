"""A second night with 2 % new items and queries, and a night in which nothing changed.

The simulated market is laid out as a shop's own tables (Parquet): on the first night without one
item and one query text in fifty, and without the last day of the log; on the second with all. Each
night is a process of its own on one warehouse. The first is the whole chain from nothing.
"""

import tempfile
from datetime import date, timedelta
from pathlib import Path
from sys import executable
from typing import Any

import yaml
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from bench.event_log import build_log_options, count_work
from bench.nightly import watch_run
from bench.result import Result
from conf.load import SIMULATED, ResolvedConf, load_conf
from features.contracts import IMPRESSIONS, ITEMS, JUDGMENTS, QUERIES, Table
from jobs.platform.runner import open_warehouse
from jobs.platform.session import get_session
from jobs.registry import load_job

NEW_OF = 50
"""One item, and one query text, in so many is new on the second night."""
SECOND_LIMIT, SKIPPED_LIMIT_S = 0.35, 8.0
"""Share of the first night's seconds that the second may take; seconds of one that skips all."""
TABLES = (ITEMS, QUERIES, IMPRESSIONS, JUDGMENTS)


def measure() -> list[Result]:
    """Run the three nights."""
    with tempfile.TemporaryDirectory(prefix="counterpoise-bench-") as name:
        folder = Path(name)
        today = lay_out_shop(folder)
        first_s = _run_night(folder, "first", today - timedelta(days=1))
        second_s = _run_night(folder, "second", today)
        skipped_s = _run_night(folder, "second", today)
        work = {night: count_work(folder / "events" / night) for night in ("first", "second")}
    share = second_s / first_s
    return [
        Result(
            "a second night, 2 % of items and query texts new, over a first one",
            f"{share:.2f} ({second_s:.0f} of {first_s:.0f} s)",
            f"<= {SECOND_LIMIT}",
            share <= SECOND_LIMIT,
        ),
        Result(
            "a night that skips every step",
            f"{skipped_s:.1f} s",
            f"<= {SKIPPED_LIMIT_S:.0f} s",
            skipped_s <= SKIPPED_LIMIT_S,
        ),
        *work["first"].judge("a first night"),
        *work["second"].judge("a second night"),
    ]


def lay_out_shop(folder: Path) -> date:
    """Write the tables of both nights, and the conf of each; return the second night's run date."""
    conf = load_conf([SIMULATED], [f"storage.root={folder / 'drawn'}"])
    spark = get_session(conf.tree)
    load_job("ingest").run(spark, conf)
    warehouse = open_warehouse(spark, conf, "second_night")[0]
    drawn = {table: warehouse.read(table) for table in TABLES}
    earlier = _take_known(drawn, conf)
    for night, tables in (("first", earlier), ("second", drawn)):
        for table, rows in tables.items():
            given = rows.drop("bucket", "event_date", "dataset", "simulated")
            given.write.parquet(str(folder / night / table.name))
        (folder / f"{night}.yaml").write_text(yaml.safe_dump(_build_layer(folder, night, conf)))
    spark.stop()
    return conf.run_date


def _take_known(drawn: dict[Table, DataFrame], conf: ResolvedConf) -> dict[Table, DataFrame]:
    """Take what the shop has on the first night."""
    items = drawn[ITEMS].where(_is_old(F.col("item_id")))
    queries = drawn[QUERIES].where(_is_old(F.col("query_text")))
    before = F.lit(conf.run_date - timedelta(days=1))
    log = drawn[IMPRESSIONS].where(F.col("event_time") < before).where(F.col("known_at") < before)
    return {
        ITEMS: items,
        QUERIES: queries,
        IMPRESSIONS: _of_catalogue(log, items, queries),
        JUDGMENTS: _of_catalogue(drawn[JUDGMENTS], items, queries),
    }


def _is_old(key: Column) -> Column:
    return F.pmod(F.xxhash64(key), F.lit(NEW_OF)) != 0


def _of_catalogue(rows: DataFrame, items: DataFrame, queries: DataFrame) -> DataFrame:
    of_items = rows.join(items.select("item_id"), on="item_id", how="left_semi")
    return of_items.join(queries.select("query_id"), on="query_id", how="left_semi")


def _build_layer(folder: Path, night: str, conf: ResolvedConf) -> dict[str, Any]:
    """Build the conf of a night: `make nightly`'s, but of a shop's own tables."""
    source: dict[str, Any] = {
        table.name: {"format": "parquet", "path": str(folder / night / table.name)}
        for table in TABLES
    }
    ours: dict[str, Any] = yaml.safe_load(SIMULATED.read_text(encoding="utf-8"))
    return ours | {
        "name": "second_night",
        "regions": list(conf.tree.regions),
        "storage": {"root": str(folder / "warehouse")},
        "source": {"kind": "tables", "dataset": "shop", **source},
        "ingest": {"history_days": 60},
        "spark": {"options": dict(build_log_options(folder / "events" / night))},
    }


def _run_night(folder: Path, night: str, run_date: date) -> float:
    command = [executable, "-m", "jobs.command.cli", "nightly"]
    command += ["--conf", str(folder / f"{night}.yaml"), "--run-date", run_date.isoformat()]
    return watch_run(command).seconds
