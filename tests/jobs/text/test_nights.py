"""Nights one after another: what was read and compared stays, and equals a night from nothing."""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame

from features.contracts import ITEMS, TEXT_EMBEDDINGS, TEXT_PAIRS, TEXT_STATISTICS, TEXTS, Table
from features.text.blocks import MissingReadingsError
from features.text.texts import list_item_texts
from jobs import build_features, compare_pairs, embed_texts, read_texts
from jobs.compare_pairs import renew_statistics
from jobs.delta.history import Written
from jobs.platform.report import JobReport
from jobs.platform.run import Run
from jobs.platform.warehouse import Warehouse
from jobs.text.versions import (
    MissingStatisticsError,
    read_readings,
    reader_version,
    require_statistics,
)
from model.text.encoder import find_encoder
from model.text.reading import READER_VERSION
from tests.jobs.text.shop import COMPARED, FIRST, SECOND, Shop


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
