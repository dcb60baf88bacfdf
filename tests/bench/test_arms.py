"""The arms of model labels: what they are judged on, and trainings in turn."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyspark.sql import SparkSession

import bench.arms
from bench.arm_lists import (
    JudgedLists,
    average_seeds,
    build_results,
    build_table,
    grade_candidates,
)
from bench.arms import train_in_turn
from bench.synthetic import Planted, write_snapshot
from conf.load import SIMULATED, load_conf
from features.contracts import QUERIES, RELEVANCE_LABELS
from model.evaluation.relevance import GradedLists
from model.feed import open_snapshot
from model.serving.artifact import load_model, save_model
from model.standardise import measure_inputs
from tests.features.examples.hand_made import frame, label, query

# Query 0: an unjudged item first, then grades 0, 2, 1. Query 1 in the other region: 1 above 1.
# Query 2, of another text: 0 and an unjudged item, so no list at all.
LISTS = JudgedLists(
    query=np.array([0, 0, 0, 0, 1, 1, 2, 2]),
    text=np.array([0, 0, 0, 0, 0, 0, 1, 1]),
    grade=np.array([-1.0, 0, 2, 1, 1, 1, 0, -1]),
    values=np.zeros((8, 1), np.float32),
    names=["x"],
)
SCORES = np.array([4.0, 3, 2, 1, 2, 1, 2, 1])
SECOND, THIRD, FOURTH = 1 / np.log2(3), 1 / np.log2(4), 1 / np.log2(5)
IDEAL = 3 + SECOND
JUDGED = (3 * SECOND + THIRD) / IDEAL
POOLED = (3 * THIRD + FOURTH) / IDEAL


def test_every_kind_of_list_of_a_hand_made_ranking() -> None:
    sums = LISTS.judge(SCORES)
    np.testing.assert_allclose(sums["judged"], [[JUDGED + 1, 0], [2, 0]])
    np.testing.assert_allclose(sums["judged_mixed"], [[JUDGED, 0], [1, 0]])
    np.testing.assert_allclose(sums["pooled"], [[POOLED + 1, 0], [2, 0]])


def test_condensed_lists_have_the_figure_of_the_judged() -> None:
    both = [
        GradedLists.from_grades(kind, LISTS.query, LISTS.grade, 10).measure_ndcg(SCORES).value
        for kind in ("judged", "condensed")
    ]
    assert both[0] == both[1] == pytest.approx((JUDGED + 1) / 2)


def test_the_table_has_a_row_per_arm_and_its_difference_from_few() -> None:
    few, best = LISTS.judge(SCORES), LISTS.judge(LISTS.grade)
    half = average_seeds([few, best])
    by_arm = {"few": few, "labelled": half, "equal": half, "pretrained": best, "all": best}
    cells = [list(column.cells) for column in build_table(by_arm).columns]
    assert cells[0] == list(by_arm)
    gap = (1 - POOLED) / 2  # of one query of two
    assert cells[3][0] == f"{(1 + POOLED) / 2:.4f}"  # one text alone: no interval
    assert cells[3][1] == f"{1 - gap / 2:.4f}, {gap / 2:+.4f}"
    assert cells[3][3] == f"1.0000, {gap:+.4f}"
    found = {result.what: result.measured for result in build_results(by_arm)}
    assert found["pretrained less labelled: pooled"] == f"{gap / 2:+.4f}"
    assert found["equal less labelled: pooled"] == "+0.0000"
    assert found["share of the distance closed: pooled"] == "0.5000"


def test_differences_are_paired_over_texts() -> None:
    rng = np.random.default_rng(0)
    few = {kind: np.stack([rng.random(40), np.ones(40)]) for kind in LISTS.judge(SCORES)}
    more = {kind: sums + np.array([[0.1], [0]]) for kind, sums in few.items()}
    by_arm = {"few": few, **dict.fromkeys(("labelled", "equal", "pretrained", "all"), more)}
    of_few, of_labelled, *_ = build_table(by_arm).columns[1].cells
    assert "(" in of_few and of_labelled.endswith(", +0.1000 (+0.1000 to +0.1000)")


def test_candidates_have_peoples_grades_only(spark: SparkSession) -> None:
    names = [("q1", "a"), ("q1", "b"), ("q1", "c"), ("q2", "a")]
    candidates = spark.createDataFrame(names, "query_id string, item_id string")
    labels = [
        label("q1", "a", "human", 2),
        label("q1", "a", "model", 0),
        label("q1", "b", "model", 1),
        label("q1", "c", "assumed", 0),
        label("q2", "a", "human", 1),
    ]
    found = grade_candidates(
        candidates,
        frame(spark, QUERIES, [query("q1", 6)]),
        frame(spark, RELEVANCE_LABELS, labels),
    ).collect()
    assert {(r.query_id, r.item_id): r.people for r in found} == {
        ("q1", "a"): 2,
        ("q1", "b"): -1,
        ("q1", "c"): -1,
    }


def test_trainings_in_turn_begin_where_the_one_before_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, last = (
        write_snapshot(tmp_path / name, Planted(rows=(200, 60), files=(1, 1), seed=seed))
        for name, seed in (("first", 1), ("last", 2))
    )
    settings = ["trainer.epochs=1", "trainer.min_steps=1", "trainer.progress=false"]
    conf = load_conf([SIMULATED], settings=settings).tree
    asked: list[tuple[Any, ...]] = []
    fit = bench.arms.fit_ranker

    def note(*given: Any) -> Any:
        asked.append(given)
        return fit(*given)

    monkeypatch.setattr(bench.arms, "fit_ranker", note)
    place = train_in_turn(conf, tmp_path / "rankers", [first, last])
    assert [call[0].folder for call in asked] == [first, last]
    assert [call[5] for call in asked] == [None, tmp_path / "rankers" / "ranker-1"]
    scale = measure_inputs(open_snapshot(last))
    assert [call[6] for call in asked] == [scale, scale]
    alone = fit(open_snapshot(last), conf, tmp_path / "alone", "", {})
    version = save_model(alone.artifact, tmp_path / "of-last")
    assert load_model(place).version != version
