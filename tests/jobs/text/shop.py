"""A shop whose texts are read and compared night after night."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from conf.load import SIMULATED, ResolvedConf, load_conf
from features.contracts import (
    CANDIDATES,
    IMPRESSIONS,
    ITEMS,
    QUERIES,
    QUERY_FEATURES,
    QUERY_ITEM_FEATURES,
    Table,
)
from features.spine import feature_spine
from jobs import build_features, compare_pairs, embed_texts, read_texts
from jobs.build_features import prepare_inputs
from jobs.platform.report import JobReport
from jobs.platform.runner import open_warehouse
from jobs.platform.warehouse import Warehouse

TableFrame = Callable[..., DataFrame]
FIRST, SECOND = dt.date(2026, 3, 1), dt.date(2026, 3, 2)
TITLES = {
    FIRST: {"a": "Red sofa 84 in.", "b": "Blue sofa", "c": "Desk lamp", "d": "Acme rug 6 ft."},
    SECOND: {"a": "Red sofa 84 in.", "b": "Navy sofa", "c": "Desk lamp", "e": "Acme sofa bed"},
}
COMPARED = (QUERY_FEATURES, QUERY_ITEM_FEATURES)
ASKED = {FIRST: ("red sofa", "lamp"), SECOND: ("red sofa", "navy")}
JOBS = (embed_texts, read_texts, compare_pairs)


@dataclass(frozen=True)
class Shop:
    """A warehouse whose raw tables a test writes as of a day."""

    spark: SparkSession
    root: Path
    encoder: str
    frame: TableFrame

    def conf(self, day: dt.date, *settings: str) -> ResolvedConf:
        fixed = [f"storage.root={self.root}", f"encoder.path={self.encoder}", "regions=[us]"]
        fixed += ["encoder.dtype=float32", "encoder.max_tokens=32", "spark.shuffle_partitions=2"]
        return load_conf([SIMULATED], [*fixed, *settings], run_date=str(day))

    def warehouse(self, day: dt.date, *settings: str) -> Warehouse:
        return open_warehouse(self.spark, self.conf(day, *settings), "test")[0]

    def deliver(self, day: dt.date) -> None:
        """Write what a source has on a day; each query is asked for each item."""
        titles, warehouse = TITLES[day], self.warehouse(day)
        items = [{"item_id": i, "title": t, "colour": "Navy Blue"} for i, t in titles.items()]
        asked = [{"query_id": t, "query_text": t, "region": "us"} for t in ASKED[day]]
        pairs = [
            {"query_id": t, "item_id": i, "region": "us", "from_log": True, "run_date": day}
            for t in ASKED[day]
            for i in titles
        ]
        no_log = self.frame(IMPRESSIONS, [])
        for table, rows in ((ITEMS, items), (QUERIES, asked)):
            warehouse.replace(table, self.frame(table, rows), "true")
        warehouse.replace(IMPRESSIONS, no_log, "true")
        warehouse.replace_run(CANDIDATES, self.frame(CANDIDATES, pairs))

    def run_night(self, day: dt.date, *settings: str) -> dict[str, JobReport]:
        conf = self.conf(day, *settings)
        return {job.JOB.name: job.JOB.run(self.spark, conf) for job in JOBS}

    def features(self, day: dt.date, *settings: str) -> dict[Table, DataFrame]:
        """The features of a run date; the last digits of a cosine are those of its batch."""
        conf = self.conf(day, *settings)
        tables = build_features.read_tables(self.warehouse(day, *settings), conf)
        spine = feature_spine(tables.log, tables.candidates, day, conf.tree)
        built = build_features.build(prepare_inputs(tables, spine, conf.tree), conf.tree)
        return {table: built[table].drop("pair_cosine", "own") for table in COMPARED}
