"""The gate holds the ranker's parts to the best baseline and to the relevance head's own input."""

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F

from conf.load import SIMULATED, load_conf
from jobs.serving.gate_orders import PART, REFERENCE_PART, hold_to_baselines
from jobs.serving.paired import PairedSums
from model.evaluation.block_sums import BlockSums
from model.evaluation.bootstrap import BlockBootstrap
from model.serving.admission import BaselineFigure

BLOCKS = 20
BOOTSTRAP = BlockBootstrap(BLOCKS, 100, 0.95, 7)
ENGAGEMENT, HUMAN = "engagement_debiased@10", "relevance_ndcg@10_exp"
MEANS = {
    (PART, ENGAGEMENT): 0.40,
    ("popularity", ENGAGEMENT): 0.30,
    ("bm25", ENGAGEMENT): 0.20,
    ("lightgbm", ENGAGEMENT): 0.45,
    ("lightgbm_relevance", ENGAGEMENT): 0.90,
    (PART, HUMAN): 0.80,
    ("cosine", HUMAN): 0.85,
    (PART, f"{HUMAN}_all_labels"): 0.70,
    ("cosine", f"{HUMAN}_all_labels"): 0.60,
}
IN_FORCE = {
    (REFERENCE_PART, ENGAGEMENT): 0.46,
    (REFERENCE_PART, HUMAN): 0.81,
    (REFERENCE_PART, f"{HUMAN}_all_labels"): 0.5,
}


def hold(
    beside: dict[str, Column], means: dict[tuple[str, str], float], min_queries: int = 100
) -> dict[str, BaselineFigure]:
    """The figures by part; 200 queries stand behind each mean."""
    noise = np.random.default_rng(1).normal(0, 0.2, BLOCKS)
    rows = pd.DataFrame(
        {
            "region": "us",
            "ranker": ranker,
            "metric": metric,
            "block": block,
            "total": 10 * (mean + noise[block]),
            "queries": 10,
            "denominator": 10,
        }
        for (ranker, metric), mean in means.items()
        for block in range(BLOCKS)
    ).assign(lists=1, short=0, masked=0, no_positive=0)
    sums = PairedSums(BlockSums(rows, BLOCKS), "debiased", ENGAGEMENT, [1.0])
    tree = load_conf([SIMULATED], [f"value.min_queries={min_queries}"]).tree
    return {f.part: f for f in hold_to_baselines(sums, BOOTSTRAP, beside, tree)}


@pytest.fixture
def beside(spark: SparkSession) -> dict[str, Column]:
    return {name: F.lit(0.0) for name in ("lightgbm", "lightgbm_relevance", "cosine")}


def test_the_first_model_is_held_to_the_best_baseline_alone(beside: dict[str, Column]) -> None:
    found = hold(beside, MEANS)
    engaged, relevant = found["engagement_only"], found["relevance_only"]
    assert (engaged.baseline, engaged.metric, engaged.queries) == ("lightgbm", ENGAGEMENT, 200)
    assert engaged.gap.value == pytest.approx(-0.05) and engaged.gap.high == pytest.approx(-0.05)
    assert (relevant.baseline, relevant.metric) == ("cosine", HUMAN)
    assert relevant.gap.value == pytest.approx(-0.05)
    assert engaged.gap_in_force is None and relevant.gap_in_force is None


def test_the_model_in_force_is_held_to_the_same(beside: dict[str, Column]) -> None:
    found = hold(beside, MEANS | IN_FORCE)
    gaps = {part: f.gap_in_force.value for part, f in found.items() if f.gap_in_force}
    assert gaps == {
        "engagement_only": pytest.approx(0.01),
        "relevance_only": pytest.approx(-0.04),
    }


def test_labels_of_every_source_count_where_people_judged_few(beside: dict[str, Column]) -> None:
    relevant = hold(beside, MEANS, min_queries=201)["relevance_only"]
    assert relevant.metric == f"{HUMAN}_all_labels"
    assert relevant.gap.value == pytest.approx(0.1)
