"""Nights one after another: what was read and compared stays, and equals a night from nothing."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession

from conf.load import SIMULATED, ResolvedConf, load_conf
from features.contracts import (
    CANDIDATES,
    IMPRESSIONS,
    ITEMS,
    QUERIES,
    QUERY_FEATURES,
    QUERY_ITEM_FEATURES,
    TEXT_PAIRS,
    TEXT_STATISTICS,
    TEXTS,
    Table,
)
from features.spine import feature_spine
from features.text.texts import list_item_texts
from jobs import build_features, compare_pairs, embed_texts, read_texts
from jobs.build_features import prepare_inputs
from jobs.compare_pairs import renew_statistics
from jobs.platform.report import JobReport
from jobs.platform.run import Run
from jobs.platform.runner import open_warehouse
from jobs.platform.warehouse import Warehouse, Written
from jobs.text.versions import MissingStatisticsError, read_readings, require_statistics

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


@pytest.fixture
def shop(spark: SparkSession, tmp_path: Path, tiny_encoder: str, table_frame: TableFrame) -> Shop:
    return Shop(spark, tmp_path / "shop", tiny_encoder, table_frame)


def count_rows(report: JobReport, table: Table) -> int:
    return sum(count.rows_out for count in report.counts if count.table == table.name)


def test_nights_equal_the_same_dates_from_nothing(shop: Shop, tmp_path: Path) -> None:
    """With statistics that are counted at every change; only what is new is read and compared."""
    renewed = "features.statistics_renewal=0"
    shop.deliver(FIRST)
    shop.run_night(FIRST, renewed)
    shop.deliver(SECOND)
    reports = shop.run_night(SECOND, renewed)
    assert count_rows(reports["read_texts"], TEXTS) == 3  # two titles and `navy`
    alone = Shop(shop.spark, tmp_path / "alone", shop.encoder, shop.frame)
    alone.deliver(SECOND)
    alone.run_night(SECOND, renewed)
    found, expected = (s.features(SECOND, renewed) for s in (shop, alone))
    for table in COMPARED:
        assert_df_equality(found[table], expected[table], ignore_row_order=True)
        assert not found[table].isEmpty()


def test_known_pairs_stay_while_the_catalogue_moves_little(shop: Shop) -> None:
    settings = "features.statistics_renewal=0.8"
    shop.deliver(FIRST)
    shop.run_night(FIRST, settings)
    before = {r["query_hash"] + r["item_hash"]: r for r in read_all(shop, FIRST, TEXT_PAIRS)}
    shop.deliver(SECOND)
    report = shop.run_night(SECOND, settings)["compare_pairs"]
    assert report.details["catalogue_changed"] == 0.5
    after = {r["query_hash"] + r["item_hash"]: r for r in read_all(shop, SECOND, TEXT_PAIRS)}
    assert {key: after[key] for key in before} == before
    # `red sofa` with b and e, `navy` with all four.
    assert count_rows(report, TEXT_PAIRS) == len(after) - len(before) == 6
    assert {r["run_date"] for r in read_all(shop, SECOND, TEXT_STATISTICS)} == {FIRST}

    # A backfill counts as of its date: statistics of a later run are not those of an earlier one.
    shop.deliver(SECOND)
    earlier = SECOND - dt.timedelta(days=9)
    with pytest.raises(MissingStatisticsError, match="run `counterpoise compare_pairs`"):
        require_statistics(shop.warehouse(earlier))
    renew_statistics(Run(shop.warehouse(earlier)), read_items(shop, earlier))
    assert require_statistics(shop.warehouse(earlier)).rows.first()["run_date"] == earlier


def test_versions_are_kept_and_what_is_gone_is_made_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.deliver(FIRST)

    def die(*_: object, **__: object) -> Written:
        raise KeyboardInterrupt

    for job in (embed_texts, read_texts):
        job.JOB.run(shop.spark, shop.conf(FIRST))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Warehouse, "merge", die)
        compare_pairs.JOB.run(shop.spark, shop.conf(FIRST))
    statistics = read_all(shop, FIRST, TEXT_STATISTICS)
    assert statistics and not shop.warehouse(FIRST).exists(TEXT_PAIRS)

    names = []
    for k1 in (1.0, 1.1):  # killed between its commits, run again; then under another conf
        conf = shop.conf(FIRST, "features.kept_versions=1", f"features.bm25_k1={k1}")
        report = compare_pairs.JOB.run(shop.spark, conf)
        names.append(report.details["comparer_version"])
    assert read_all(shop, FIRST, TEXT_STATISTICS) == statistics
    pairs = read_all(shop, FIRST, TEXT_PAIRS)
    assert len(pairs) == 8 and {r["comparer_version"] for r in pairs} == {names[1]}
    assert report.details["removed_versions"] == [names[0]]

    warehouse = shop.warehouse(FIRST)
    warehouse.replace(TEXT_STATISTICS, shop.frame(TEXT_STATISTICS, []), "true")
    with pytest.raises(MissingStatisticsError, match="run `counterpoise compare_pairs`"):
        build_features.JOB.run(shop.spark, shop.conf(FIRST))
    compare_pairs.JOB.run(shop.spark, conf)
    assert read_all(shop, FIRST, TEXT_STATISTICS) == statistics
    assert read_all(shop, FIRST, TEXT_PAIRS) == pairs


def read_items(shop: Shop, day: dt.date) -> DataFrame:
    warehouse = shop.warehouse(day)
    hashes = list_item_texts(warehouse.read(ITEMS)).select("text_hash")
    return hashes.join(read_readings(warehouse), on="text_hash", how="inner")


def read_all(shop: Shop, day: dt.date, table: Table) -> Sequence[dict[str, Any]]:
    found = shop.warehouse(day).read(table).orderBy(*table.key).collect()
    return [row.asDict() for row in found]
