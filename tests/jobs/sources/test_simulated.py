"""The simulated market from end to end, at a small size."""

from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from conf.load import SIMULATED, ResolvedConf, load_conf
from conf.sections.market import ShoppersConf
from jobs.sources.base import SourceError
from jobs.sources.simulated import keep_distinct_texts, read
from model.market.clicks import compute_examination

RUN_DATE = date(2026, 3, 1)
SIZE = (
    "source.items=1200",
    "source.queries=60",
    "source.days=7",
    "source.impressions=12000",
    "regions=[us, uk]",
)
Tables = dict[str, pd.DataFrame]


def _conf(*settings: str) -> ResolvedConf:
    return load_conf([SIMULATED], settings=[*SIZE, *settings], run_date=RUN_DATE.isoformat())


@pytest.fixture(scope="module")
def market(spark: SparkSession) -> Tables:
    """Every frame of one market, fetched once."""
    raw = read(spark, _conf())
    frames = {
        "items": raw.items,
        "queries": raw.queries,
        "impressions": raw.impressions,
        "judgments": raw.judgments,
        **{table.name: df for table, df in raw.extras.items()},
    }
    return {name: df.toPandas() for name, df in frames.items()}


def test_sizes_are_those_of_the_conf(market: Tables) -> None:
    assert len(market["items"]) == 1200 and market["items"].item_id.is_unique
    texts = market["queries"].query_text.str.lower().nunique()
    assert 0.95 * 60 <= texts <= 60
    assert len(market["queries"]) == 2 * texts and market["queries"].query_id.is_unique
    assert len(market["impressions"]) == pytest.approx(12_000, rel=0.02)
    assert not market["impressions"].duplicated(["search_id", "item_id"]).any()
    assert not market["impressions"].duplicated(["search_id", "position"]).any()
    assert not market["judgments"].duplicated(["query_id", "item_id"]).any()
    assert not market["market_truth"].duplicated(["query_id", "item_id"]).any()


def test_everything_is_marked_simulated(market: Tables) -> None:
    for name in ("items", "queries", "impressions", "judgments"):
        assert market[name].simulated.all()
        assert (market[name].dataset == "simulated").all()


def test_queries_have_one_to_five_words(market: Tables) -> None:
    words = market["queries"].query_text.str.split().str.len()
    assert words.between(1, 5).all() and words.nunique() >= 4


def test_no_latent_of_an_item_is_visible(market: Tables) -> None:
    latents = {"quality", "cheapness", "popularity", "number", "shard", "type_index"}
    assert not latents & set(market["items"].columns)


def test_judgments_are_the_true_grades(market: Tables) -> None:
    both = market["judgments"].merge(market["market_truth"], on=["query_id", "item_id"])
    assert len(both) == len(market["judgments"])
    assert (both.grade == both.true_grade).all()
    shares = both.grade.value_counts(normalize=True)
    assert shares[0] == pytest.approx(0.25, abs=0.08)
    assert shares[2] > 0.05 and shares[1] > 0.3
    judged = market["judgments"].merge(market["queries"], on="query_id").query_text.nunique()
    assert judged / 60 == pytest.approx(0.6, abs=0.2)


def test_noisy_raters_change_the_judgments_and_not_the_truth(
    spark: SparkSession, market: Tables
) -> None:
    raw = read(spark, _conf("source.rater_noise_sd=0.8"))
    judged = raw.judgments.toPandas()
    both = judged.merge(market["market_truth"], on=["query_id", "item_id"])
    assert len(both) == len(judged) == len(market["judgments"])
    assert 0.5 < (both.grade == both.true_grade).mean() < 0.95
    assert (
        judged.merge(market["queries"], on="query_id")
        .groupby(["query_text", "item_id"])
        .grade.nunique()
        .max()
        == 1
    )


def test_pages_show_popular_misfits(market: Tables) -> None:
    shown = market["impressions"].merge(market["market_truth"], on=["query_id", "item_id"])
    assert len(shown) == len(market["impressions"])
    top = shown[shown.position <= 3]
    assert 0.03 < (top.true_grade == 0).mean() < 0.5


def test_clicks_follow_the_planted_truth(market: Tables) -> None:
    shown = market["impressions"].merge(market["market_truth"], on=["query_id", "item_id"])
    curve = compute_examination(12)
    examined = shown.position.map(lambda p: curve[p - 1])
    shown["expected"] = examined * shown.true_p_click
    variance = (shown.expected * (1 - shown.expected)).sum()
    assert abs(shown.clicked.sum() - shown.expected.sum()) < 4 * variance**0.5
    thirds = pd.qcut(shown.true_p_click, 3, labels=False)
    rates = shown.clicked.groupby(thirds).sum() / examined.groupby(thirds).sum()
    assert rates[0] < rates[1] < rates[2]


def test_relevant_items_are_bought_more_but_clicks_follow_weakly(market: Tables) -> None:
    truth = market["market_truth"]
    by_grade = truth.groupby("true_grade")[["true_p_click", "true_p_purchase"]].mean()
    assert by_grade.true_p_purchase[2] > by_grade.true_p_purchase[0]
    assert truth[["true_p_click", "true_grade"]].corr().iloc[0, 1] < 0.6


def test_truth_is_ordered_along_the_funnel(market: Tables) -> None:
    truth = market["market_truth"]
    assert (truth.true_p_purchase <= truth.true_p_cart).all()
    assert (truth.true_p_cart <= truth.true_p_click).all()
    assert truth.true_p_click.between(0, 1).all()


def test_parameters_hold_conf_curve_regions_and_tastes(market: Tables) -> None:
    table = market["market_parameters"]
    assert table.name.is_unique and (table.meaning.str.len() > 0).all()
    values = table.set_index("name").value
    assert values["shoppers.relevance_strength"] == ShoppersConf().relevance_strength
    assert values["examination.1"] == 1.0 and values["clicks.cascade"] == 0.0
    assert values["examination.2"] == pytest.approx(0.106 / 0.310)
    assert values["clicks.trust_bias"] == values["trust.1"] == values["policy.text"] == 0.0
    assert {"price_sensitivity.us", "price_level.uk", "traffic.us"} <= set(values.index)
    tastes = values[values.index.str.startswith("brand_taste.us.")]
    assert len(tastes) == market["items"].brand.nunique()


def test_the_next_run_on_other_partitions_sees_the_same_days(
    spark: SparkSession, market: Tables
) -> None:
    spark.catalog.clearCache()
    other = [*SIZE, "spark.shuffle_partitions=5"]
    # A text's pool and pages fall into many batches.
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", "17")
    try:
        tomorrow = load_conf([SIMULATED], settings=other, run_date="2026-03-02")
        log = read(spark, tomorrow).impressions.where(F.col("event_time") < "2026-03-01").toPandas()
    finally:
        spark.conf.unset("spark.sql.execution.arrow.maxRecordsPerBatch")
    today = market["impressions"]
    shared = today[today.event_time >= log.event_time.min().normalize()]
    both = shared.merge(log, on=["search_id", "item_id"], suffixes=("", "_next"))
    assert len(both) == len(shared) <= len(log)
    for column in ("query_id", "position", "clicked", "price", "propensity", "known_at"):
        assert (both[column] == both[f"{column}_next"]).all()
    assert (both.purchased <= both.purchased_next).all()


def test_a_text_that_is_typed_again_gets_modifiers_or_falls_out(spark: SparkSession) -> None:
    typed = ["red desk", "rug", "Red desk ", "red desk", "a b c d e", "a b c d e"]
    frame = spark.createDataFrame(
        [(n, 0, text) for n, text in enumerate(typed)], "text_number long, shard long, typed string"
    )
    found = {row["text_number"]: row["query_text"] for row in keep_distinct_texts(frame).collect()}
    assert found == {0: "red desk", 1: "rug", 2: "best Red desk ", 3: "cheap red desk", 4: typed[4]}
    many = spark.range(25).selectExpr("id AS text_number", "0L AS shard", "'rug' AS typed")
    texts = keep_distinct_texts(many).orderBy("text_number").toPandas().query_text
    assert texts.is_unique and texts[21] == "best best rug" and texts[22] == "best cheap rug"


def test_another_seed_is_another_market(spark: SparkSession, market: Tables) -> None:
    other = read(spark, _conf("seed=18")).items.toPandas()
    assert (other.title != market["items"].title).mean() > 0.9


def test_another_kind_of_source_is_refused(spark: SparkSession, tmp_path: Path) -> None:
    conf = load_conf([SIMULATED], settings=["source.kind=homedepot", f"source.path={tmp_path}"])
    with pytest.raises(SourceError, match="homedepot"):
        read(spark, conf)
