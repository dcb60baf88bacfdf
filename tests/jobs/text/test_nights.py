"""Nights one after another: what was read and compared stays, and equals a night from nothing."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.load import SIMULATED, ResolvedConf, load_conf
from features.contracts import (
    CANDIDATES,
    IMPRESSIONS,
    ITEM_FEATURES,
    ITEMS,
    QUERIES,
    QUERY_FEATURES,
    QUERY_ITEM_FEATURES,
    TEXT_EMBEDDINGS,
    TEXT_PAIRS,
    TEXT_STATISTICS,
    TEXTS,
    Table,
)
from features.spine import feature_spine
from features.text.blocks import MissingReadingsError
from features.text.texts import list_item_texts
from jobs import build_features, compare_pairs, embed_texts, import_features, read_texts
from jobs.build_features import prepare_inputs
from jobs.compare_pairs import renew_statistics
from jobs.platform.report import JobReport
from jobs.platform.run import Run
from jobs.platform.runner import open_warehouse, run_job
from jobs.platform.warehouse import Warehouse, Written
from jobs.text.versions import (
    MissingStatisticsError,
    read_readings,
    reader_version,
    require_statistics,
)
from model.text.encoder import find_encoder
from model.text.reading import READER_VERSION

TableFrame = Callable[..., DataFrame]
FIRST, SECOND = dt.date(2026, 3, 1), dt.date(2026, 3, 2)
TITLES = {
    FIRST: {"a": "Red sofa 84 in.", "b": "Blue sofa", "c": "Desk lamp", "d": "Acme rug 6 ft."},
    SECOND: {"a": "Red sofa 84 in.", "b": "Navy sofa", "c": "Desk lamp", "e": "Acme sofa bed"},
}
COMPARED = (QUERY_FEATURES, QUERY_ITEM_FEATURES)
ASKED = {FIRST: ("red sofa", "lamp"), SECOND: ("red sofa", "navy")}
JOBS = (embed_texts, read_texts, compare_pairs)
WEEK = [FIRST + dt.timedelta(days=n) for n in range(7)]
NAMES = ("Red sofa", "Navy sofa 84 in.", "Desk lamp", "Acme rug 6 ft.", "Lamp shade", "Oak desk")


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

    def deliver_night(self, n: int, *, whole: bool) -> None:
        """Write what a source has on night `n` of WEEK: each day an item is new, one is renamed and
        one may leave, a query is new, and pages of the day before are shown.

        Args:
            whole: the log and the own features of all days up to it; else of the night alone.
        """
        day, warehouse = WEEK[n], self.warehouse(WEEK[n])
        titles = {
            f"i{k}": NAMES[(k + (k < n)) % len(NAMES)] for k in range(n + 4) if k % 4 or k >= n
        }
        asked = list_asked(n)
        items = [{"item_id": i, "title": t, "price": 5.0} for i, t in titles.items()]
        queries = [{"query_id": t, "query_text": t, "region": "us"} for t in asked]
        pairs = [
            {"query_id": t, "item_id": i, "region": "us", "from_log": True, "run_date": day}
            for t in asked
            for i in titles
        ]
        for table, rows in ((ITEMS, items), (QUERIES, queries)):
            warehouse.replace(table, self.frame(table, rows), "true")
        warehouse.replace_run(CANDIDATES, self.frame(CANDIDATES, pairs))
        nights = range(n + 1) if whole else [n]
        shown = [row for night in nights for row in show_page(WEEK[night])]
        warehouse.merge(IMPRESSIONS, self.frame(IMPRESSIONS, shown))
        own = [f"i{k},{WEEK[night]},{k * 7 + night}" for night in nights for k in range(night + 4)]
        season = [f"{t},{WEEK[m]},{len(t) % 2 == m % 2}" for m in nights for t in list_asked(m)]
        boost = [f"{t},i{m + 3},{WEEK[m]},{len(t) / 8 + m}" for m in nights for t in list_asked(m)]
        for name, head, lines in (
            ("stock", "item_id,day,stock", own),
            ("season", "query_text,day,seasonal", season),
            ("boost", "query_text,item_id,day,boost", boost),
        ):
            self.name_own_file(name).write_text("\n".join([head, *lines]))

    def name_own_file(self, name: str) -> Path:
        return self.root.with_suffix(f".{name}.csv")

    def run_own_night(self, n: int, *, with_features: bool) -> dict[Table, DataFrame]:
        """Run the night with own features; the features as they are stored, if they are made."""
        own = [
            f"features.own.{name}={{format: csv, path: '{self.name_own_file(name)}', as_of: day, "
            f"{rest}}}"
            for name, rest in (
                ("stock", "key: [item_id], features: {stock: {dtype: int}}"),
                (
                    "season",
                    "key: [query_text, region], fixed: {region: us}, "
                    "features: {seasonal: {dtype: boolean}}",
                ),
                ("boost", "key: [query_text, item_id], features: {boost: {}}"),
            )
        ]
        conf = self.conf(WEEK[n], *own, "features.statistics_renewal=0", "features.training_days=3")
        for job in (import_features, *JOBS, *([build_features] if with_features else [])):
            run_job(job.JOB, self.spark, conf)
        if not with_features:
            return {}
        stored = {t: self.warehouse(WEEK[n]).read_run(t) for t in (ITEM_FEATURES, *COMPARED)}
        pairs = stored[QUERY_ITEM_FEATURES]  # the last digits of a cosine are those of its batch
        rounded = pairs.withColumn("pair_cosine", F.round("pair_cosine", 4))
        stored[QUERY_ITEM_FEATURES] = rounded
        return {t: rows.withColumn("own", F.to_json("own")) for t, rows in stored.items()}

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


def list_asked(n: int) -> list[str]:
    """Queries of night `n` of WEEK."""
    return [*ASKED[FIRST], *(name.lower() for name in NAMES[1 : n + 1])]


def show_page(day: dt.date) -> list[dict[str, Any]]:
    """The page that was shown the day before, of two queries: the first item is clicked."""
    at = dt.datetime.combine(day - dt.timedelta(days=1), dt.time(12))
    return [
        {
            "search_id": f"{query} {day}",
            "query_id": query,
            "item_id": f"i{item}",
            "region": "us",
            "position": item,
            "event_time": at,
            "known_at": at,
            "event_date": at.date(),
            "price": 5.0,
            "clicked": item == 1,
            "carted": False,
            "purchased": False,
        }
        for query in ASKED[FIRST]
        for item in (1, 2, 3)
    ]


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


def test_a_week_of_nights_ends_with_what_its_last_date_gives_from_nothing(
    shop: Shop, tmp_path: Path
) -> None:
    """Items, texts, the log and own features change every day."""
    for n in range(len(WEEK)):
        shop.deliver_night(n, whole=False)
        found = shop.run_own_night(n, with_features=n == len(WEEK) - 1)
    alone = Shop(shop.spark, tmp_path / "alone", shop.encoder, shop.frame)
    alone.deliver_night(n, whole=True)
    for table, expected in alone.run_own_night(n, with_features=True).items():
        assert_df_equality(found[table], expected, ignore_row_order=True)
        assert not expected.isEmpty()
    items = found[ITEM_FEATURES]
    for table, least in ((ITEM_FEATURES, 10), (QUERY_FEATURES, 1), (QUERY_ITEM_FEATURES, 3)):
        assert found[table].select("own").distinct().count() > least, table.name
    assert not items.where("item_debiased_ctr_28d > 0").isEmpty()


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


def test_rules_that_changed_are_noticed_and_versions_no_longer_kept_go(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = "features.kept_versions=1"
    shop.deliver(FIRST)
    shop.run_night(FIRST, one)
    before = shop.conf(FIRST, one).tree
    old = [reader_version(before), find_encoder(before.encoder).version]
    monkeypatch.setattr("jobs.text.versions.READER_VERSION", READER_VERSION + 1)
    conf = shop.conf(FIRST, one, "encoder.max_tokens=16")
    with pytest.raises(MissingReadingsError, match="run `counterpoise read_texts`"):
        compare_pairs.JOB.run(shop.spark, conf)
    with pytest.raises(MissingStatisticsError, match="run `counterpoise compare_pairs`"):
        build_features.JOB.run(shop.spark, conf)
    reports = shop.run_night(FIRST, one, "encoder.max_tokens=16")
    assert reports["read_texts"].details["removed_versions"] == old[:1]
    assert reports["embed_texts"].details["removed_versions"] == old[1:]
    for table, column in ((TEXTS, "reader_version"), (TEXT_EMBEDDINGS, "encoder_version")):
        assert {row[column] for row in read_all(shop, FIRST, table)}.isdisjoint(old)
    statistics = {row["statistics_version"] for row in read_all(shop, FIRST, TEXT_STATISTICS)}
    assert len(statistics) == 1 and not statistics.pop().startswith(old[0])

    warehouse = shop.warehouse(FIRST)
    warehouse.replace(TEXTS, shop.frame(TEXTS, []), "true")
    with pytest.raises(MissingReadingsError, match="run `counterpoise read_texts`"):
        build_features.JOB.run(shop.spark, conf)


def read_items(shop: Shop, day: dt.date) -> DataFrame:
    warehouse = shop.warehouse(day)
    hashes = list_item_texts(warehouse.read(ITEMS)).select("text_hash")
    return hashes.join(read_readings(warehouse), on="text_hash", how="inner")


def read_all(shop: Shop, day: dt.date, table: Table) -> Sequence[dict[str, Any]]:
    found = shop.warehouse(day).read(table).orderBy(*table.key).collect()
    return [row.asDict() for row in found]
