"""Nights one after another: what was read and compared stays, and equals a night from nothing."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
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
from jobs import build_features, compare_pairs, embed_texts, read_texts
from jobs.platform.report import JobReport
from jobs.platform.runner import open_warehouse
from jobs.platform.warehouse import Warehouse, Written
from jobs.text.versions import MissingStatisticsError, forget_versions, require_statistics

TableFrame = Callable[..., DataFrame]
FIRST, SECOND, THIRD = (dt.date(2026, 3, day) for day in (1, 2, 3))
TITLES = {
    FIRST: {"a": "Red sofa 84 in.", "b": "Blue sofa", "c": "Desk lamp", "d": "Acme rug 6 ft."},
    SECOND: {"a": "Red sofa 84 in.", "b": "Navy sofa", "c": "Desk lamp", "e": "Acme sofa bed"},
    THIRD: {"a": "Red sofa 84 in.", "c": "Desk lamp with shade", "e": "Acme sofa bed"},
}
ASKED = {FIRST: ("red sofa", "lamp"), SECOND: ("red sofa", "navy"), THIRD: ("lamp", "6 foot rug")}


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
        jobs = (embed_texts, read_texts, compare_pairs, build_features)
        return {job.JOB.name: job.JOB.run(self.spark, conf) for job in jobs}

    def rows(self, day: dt.date, table: Table) -> list[dict[str, Any]]:
        """The rows of a run date, by key; floats as they are."""
        found = self.warehouse(day).read_run(table).orderBy(*table.key).collect()
        return [row.asDict() for row in found]


@pytest.fixture
def shop(spark: SparkSession, tmp_path: Path, tiny_encoder: str, table_frame: TableFrame) -> Shop:
    return Shop(spark, tmp_path / "shop", tiny_encoder, table_frame)


def count_rows(report: JobReport, table: Table) -> int:
    return sum(count.rows_out for count in report.counts if count.table == table.name)


def test_nights_equal_the_same_dates_from_nothing(shop: Shop, tmp_path: Path) -> None:
    """With statistics that are counted at every change, in another warehouse for each date."""
    renewed = "features.statistics_renewal=0"
    for day in (FIRST, SECOND, THIRD):
        shop.deliver(day)
        reports = shop.run_night(day, renewed)
        alone = Shop(shop.spark, tmp_path / str(day), shop.encoder, shop.frame)
        alone.deliver(day)
        alone.run_night(day, renewed)
        for table in (QUERY_FEATURES, QUERY_ITEM_FEATURES):
            assert shop.rows(day, table) == alone.rows(day, table) != []
        if day != FIRST:  # only what is new was read
            known = {*TITLES[FIRST].items(), *(TITLES[SECOND].items() if day == THIRD else ())}
            new = len(TITLES[day].items() - known) + (day == THIRD) * 1 + (day == SECOND) * 1
            assert count_rows(reports["read_texts"], TEXTS) == new


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


def test_old_versions_go_and_those_in_use_stay(shop: Shop) -> None:
    shop.deliver(FIRST)
    versions = []
    for k1 in (1.0, 1.1, 1.2):
        settings = ("features.kept_versions=2", f"features.bm25_k1={k1}")
        versions.append(shop.run_night(FIRST, *settings)["compare_pairs"].details)
    names = [details["comparer_version"] for details in versions]
    kept = {r["comparer_version"] for r in read_all(shop, FIRST, TEXT_PAIRS)}
    assert len(set(names)) == 3 and len(kept) == 2 and names[-1] in kept
    (forgotten,) = versions[-1]["forgotten"]
    assert {forgotten} == set(names) - kept
    warehouse = shop.warehouse(FIRST, "features.kept_versions=1")
    assert len(forget_versions(warehouse, TEXT_PAIRS, "comparer_version", names[-1])) == 1
    assert {r["comparer_version"] for r in read_all(shop, FIRST, TEXT_PAIRS)} == {names[-1]}


def test_statistics_that_are_gone_are_counted_again(shop: Shop) -> None:
    shop.deliver(FIRST)
    shop.run_night(FIRST)
    before = read_all(shop, FIRST, TEXT_STATISTICS)
    warehouse = shop.warehouse(FIRST)
    warehouse.replace(TEXT_STATISTICS, shop.frame(TEXT_STATISTICS, []), "true")
    with pytest.raises(MissingStatisticsError, match="run `counterpoise compare_pairs`"):
        require_statistics(warehouse)
    with pytest.raises(MissingStatisticsError):
        build_features.JOB.run(shop.spark, shop.conf(FIRST))
    report = shop.run_night(FIRST)["compare_pairs"]
    assert read_all(shop, FIRST, TEXT_STATISTICS) == before
    assert count_rows(report, TEXT_PAIRS) == 0


def test_a_backfill_counts_as_of_its_date(shop: Shop) -> None:
    """Statistics of a later run are not those of an earlier date."""
    shop.deliver(SECOND)
    shop.run_night(SECOND)
    shop.deliver(FIRST)
    shop.run_night(FIRST)
    assert {r["run_date"] for r in read_all(shop, FIRST, TEXT_STATISTICS)} == {FIRST, SECOND}
    found = require_statistics(shop.warehouse(FIRST)).rows
    assert [r["run_date"] for r in found.select("run_date").distinct().collect()] == [FIRST]


def test_a_run_that_dies_between_its_commits_is_run_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.deliver(FIRST)

    def die(*_: object, **__: object) -> Written:
        raise KeyboardInterrupt

    for job in (embed_texts, read_texts):
        job.JOB.run(shop.spark, shop.conf(FIRST))
    with monkeypatch.context() as patch:
        patch.setattr(Warehouse, "merge", die)
        with pytest.raises(KeyboardInterrupt):
            compare_pairs.JOB.run(shop.spark, shop.conf(FIRST))
    statistics = read_all(shop, FIRST, TEXT_STATISTICS)
    assert statistics and not shop.warehouse(FIRST).exists(TEXT_PAIRS)
    shop.run_night(FIRST)
    assert read_all(shop, FIRST, TEXT_STATISTICS) == statistics
    assert len(read_all(shop, FIRST, TEXT_PAIRS)) == 8


def read_all(shop: Shop, day: dt.date, table: Table) -> Sequence[dict[str, Any]]:
    found = shop.warehouse(day).read(table).orderBy(*table.key).collect()
    return [row.asDict() for row in found]
