"""Histogram metrics against the exact ones, and the counts by position."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from features.evaluation.lists import examination_at_position
from features.evaluation.reliability import (
    prediction_histogram,
    queries_by_task,
)
from model.evaluation import metrics
from model.evaluation.bootstrap import BlockBootstrap
from model.evaluation.reliability import estimate_task_metrics

Frame = Callable[..., DataFrame]
SEEN = [1.0, 0.6, 0.3]
BOOTSTRAP = BlockBootstrap(blocks=50, replicates=200, confidence=0.95, seed=3)


@pytest.fixture(scope="module")
def shown(spark: SparkSession) -> DataFrame:
    """20,000 impressions whose predictions hold at position 1 and whose carts are unknown."""
    rng = np.random.default_rng(11)
    p = 1 / (1 + np.exp(-rng.normal(-2, 1, 20_000)))
    position = rng.integers(1, 4, 20_000)
    clicked = rng.random(20_000) < p * np.array(SEEN)[position - 1]
    frame = pd.DataFrame(
        {
            "block": rng.integers(0, 50, 20_000).astype("int32"),
            "region": "us",
            "query_id": rng.integers(0, 300, 20_000).astype(str),
            "search_id": "s",
            "position": position.astype("float32"),
            "p_click": p,
            "p_cart": p,
            "p_purchase": p,
            "label_click": clicked.astype("float32"),
            "label_cart": 0.0,
            "label_purchase": clicked.astype("float32"),
            "mask_click": 1.0,
            "mask_cart": 0.0,
            "mask_purchase": 1.0,
        }
    )
    return spark.createDataFrame(frame)


def test_histogram_metrics_equal_the_exact_ones(shown: DataFrame) -> None:
    histogram = shown.transform(prediction_histogram(0.05, examination_at_position(SEEN)))
    got = estimate_task_metrics(histogram.toPandas(), "click", BOOTSTRAP, groups=15)
    rows = shown.toPandas()
    p, y = rows["p_click"].to_numpy(), rows["label_click"].to_numpy(float)
    at = p * np.array(SEEN)[rows["position"].to_numpy(int) - 1]
    first = (rows["position"] == 1).to_numpy()
    assert got["auc_click"].value == pytest.approx(metrics.compute_auc(p, y), abs=1e-3)
    assert got["log_loss_click_at_position"].value == pytest.approx(
        metrics.compute_log_losses(at, y).mean()
    )
    ratio = got["calibration_ratio_click_at_position"]
    assert ratio.value == pytest.approx(at.sum() / y.sum())
    assert ratio.low is not None and ratio.high is not None
    assert ratio.low < 1 < ratio.high
    assert got["calibration_ratio_click_position_1"].value == pytest.approx(
        p[first].sum() / y[first].sum()
    )
    error = got["calibration_error_click_at_position"]
    assert error.low is not None and error.high is not None
    assert 0 <= error.low <= error.value <= error.high < 0.02


def test_a_prediction_twice_too_high_shows(shown: DataFrame) -> None:
    double = shown.withColumn("p_click", F.col("p_click") * 2)
    histogram = double.transform(prediction_histogram(0.05, examination_at_position(SEEN)))
    got = estimate_task_metrics(histogram.toPandas(), "click", BOOTSTRAP, groups=15)
    mean = float(shown.agg(F.avg("label_click")).collect()[0][0])
    assert got["calibration_ratio_click_at_position"].value == pytest.approx(2, abs=0.2)
    assert got["calibration_error_click_at_position"].value == pytest.approx(mean, rel=0.15)


def test_unknown_labels_do_not_count(shown: DataFrame) -> None:
    histogram = shown.transform(prediction_histogram(0.05, F.lit(1.0)))
    assert estimate_task_metrics(histogram.toPandas(), "cart", BOOTSTRAP, groups=15) == {}
    counts = queries_by_task(shown).collect()[0]
    assert (counts["cart"], counts["purchase"]) == (0, counts["click"])
