"""The samples that choose the currency, against the numpy yardsticks on pages drawn at random."""

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from features.evaluation.weighed import weighed_samples
from model.evaluation.engagement import Shown, measure_debiased, measure_off_policy

K, CAP = 3, 50.0
SEEN = np.asarray([1.0, 0.5, 0.2])


def draw_pages() -> pd.DataFrame:
    """80 pages of 1 to 6 items, some without a propensity."""
    draw = np.random.default_rng(21)
    rows = []
    for page in range(80):
        known = draw.random() < 0.7
        for place in range(int(draw.integers(1, 7))):
            chance = float(draw.choice([0.01, 0.1, 0.8]))
            gain = float(draw.random() < 0.3) * float(draw.integers(1, 4))
            rows.append((page, page % 9, place + 1, gain, chance if known else None))
    return pd.DataFrame(rows, columns=["page", "query", "position", "gain", "propensity"])


def test_samples_are_those_of_numpy(spark: SparkSession) -> None:
    pages = draw_pages()
    frame = spark.createDataFrame(pages.replace({np.nan: None})).selectExpr("*", "page unit")
    seen = F.get(F.array(*map(F.lit, SEEN.tolist())), F.least("position", F.lit(3)) - 1)
    inverse = F.when(F.col("propensity") > 0, F.least(1 / F.col("propensity"), F.lit(CAP)))
    gains = {"debiased": F.col("gain") / seen, "off_policy": F.col("gain") * inverse}
    samples = frame.transform(weighed_samples(gains, F.col("gain"), seen)).collect()[0]
    shown = Shown(
        page=pages["page"].to_numpy(),
        query=pages["query"].to_numpy(),
        pair=np.arange(len(pages)),
        position=pages["position"].to_numpy(),
        gains=pages["gain"].to_numpy(),
        propensity=pages["propensity"].to_numpy(np.float64),
        k=K,
    )
    score = np.zeros(len(pages))
    expected = {
        "debiased": measure_debiased(shown, score, SEEN, 0.01),
        "off_policy": measure_off_policy(shown, score, CAP),
    }
    assert expected["off_policy"].share < expected["debiased"].share < 1
    for name, found in expected.items():
        assert samples[f"effective_{name}"] == pytest.approx(found.effective)
        assert samples[f"pages_{name}"] / samples["pages"] == pytest.approx(found.share)
    looked = SEEN[np.minimum(pages["position"], K) - 1].sum()
    assert samples["reward"] == pytest.approx(pages["gain"].sum() / looked)
