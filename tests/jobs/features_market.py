"""A tiny market of sofas and lamps: its raw tables, and their features as of a day."""

import datetime as dt
from dataclasses import dataclass, replace
from typing import Any

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from conf.load import SIMULATED, ResolvedConf, load_conf
from features.contracts import IMPRESSIONS, ITEMS, JUDGMENTS, QUERIES, Table
from features.text.texts import item_hash, query_hash
from jobs import build_features
from jobs.platform.runner import open_warehouse
from jobs.platform.warehouse import Warehouse

RUN = dt.date(2026, 3, 1)
MADE = {"dataset": "test", "simulated": True}
TITLES = [
    ("sofa1", "Red velvet sofa 84 in.", "Acme", "sofa", "Red", 400.0),
    ("sofa2", "Blue sofa", "Acme", "sofa", "Blue", 200.0),
    ("sofa3", "Plain sofa, three seats", None, "sofa", None, None),
    ("lamp1", "Acme red lamp", "Acme", "lamp", "Red", 30.0),
    ("lamp2", "Desk lamp", "Belux", None, None, 50.0),
]


def query(text: str, region: str) -> dict[str, Any]:
    return {"query_id": f"{text}|{region}", "query_text": text, "region": region, "bucket": 0}


def shown(day: dt.date, text: str, item: str, position: int, **changes: Any) -> dict[str, Any]:
    at = dt.datetime.combine(day, dt.time(12))
    return {
        "search_id": f"{text}{day}",
        "query_id": f"{text}|us",
        "item_id": item,
        "region": "us",
        "position": position,
        "event_time": at,
        "known_at": at,
        "event_date": day,
        "price": 100.0,
        "clicked": False,
        "carted": False,
        "purchased": False,
        **changes,
    }


def log() -> list[dict[str, Any]]:
    """Two days of one query's pages, and a page of another query from before `seen_days`."""
    first, second = dt.date(2026, 2, 26), dt.date(2026, 2, 27)
    return [
        shown(first, "red sofa", "sofa1", 1, clicked=True, carted=True, purchased=True),
        shown(first, "red sofa", "lamp1", 2, clicked=True),
        shown(second, "red sofa", "sofa1", 1),
        shown(second, "red sofa", "sofa2", 2, clicked=True),
        shown(dt.date(2026, 1, 20), "lamp", "lamp2", 1, clicked=True),
    ]


@dataclass(frozen=True)
class Market:
    """A warehouse with raw tables, and how to open it."""

    spark: SparkSession
    root: str
    encoder: str

    def conf(self, *settings: str, dry_run: bool = False) -> ResolvedConf:
        fixed = [
            f"storage.root={self.root}",
            f"encoder.path={self.encoder}",
            "encoder.dtype=float32",
            "encoder.max_tokens=32",
            "regions=[us, uk]",
            "candidates.retrieved=2",
            "spark.shuffle_partitions=2",
        ]
        return load_conf(
            [SIMULATED], settings=[*fixed, *settings], run_date=str(RUN), dry_run=dry_run
        )

    def warehouse(self) -> Warehouse:
        return open_warehouse(self.spark, self.conf(), "test")[0]

    def rows(self, table: Table) -> list[Row]:
        """The rows of the run date in the order of the key, or all of a table without runs."""
        warehouse = self.warehouse()
        per_run = "run_date" in table.key
        frame = warehouse.read_run(table) if per_run else warehouse.read(table)
        return list(frame.orderBy(*table.key).collect())

    def frame(self, table: Table, rows: list[dict[str, Any]]) -> DataFrame:
        full = [{c.name: {**MADE, **row}.get(c.name) for c in table.columns} for row in rows]
        ddl = ", ".join(f"{c.name} {c.type}" for c in table.columns)
        return self.spark.createDataFrame(full, ddl)

    def write(self, table: Table, rows: list[dict[str, Any]]) -> None:
        self.warehouse().replace(table, self.frame(table, rows), "true")


def write_market(spark: SparkSession, root: str, encoder: str) -> Market:
    """Write the raw tables below the root."""
    made = Market(spark, root, encoder)
    names = ("item_id", "title", "brand", "item_type", "colour", "price")
    made.write(ITEMS, [dict(zip(names, row, strict=True)) for row in TITLES])
    queries = [query(t, r) for t in ("red sofa", "lamp") for r in ("us", "uk")]
    made.write(QUERIES, [*queries, query("desk", "uk")])
    made.write(IMPRESSIONS, log())
    judged = {"query_id": "desk|uk", "item_id": "sofa3", "source": "human", "grade": 0}
    late = {**judged, "item_id": "sofa2", "judged_at": dt.datetime(2026, 3, 1)}
    made.write(JUDGMENTS, [judged, late])
    return made


def as_of(
    market: Market, rows: list[dict[str, Any]], days: list[dt.date]
) -> dict[tuple[Table, dt.date], list[Row]]:
    """The features that one log gives as of some days, for the keys that any log here shows."""
    conf = market.conf()
    shown_items = ("sofa1", "sofa2", "sofa3", "lamp1")
    keys = [("red sofa|us", item, "us", day) for item in shown_items for day in days]
    read = build_features.read_tables(market.warehouse(), conf)
    items = read.items.where("item_id = 'sofa3'").select(
        item_hash().alias("item_hash"), query_hash(F.lit("red sofa")).alias("query_hash")
    )
    # Nobody compared `red sofa` with sofa3: it fits as well as any other.
    any_fit = read.compared.limit(1).drop("item_hash", "query_hash")
    tables = replace(
        read,
        log=market.frame(IMPRESSIONS, rows),
        compared=read.compared.unionByName(items.join(any_fit, how="cross")),
    )
    spine = market.spark.createDataFrame(
        keys, "query_id string, item_id string, region string, day date"
    )
    inputs = build_features.prepare_inputs(tables, spine, conf.tree)
    found: dict[tuple[Table, dt.date], list[Row]] = {}
    for table, features in build_features.build(inputs, conf.tree).items():
        for row in features.orderBy(*table.key).collect():
            found.setdefault((table, row["as_of_date"]), []).append(row)
    for frame in inputs.list_shared():
        frame.unpersist()
    return found
