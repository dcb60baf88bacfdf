"""The Spark yardsticks against the numpy ones, on pages and lists drawn at random."""

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from features.evaluation.examination import pair_places, position_pairs
from features.evaluation.served import clear_pair_sums, mixed_lists, pooled_lists
from features.evaluation.sums import ranked_sums
from features.evaluation.weighed import ratio_sums, weighed_samples
from model.evaluation.block_sums import ALL, BlockSums
from model.evaluation.engagement import Shown, measure_debiased, measure_off_policy
from model.evaluation.relevance import GradedLists, measure_clear_pairs

K, CAP = 3, 50.0
SEEN = np.asarray([1.0, 0.5, 0.2])


@pytest.fixture(scope="module")
def pages_frame() -> pd.DataFrame:
    """80 pages of 1 to 6 items, some without a propensity."""
    rng = np.random.default_rng(21)
    rows = []
    for page in range(80):
        known = rng.random() < 0.7
        for place in range(int(rng.integers(1, 7))):
            chance = float(rng.choice([0.01, 0.1, 0.8]))
            gain = float(rng.random() < 0.3) * float(rng.integers(1, 4))
            rows.append((page, page % 9, place + 1, gain, chance if known else None))
    frame = pd.DataFrame(rows, columns=["page", "query", "position", "gain", "propensity"])
    frame["score"] = rng.integers(0, 4, len(frame)).astype(float)
    return frame


def test_ratios_are_those_of_numpy(spark: SparkSession, pages_frame: pd.DataFrame) -> None:
    frame = spark.createDataFrame(pages_frame.replace({np.nan: None})).selectExpr(
        "*", "page unit", "query query_id", "'us' region", "query block"
    )
    seen = F.get(F.array(*map(F.lit, SEEN.tolist())), F.least("position", F.lit(3)) - 1)
    inverse = F.when(F.col("propensity") > 0, F.least(1 / F.col("propensity"), F.lit(CAP)))
    gains = {"debiased": F.col("gain") / seen, "off_policy": F.col("gain") * inverse}
    names = {name: name for name in gains}
    rankers = {"r": F.col("score")}
    sums = BlockSums(frame.transform(ratio_sums(rankers, gains, names, K)).toPandas(), 9)
    samples = frame.transform(weighed_samples(gains)).collect()[0]
    shown = Shown(
        page=pages_frame["page"].to_numpy(),
        query=pages_frame["query"].to_numpy(),
        pair=np.arange(len(pages_frame)),
        position=pages_frame["position"].to_numpy(),
        gains=pages_frame["gain"].to_numpy(),
        propensity=pages_frame["propensity"].to_numpy(np.float64),
        k=K,
    )
    score = pages_frame["score"].to_numpy()
    expected = {
        "debiased": measure_debiased(shown, score, SEEN, 0.01),
        "off_policy": measure_off_policy(shown, score, CAP),
    }
    assert expected["off_policy"].share < expected["debiased"].share < 1
    for name, found in expected.items():
        cell = sums.get(ALL, "r", name)
        assert cell is not None
        assert cell.totals.sum() / cell.denominators.sum() == pytest.approx(found.value)
        assert cell.totals == pytest.approx(np.bincount(shown.query, found.numerator, 9))
        assert cell.denominators == pytest.approx(np.bincount(shown.query, found.denominator, 9))
        assert samples[f"effective_{name}"] == pytest.approx(found.effective)
        assert samples[f"pages_{name}"] / samples["pages"] == pytest.approx(found.share)


def test_lists_are_those_of_numpy(spark: SparkSession) -> None:
    rng = np.random.default_rng(22)
    query = np.sort(rng.integers(0, 30, 200))
    grade = rng.choice([-1, -1, 0, 1, 2], 200)
    score = rng.integers(0, 5, 200).astype(float)
    pandas = pd.DataFrame({"query_id": query, "given": grade, "score": score})
    frame = spark.createDataFrame(pandas).selectExpr(
        "*", "'us' region", "0 block", "if(given < 0, null, given) grade", "'human' label_source"
    )
    gains, rankers = {"g": F.pow(F.lit(2.0), F.col("grade")) - 1}, {"r": F.col("score")}
    for kind, lists in (("judged_mixed", mixed_lists), ("pooled", pooled_lists)):
        found = lists(frame).transform(ranked_sums(rankers, gains, {"g": kind}, K))
        cell = BlockSums(found.toPandas(), 1).get(ALL, "r", kind)
        expected = GradedLists.from_grades(kind, query, grade.astype(float), K).measure_ndcg(score)
        assert cell is not None
        assert cell.query_count == expected.effective
        assert cell.totals.sum() / cell.denominators.sum() == pytest.approx(expected.value)
    sums = frame.transform(clear_pair_sums(rankers, "pairs")).toPandas()
    cell = BlockSums(sums, 1).get(ALL, "r", "pairs")
    expected = measure_clear_pairs(query, grade.astype(float), 2.0, score)
    assert cell is not None
    assert cell.denominators.sum() == expected.effective
    assert cell.totals.sum() / cell.denominators.sum() == pytest.approx(expected.value)


def test_pairs_with_a_click_and_two_positions(spark: SparkSession) -> None:
    rows = [
        ("a", 1, 1.0),
        ("a", 2, 0.0),
        ("a", 2, 1.0),
        ("b", 1, 1.0),
        ("c", 1, 0.0),
        ("c", 9, 0.0),
    ]
    frame = spark.createDataFrame(rows, "item_id string, position int, label_click double")
    shown = frame.selectExpr("*", "'q' query_id", "'s' search_id", "1.0 mask_click")
    pairs = shown.transform(position_pairs(2))
    found = pairs.transform(pair_places(1.0)).orderBy("position").collect()
    assert [(r["position"], r["views"], r["clicks"]) for r in found] == [(1, 1, 1.0), (2, 2, 1.0)]
    assert pairs.transform(pair_places(0.0)).count() == 0
