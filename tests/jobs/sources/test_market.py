"""Laws that the parameters of a simulated log promise, on hand-made frames."""

from collections.abc import Sequence
from datetime import date
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.sections.market import MarketSource, PolicyConf, ShoppersConf
from jobs.sources.market.clicks import examination
from jobs.sources.market.draws import Draws, choose, cumulative, zipf_rank
from jobs.sources.market.pages import impressions, ranked_pages
from jobs.sources.market.pools import grade_by_attributes
from jobs.sources.market.shoppers import (
    price_sensitivity,
    true_probabilities,
    with_probabilities,
)
from jobs.sources.market.traffic import WEEKDAY_TRAFFIC, region_shares, searches

DRAWS = Draws(3)
RUN_DATE = date(2026, 3, 1)


def test_examination_passes_the_measured_points_and_is_geometric_between() -> None:
    curve = examination(25)
    assert curve[0] == 1.0
    assert curve[1] == pytest.approx(0.106 / 0.310)
    assert curve[2] == pytest.approx(0.077 / 0.310)
    assert curve[9] == pytest.approx(0.027 / 0.310)
    assert curve[24] == pytest.approx(0.015 / 0.310)
    steps = [b / a for a, b in pairwise(curve[2:10])]
    assert steps == pytest.approx([(0.027 / 0.077) ** (1 / 7)] * 7)


def test_examination_falls_on_behind_the_last_point() -> None:
    curve = examination(40)
    assert all(a > b > 0 for a, b in pairwise(curve))


def test_price_sensitivity_is_spread_evenly() -> None:
    conf = ShoppersConf(price_sensitivity_min=0.2, price_sensitivity_max=0.6)
    assert price_sensitivity(conf, ("a", "b", "c")) == pytest.approx({"a": 0.2, "b": 0.4, "c": 0.6})
    assert price_sensitivity(conf, ("a",)) == {"a": 0.2}


def test_region_shares_follow_the_skew() -> None:
    shares = region_shares(MarketSource(region_skew=1.0), ("a", "b"))
    assert shares == pytest.approx({"a": 2 / 3, "b": 1 / 3})


def test_weekday_traffic_keeps_the_number_of_pages() -> None:
    assert sum(WEEKDAY_TRAFFIC) == pytest.approx(7)


def test_cumulative_ends_at_one() -> None:
    assert cumulative([1, 1, 2]) == [0.25, 0.5, 1.0]


def test_draws_have_their_moments_and_depend_on_seed_purpose_and_key(spark: SparkSession) -> None:
    key = F.col("id")
    drawn = (
        spark.range(40_000)
        .select(
            DRAWS.uniform("u", key).alias("u"),
            DRAWS.uniform("u", key).alias("again"),
            DRAWS.uniform("other", key).alias("other_purpose"),
            Draws(4).uniform("u", key).alias("other_seed"),
            DRAWS.normal("n", key).alias("n"),
            DRAWS.below(3, "b", key).alias("b"),
            choose("xy", [3, 1], DRAWS.uniform("c", key)).alias("c"),
        )
        .toPandas()
    )
    assert (drawn.u == drawn.again).all()
    assert drawn.u.min() > 0 and drawn.u.max() < 1
    assert drawn.u.mean() == pytest.approx(0.5, abs=0.006)
    assert drawn.n.mean() == pytest.approx(0, abs=0.02)
    assert drawn.n.std() == pytest.approx(1, abs=0.02)
    assert drawn[["u", "other_purpose", "other_seed"]].corr().abs().to_numpy()[0, 1:].max() < 0.02
    assert set(drawn.b) == {0, 1, 2}
    assert (drawn.c == "x").mean() == pytest.approx(0.75, abs=0.01)


@pytest.mark.parametrize("exponent", [0.0, 0.9, 1.0])
def test_zipf_head_has_its_share(spark: SparkSession, exponent: float) -> None:
    ranks = (
        spark.range(40_000)
        .select(zipf_rank(DRAWS.uniform("z", F.col("id")), 500, exponent).alias("rank"))
        .toPandas()["rank"]
    )

    def integral(x: float) -> float:
        return float(np.log(x) if exponent == 1.0 else (x ** (1 - exponent) - 1) / (1 - exponent))

    assert ranks.min() == 0 and ranks.max() <= 499
    for head in (1, 10, 100):
        share = integral(head + 1) / integral(501)
        assert (ranks < head).mean() == pytest.approx(share, abs=0.012)


def test_grade_follows_the_named_attributes(spark: SparkSession) -> None:
    rows: list[tuple[int, str | None, str | None, int, str, str, int]] = [
        (1, "red", "oak", 1, "red", "oak", 2),
        (1, "red", "oak", 1, "red", "pine", 1),
        (1, "red", "oak", 1, "blue", "pine", 1),
        (1, "red", "oak", 2, "red", "oak", 0),
        (1, None, "oak", 1, "blue", "oak", 2),
        (1, None, None, 1, "blue", "pine", 2),
        (1, None, None, 3, "blue", "pine", 0),
    ]
    columns = "type_index int, wants_colour string, wants_material string, item_type_index int, "
    frame = spark.createDataFrame(rows, columns + "colour string, material string, expected int")
    for other in ("brand", "size"):
        frame = frame.withColumn(f"wants_{other}", F.lit(None).cast("string"))
        frame = frame.withColumn(other, F.lit("any"))
    graded = frame.withColumn("grade", grade_by_attributes()).toPandas()
    assert graded.grade.tolist() == graded.expected.tolist()


def test_probabilities_are_the_planted_logits(spark: SparkSession) -> None:
    conf = ShoppersConf(
        click_intercept=-1.0,
        cart_intercept=0.0,
        purchase_intercept=0.0,
        relevance_strength=0.5,
        popularity=0.4,
        quality=0.2,
        price_sensitivity_min=0.1,
        price_sensitivity_max=0.3,
        brand_taste_sd=0.0,
        pair_noise_sd=0.0,
    )
    pairs = spark.createDataFrame(
        [("q", "b", "i", 2.0, "x", 1.0, 2.0, 3.0), ("q", "a", "i", 0.0, None, 0.0, 0.0, 0.0)],
        "query_text string, region string, item_id string, relevance double, brand string, "
        "popularity double, quality double, cheapness double",
    )
    told = with_probabilities(pairs, conf, ("a", "b"), DRAWS).select(*true_probabilities())
    first, second = told.collect()
    click = _sigmoid(-1 + 0.5 + 0.4 + 0.4 + 0.3 * 3)
    later = _sigmoid(0.5 + 0.4 + 0.5 * 0.3 * 3)
    assert first.true_p_click == pytest.approx(click)
    assert first.true_p_cart == pytest.approx(click * later)
    assert first.true_p_purchase == pytest.approx(click * later * later)
    assert second.true_p_click == pytest.approx(_sigmoid(-1.5))


def test_searches_fall_on_their_days_and_regions(spark: SparkSession) -> None:
    source = MarketSource(days=14, impressions=12_000, page_size=6, region_skew=1.0)
    found = searches(spark, source, ("a", "b"), 50, RUN_DATE, DRAWS).toPandas()
    again = searches(spark, source, ("a", "b"), 50, RUN_DATE, DRAWS).repartition(7).toPandas()
    assert len(found) == pytest.approx(2_000, abs=14)
    assert found.search_id.is_unique
    assert (found.region == "a").mean() == pytest.approx(2 / 3, abs=0.06)
    day = pd.to_datetime(found.event_second, unit="s").dt.date
    assert (day == found.day).all()
    assert day.min() == date(2026, 2, 15) and day.max() == date(2026, 2, 28)
    columns = list(found.columns)
    assert found.sort_values("search_id")[columns].values.tolist() == (
        again.sort_values("search_id")[columns].values.tolist()
    )


def test_propensity_is_the_frequency_of_an_item_at_a_position(spark: SparkSession) -> None:
    source = _source(exploration=0.3)
    shown = _shown(spark, source, pages=4_000)
    table = shown.groupby(["item_id", "position"]).agg(
        times=("search_id", "size"), propensity=("propensity", "first")
    )
    assert shown.groupby(["item_id", "position"]).propensity.nunique().max() == 1
    assert table.times.to_numpy() / 4_000 == pytest.approx(table.propensity.to_numpy(), abs=0.03)
    assert table.groupby("position").propensity.sum().tolist() == pytest.approx([1, 1, 1])
    # popularity 3 > 2 > 1 > 0 orders the greedy page; the pool of four is longer than the page
    assert table.propensity["i3", 1] == pytest.approx(0.3 / 4 + 0.7)
    assert table.propensity["i0", 1] == pytest.approx(0.3 / 4)


def test_random_pages_show_the_examination_curve(spark: SparkSession) -> None:
    source = _source(exploration=1.0)
    searched, pairs = _searched(spark, 8_000), _pool(spark, [0.2, 0.4, 0.6, 0.8])
    log = impressions(ranked_pages(searched, pairs, source, DRAWS), source, RUN_DATE, DRAWS)
    rates = log.groupBy("position").agg(F.avg(F.col("clicked").cast("double"))).toPandas()
    by_position = rates.sort_values("position").iloc[:, 1].to_numpy() / 0.5
    assert by_position == pytest.approx(examination(3), abs=0.03)


def test_later_steps_follow_the_page(spark: SparkSession) -> None:
    rows = _log(spark, RUN_DATE)
    assert (rows.known_at > rows.event_time).all()
    assert not (rows.carted & ~rows.clicked).any() and not (rows.purchased & ~rows.carted).any()
    assert (rows.carted_at.notna() == rows.carted).all()
    assert (rows.purchased_at.notna() == rows.purchased).all()
    late = rows.known_at - rows.event_time
    assert (late > pd.Timedelta(days=1)).mean() == pytest.approx(0.02, abs=0.008)
    assert late.max() < pd.Timedelta(days=3, hours=1)
    after = (rows.purchased_at - rows.event_time).dropna()
    assert after.min() > pd.Timedelta(0) and after.max() < pd.Timedelta(days=3, hours=1)


def test_what_comes_after_the_run_date_is_not_in_the_log(spark: SparkSession) -> None:
    key = ["search_id", "item_id"]
    soon, later = _log(spark, date(2026, 2, 22)), _log(spark, RUN_DATE)
    for column in ("event_time", "known_at", "carted_at", "purchased_at"):
        assert soon[column].dropna().max() < pd.Timestamp(2026, 2, 22)
    both = soon.merge(later, on=key, suffixes=("", "_later"))
    assert len(both) == len(soon) < len(later)
    assert (both.clicked == both.clicked_later).all()
    undone = both.carted_later & ~both.carted
    assert undone.any() and not (both.carted & ~both.carted_later).any()
    assert (both.carted_at_later[undone] >= pd.Timestamp(2026, 2, 22)).all()


def _sigmoid(x: float) -> float:
    return float(1 / (1 + np.exp(-x)))


def _source(exploration: float) -> MarketSource:
    policy = PolicyConf(exploration=exploration, popularity=1, price=0, match=0, drift_sd=0)
    return MarketSource(page_size=3, policy=policy)


def _searched(spark: SparkSession, pages: int) -> DataFrame:
    second = F.unix_seconds(F.lit("2026-02-20 10:00:00").cast("timestamp"))
    return spark.range(pages).select(
        F.concat(F.lit("s"), "id").alias("search_id"),
        F.lit(0).cast("long").alias("text_number"),
        F.lit("a").alias("region"),
        F.lit(date(2026, 2, 20)).alias("day"),
        (second + F.col("id") * 30).alias("event_second"),
    )


def _pool(spark: SparkSession, p_click: Sequence[float]) -> DataFrame:
    rows = [
        (0, "a", "q", f"i{n}", 1.0, 10.0, float(n), 0.0, p, 0.9, 0.9) for n, p in enumerate(p_click)
    ]
    return spark.createDataFrame(
        rows,
        "text_number long, region string, query_id string, item_id string, relevance double, "
        "price double, popularity double, cheapness double, p_click double, p_cart double, "
        "p_purchase double",
    )


def _log(spark: SparkSession, run_date: date) -> pd.DataFrame:
    """4,000 pages of 20 and 21 February, where whatever is examined is clicked."""
    source = _source(exploration=1.0)
    pages = ranked_pages(_searched(spark, 4_000), _pool(spark, [1.0] * 4), source, DRAWS)
    return impressions(pages, source, run_date, DRAWS).toPandas()


def _shown(spark: SparkSession, source: MarketSource, pages: int) -> pd.DataFrame:
    pool = _pool(spark, [0.5] * 4)
    return ranked_pages(_searched(spark, pages), pool, source, DRAWS).toPandas()
