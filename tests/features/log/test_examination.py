"""The examination curve: hand-worked, weighted by propensity, and from the days before only."""

from datetime import date

import pytest
from pyspark.sql import DataFrame, SparkSession

from conf.schema import Conf
from features.log.examination import examination_curve, with_examination
from features.log.history import MICRO

CONF = Conf.model_validate({"features": {"prior_impressions": 10, "max_position": 3}})
FEBRUARY = [date(2026, 2, d) for d in range(1, 4)]


def events(spark: SparkSession, rows: list[tuple[int, int, int, int, float | None]]) -> DataFrame:
    """(day of February, position, impressions, clicks, propensity)."""
    return spark.createDataFrame(
        [(date(2026, 2, d), *rest) for d, *rest in rows],
        "day date, position int, impressions long, clicks long, propensity double",
    )


def test_curve_is_relative_to_position_one_and_smoothed(spark: SparkSession) -> None:
    log = events(
        spark,
        [
            *[(1, 1, 1, 1, None)] * 20,
            *[(1, 1, 1, 0, None)] * 20,
            *[(1, 2, 1, 1, None)] * 5,
            *[(1, 2, 1, 0, None)] * 25,
            *[(2, 2, 1, 1, None)] * 50,
        ],
    )
    curve = {
        (r["day"].day, r["position"]): r["examination"] / MICRO
        for r in examination_curve(log, CONF).collect()
    }
    # Before day 1 nothing is known: the prior 1/k. As of day 2: c_1 = 1/2 from day 1 alone.
    assert curve[(1, 1)] == 1.0 and curve[(1, 2)] == 0.5
    assert curve[(2, 1)] == 1.0
    assert curve[(2, 2)] == pytest.approx((5 + 10 * 0.5 * 0.5) / ((30 + 10) * 0.5), abs=1e-6)


def test_inverse_propensity_undoes_the_ranking(spark: SparkSession) -> None:
    """Position 2 shows the good item in 1 page of 10; weights restore an even mix of items."""
    good, bad = (1, 2, 1, 1, 0.1), (1, 2, 1, 0, 0.9)
    log = events(
        spark,
        [
            *[(1, 1, 1, 1, 0.9)] * 90,
            *[(1, 1, 1, 0, 0.1)] * 10,
            *[good] * 10,
            *[bad] * 90,
            (2, 2, 1, 0, 0.5),
        ],
    )
    conf = Conf.model_validate({"features": {"prior_impressions": 1e-9}})
    rows = examination_curve(log, conf).where("day = DATE'2026-02-02' AND position = 2").collect()
    assert rows[0]["examination"] / MICRO == pytest.approx(1.0, abs=1e-3)


def test_deep_positions_share_one_probability(spark: SparkSession) -> None:
    log = events(spark, [(1, 3, 1, 0, None), (1, 9, 1, 0, None), (1, 9, 0, 0, None)])
    examined = [r["examined"] / MICRO for r in with_examination(log, CONF).collect()]
    assert sorted(examined) == pytest.approx([0.0, 1 / 3, 1 / 3], abs=1e-6)
