"""Candidates, embeddings and features on a tiny market: rows, values, run twice, point in time."""

import datetime as dt

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from features.contracts import (
    CANDIDATES,
    ITEM_FEATURES,
    QUERY_FEATURES,
    QUERY_ITEM_FEATURES,
    TEXT_EMBEDDINGS,
    TEXT_PAIRS,
    TEXT_STATISTICS,
    TEXTS,
    Table,
)
from features.declarations import ITEM_LEVEL, PAIR_LEVEL, QUERY_LEVEL
from features.text.blocks import MissingEmbeddingsError, MissingReadingsError
from jobs import build_candidates, build_features, compare_pairs, embed_texts, read_texts
from jobs.platform.report import JobReport
from jobs.text.versions import MissingStatisticsError
from tests.jobs.features_market import RUN, TITLES, Market, as_of, log, shown, write_market

JOBS = (embed_texts, read_texts, build_candidates, compare_pairs, build_features)
TABLES = {QUERY_FEATURES: QUERY_LEVEL, ITEM_FEATURES: ITEM_LEVEL, QUERY_ITEM_FEATURES: PAIR_LEVEL}


@pytest.fixture(scope="module")
def market(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, tiny_encoder: str
) -> Market:
    return write_market(spark, str(tmp_path_factory.mktemp("market")), tiny_encoder)


@pytest.fixture(scope="module")
def reports(market: Market) -> dict[str, JobReport]:
    """The jobs, run once."""
    conf = market.conf()
    return {job.JOB.name: job.JOB.run(market.spark, conf) for job in JOBS}


def test_candidates_are_seen_judged_and_retrieved(
    market: Market, reports: dict[str, JobReport]
) -> None:
    """Idle queries (`red sofa|uk`; `lamp`, last shown 40 days ago) have none."""
    origins: dict[str, dict[str, str]] = {}
    for row in market.rows(CANDIDATES):
        letters = "".join("LJR"[n] for n in range(3) if row[4 + n])
        origins.setdefault(row["query_id"], {})[row["item_id"]] = letters
    assert origins["red sofa|us"].items() >= {"sofa1": "LR"}.items()
    assert set(origins["red sofa|us"]) >= {"sofa1", "sofa2", "lamp1"}
    assert "".join(origins["red sofa|us"].values()).count("R") == 2
    assert origins["desk|uk"] == {"lamp2": "R", "sofa3": "J"}
    assert set(origins) == {"red sofa|us", "desk|uk"}
    count = reports["build_candidates"].counts[0]
    assert count.rows_in == count.rows_out == len(market.rows(CANDIDATES))


def test_only_new_texts_are_embedded(market: Market, reports: dict[str, JobReport]) -> None:
    count = reports["embed_texts"].counts[0]
    assert count.rows_out == len(TITLES) + 3
    first = market.rows(TEXT_EMBEDDINGS)
    again = embed_texts.JOB.run(market.spark, market.conf())
    assert again.counts[0].rows_out == 0 and "text_embeddings" not in again.outputs
    assert market.rows(TEXT_EMBEDDINGS) == first
    assert {len(row["embedding"]) for row in first} == {16}


def test_only_new_texts_are_read(market: Market, reports: dict[str, JobReport]) -> None:
    assert reports["read_texts"].counts[0].rows_out == len(TITLES) + 3
    first = market.rows(TEXTS)
    again = read_texts.JOB.run(market.spark, market.conf())
    assert again.counts[0].rows_out == 0 and "texts" not in again.outputs
    assert market.rows(TEXTS) == first
    assert {tuple(row["tokens"]) for row in first} >= {("red", "sofa"), ("belux", "desk", "lamp")}


def test_only_new_pairs_are_compared(market: Market, reports: dict[str, JobReport]) -> None:
    """Both regions' queries are one text: a pair of texts is compared once."""
    first = market.rows(TEXT_PAIRS)
    pairs = {(r["query_id"].split("|")[0], r["item_id"]) for r in market.rows(QUERY_ITEM_FEATURES)}
    assert len(first) == len(pairs) == reports["compare_pairs"].counts[-1].rows_out
    statistics = market.rows(TEXT_STATISTICS)
    assert {r["items"] for r in statistics if r["kind"] == "catalogue"} == {len(TITLES)}
    again = compare_pairs.JOB.run(market.spark, market.conf())
    assert again.counts[0].rows_out == 0 and not again.outputs
    assert again.details["catalogue_changed"] == 0.0
    assert market.rows(TEXT_PAIRS) == first


def test_features_have_a_row_a_spine_key(market: Market, reports: dict[str, JobReport]) -> None:
    days = {
        (row["as_of_date"], row["query_id"], row["item_id"])
        for row in market.rows(QUERY_ITEM_FEATURES)
    }
    scored = {(RUN, row["query_id"], row["item_id"]) for row in market.rows(CANDIDATES)}
    recent = [row for row in log() if row["event_date"] >= dt.date(2026, 2, 1)]
    training = {(row["event_date"], row["query_id"], row["item_id"]) for row in recent}
    assert days == scored | training
    assert {c.table: c.rows_out for c in reports["build_features"].counts} == {
        table.name: len(market.rows(table)) for table in TABLES
    }


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_features_are_finite(market: Market, reports: dict[str, JobReport], table: Table) -> None:
    names = [f.name for f in TABLES[table]]
    frame = market.warehouse().read_run(table)
    assert {frame.schema[name].dataType.simpleString() for name in names} == {"float"}
    broken = [
        F.count_if(F.col(n).isNull() | F.isnan(n) | (F.abs(n) == float("inf"))) for n in names
    ]
    assert set(frame.agg(*broken).collect()[0]) == {0}


def test_values_of_the_run_date(market: Market, reports: dict[str, JobReport]) -> None:
    """Hand-worked, with n = 50 and, over the 28 days, 4 impressions, 3 clicks, 1 cart."""
    pair = next(
        r
        for r in market.rows(QUERY_ITEM_FEATURES)
        if r["as_of_date"] == RUN and r["item_id"] == "sofa1" and r["query_id"] == "red sofa|us"
    )
    assert pair["pair_impressions_28d"] == pytest.approx(1.0986123)
    assert pair["pair_ctr_28d"] == pytest.approx((1 + 50 * 0.75) / 52)
    assert pair["pair_cart_rate_28d"] == pytest.approx((1 + 50 * 0.25) / 52)
    assert (pair["pair_token_overlap"], pair["pair_colour_match"]) == (1.0, 1.0)
    assert (pair["pair_head_match"], pair["pair_last_match"]) == (1.0, 1.0)
    assert pair["pair_idf_overlap"] == 1.0
    assert pair["pair_brand_match"] == pair["pair_number_match"] == pair["pair_size_match"] == 0.0
    item = next(
        r
        for r in market.rows(ITEM_FEATURES)
        if r["as_of_date"] == RUN and r["item_id"] == "sofa1" and r["region"] == "us"
    )
    assert item["item_impressions_7d"] == pytest.approx(1.0986123)
    assert item["item_impressions_1d"] == 0.0
    assert item["item_region_popularity"] == pytest.approx(1.3862944)
    asked = next(r for r in market.rows(QUERY_FEATURES) if r["query_id"] == "red sofa|us")
    assert asked["region_index"] == 1.0


def test_run_twice_gives_the_same_rows_in_one_more_version(
    market: Market, reports: dict[str, JobReport]
) -> None:
    tables = (CANDIDATES, *TABLES)
    before = {table: market.rows(table) for table in tables}
    again = [job.JOB.run(market.spark, market.conf()) for job in (build_candidates, build_features)]
    first = reports["build_candidates"].outputs | reports["build_features"].outputs
    for table in tables:
        assert market.rows(table) == before[table]
        written = again[table is not CANDIDATES].outputs[table.name]
        assert int(written) == int(first[table.name]) + 1


def test_dry_run_writes_nothing(market: Market, reports: dict[str, JobReport]) -> None:
    before = {table: market.warehouse().read_version(table) for table in (CANDIDATES, *TABLES)}
    conf = market.conf(dry_run=True)
    for job in JOBS:
        assert job.JOB.run(market.spark, conf).outputs.keys() <= {t.name for t in before}
    assert {table: market.warehouse().read_version(table) for table in before} == before


def test_features_need_the_embeddings(market: Market, reports: dict[str, JobReport]) -> None:
    with pytest.raises(MissingEmbeddingsError, match="run `counterpoise embed_texts`"):
        compare_pairs.JOB.run(market.spark, market.conf("encoder.max_tokens=16"))


def test_texts_of_another_language_are_read_first(
    market: Market, reports: dict[str, JobReport]
) -> None:
    conf = market.conf("language={name: other}")
    for job in (build_candidates, compare_pairs):
        with pytest.raises(MissingReadingsError, match="run `counterpoise read_texts`"):
            job.JOB.run(market.spark, conf)
    with pytest.raises(MissingStatisticsError, match="run `counterpoise compare_pairs`"):
        build_features.JOB.run(market.spark, conf)


def test_pairs_are_compared_before_they_get_features(
    market: Market, reports: dict[str, JobReport]
) -> None:
    conf = market.conf()
    tables = build_features.read_tables(market.warehouse(), conf)
    spine = market.spark.createDataFrame(
        [("red sofa|us", "sofa3", "us", RUN)],
        "query_id string, item_id string, region string, day date",
    )
    inputs = build_features.prepare_inputs(tables, spine, conf.tree)
    with pytest.raises(PySparkException, match="run `counterpoise compare_pairs`"):
        build_features.build(inputs, conf.tree)[QUERY_ITEM_FEATURES].collect()
    for frame in inputs.list_shared():
        frame.unpersist()


def test_no_feature_moves_with_late_or_future_events(
    market: Market, reports: dict[str, JobReport]
) -> None:
    """As of the 28th: nothing that happened from the 28th on, or was known only then."""
    asked = dt.date(2026, 2, 28)
    late, future = dt.date(2026, 2, 27), asked
    funnel = {"clicked": True, "carted": True, "purchased": True, "price": 9999.0}
    known_late = {"known_at": dt.datetime(2026, 2, 28, 1), "search_id": "late"}
    bought_late = {
        "carted": True,
        "carted_at": dt.datetime(2026, 2, 28, 2),
        "purchased": True,
        "purchased_at": dt.datetime(2026, 2, 28, 3),
    }
    planted = log()
    planted[3] |= bought_late
    planted += [
        shown(late, "red sofa", item, 1, **known_late, **funnel) for item in ("sofa1", "sofa3")
    ]
    planted += [shown(future, "red sofa", item, 2, **funnel) for item in ("lamp1", "sofa2")]
    quiet, moved = (as_of(market, rows, [asked, RUN]) for rows in (log(), planted))
    for table in TABLES:
        assert quiet[table, asked] == moved[table, asked]
        assert quiet[table, RUN] != moved[table, RUN]
