"""Baselines learn what was planted, score at position 1, and are left out with a reason."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from conf.sections.baselines import BaselinesConf
from model.baselines import Baselines, fit_baselines, load_baselines, read_split, save_baselines
from model.baselines.boosting import GRID, USUAL, BoostedTrees, Point, Tuner, draw_points
from model.baselines.targets import select_grade_rows, select_task_rows
from model.evaluation.metrics import compute_auc
from model.feed import Snapshot
from model.value.weights import ValueWeights

WEIGHTS = ValueWeights(0.2, 0.3, 0.5, 0.1)
ALL_BOOSTED = BaselinesConf(
    arms=(
        "bm25",
        "lightgbm",
        "lightgbm_position",
        "lambdamart_engagement",
        "lambdamart_relevance",
        "lambdamart_mixed",
    ),
    rounds=30,
)


@pytest.fixture(scope="module")
def fitted(paged: Snapshot) -> Baselines:
    return fit_baselines(paged, ALL_BOOSTED, WEIGHTS, seed=3)


def test_every_arm_learns_the_planted_order(paged: Snapshot, fitted: Baselines) -> None:
    rows = read_split(paged, "validation", 10_000)
    scores = fitted.score_candidates(rows.features)
    clicked = rows.labels["label_click"].astype(np.float64)
    for arm in ("lightgbm", "lightgbm_position", "lambdamart_engagement", "lambdamart_mixed"):
        assert compute_auc(scores[arm]["engagement"], clicked) > 0.6, arm
    judged = rows.labels["mask_relevance"] > 0
    relevant = rows.labels["label_ge_1"][judged].astype(np.float64)
    for arm in ("lightgbm", "lightgbm_position", "lambdamart_relevance", "lambdamart_mixed"):
        assert compute_auc(scores[arm]["relevance"][judged], relevant) > 0.65, arm
    assert set(scores["lambdamart_relevance"]) == {"relevance"}
    assert set(scores["lambdamart_engagement"]) == {"engagement"}


def test_value_formula_and_ordered_grades(paged: Snapshot, fitted: Baselines) -> None:
    found = fitted.score_candidates(read_split(paged, "validation", 10_000).features)["lightgbm"]
    expected = 0.2 * found["p_click"] + 0.3 * found["p_cart"] + 0.5 * found["p_purchase"]
    np.testing.assert_allclose(found["engagement"], expected)
    assert (found["p_ge_2"] <= found["p_ge_1"]).all()
    np.testing.assert_allclose(found["relevance"], found["p_ge_1"] + found["p_ge_2"])


def test_position_is_one_when_scoring(paged: Snapshot, fitted: Baselines) -> None:
    features = read_split(paged, "validation", 10_000).features
    trees = fitted.probabilities["lightgbm_position"]["click"]
    at = {
        p: trees.predict(np.column_stack([features, np.full(len(features), p, np.float32)]))
        for p in (1.0, 8.0)
    }
    np.testing.assert_array_equal(
        fitted.score_candidates(features)["lightgbm_position"]["p_click"], at[1.0]
    )
    assert at[1.0].mean() > 2 * at[8.0].mean()


def test_hashed_ids_are_left_out_and_the_region_stays(paged: Snapshot) -> None:
    spec, rows = paged.spec, read_split(paged, "train", 10_000)
    learning = select_task_rows(rows, "click", rows.features)
    tuner = Tuner(spec, BaselinesConf(rounds=2), seed=1)
    read = {spec.names[i] for i in tuner.fit_probability(learning, learning).columns}
    assert set(spec.names) - read == {"item_type"}


def test_points_start_with_the_usual_one_and_never_repeat() -> None:
    drawn = draw_points(8, seed=5)
    assert drawn[0] == USUAL and len(set(drawn)) == 8 and set(drawn) <= set(GRID)
    assert draw_points(8, seed=5) == drawn != draw_points(8, seed=6)
    assert len(draw_points(10_000, seed=5)) == len(GRID)


def test_the_better_point_on_validation_is_taken(
    paged: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    stump = Point(leaves=2, learning_rate=0.001, min_leaf=100, l2=1.0, ids=False)
    monkeypatch.setattr("model.baselines.boosting.draw_points", lambda *_: [stump, USUAL])
    tuner = Tuner(paged.spec, BaselinesConf(rounds=10, trials=2), seed=1)
    train, validation = (
        select_task_rows(rows, "click", rows.features)
        for rows in (read_split(paged, name, 10_000) for name in ("train", "validation"))
    )
    assert tuner.fit_probability(train, validation).point == USUAL


def test_saved_and_loaded_score_the_same(
    paged: Snapshot, fitted: Baselines, tmp_path: Path
) -> None:
    save_baselines(fitted, tmp_path / "b.json")
    loaded, features = (
        load_baselines(tmp_path / "b.json"),
        read_split(paged, "validation", 99).features,
    )
    assert loaded.to_json() == fitted.to_json() and loaded.arms == fitted.arms
    for arm, scores in fitted.score_candidates(features).items():
        for kind, values in scores.items():
            np.testing.assert_array_equal(loaded.score_candidates(features)[arm][kind], values)


def test_equal_seeds_give_equal_trees(paged: Snapshot) -> None:
    conf = BaselinesConf(arms=("lambdamart_engagement",), rounds=5)
    first, second = (fit_baselines(paged, conf, WEIGHTS, seed=3).to_json() for _ in range(2))
    assert first == second


def test_arms_without_their_columns_are_noted(snapshot: Snapshot) -> None:
    found = fit_baselines(snapshot, ALL_BOOSTED.model_copy(update={"rounds": 2}), WEIGHTS, 1)
    assert found.arms == ["lightgbm", "lightgbm_position"]
    notes = " ".join(found.notes)
    assert "bm25 left out: the features have no column pair_bm25" in notes
    assert "lambdamart_engagement left out: the snapshot names no result pages" in notes


def test_without_lightgbm_columns_are_left(
    paged: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model.baselines.fit.find_spec", lambda _: None)
    found = fit_baselines(paged, ALL_BOOSTED, WEIGHTS, 1)
    assert found.arms == [] and "LightGBM is not installed" in found.notes[1]


def test_a_task_that_never_happens_is_its_mean(paged: Snapshot) -> None:
    rows = read_split(paged, "train", 10_000)
    learning = select_task_rows(rows, "click", rows.features)
    never = type(learning)(learning.features, 0 * learning.label, learning.weight)
    trees = Tuner(paged.spec, BaselinesConf(), seed=1).fit_probability(never, never)
    assert trees.booster is None and trees.predict(rows.features[:2]).tolist() == [0.0, 0.0]


def test_rankings_are_fitted_one_at_a_time(
    paged: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LightGBM would mix up the gains of two, or never end."""
    busy: list[int] = [0]

    def tune(*_: object) -> BoostedTrees:
        busy.append(busy[-1] + 1)
        time.sleep(0.02)
        busy.append(busy[-1] - 1)
        return BoostedTrees(None, (), 0.0)

    monkeypatch.setattr(Tuner, "_tune", tune)
    tuner = Tuner(paged.spec, BaselinesConf(), seed=1)
    learning = select_grade_rows(read_split(paged, "train", 10_000), "ge_1")
    with ThreadPoolExecutor(4) as pool:
        for _ in range(4):
            pool.submit(tuner.fit_ranking, learning, learning, [0.0, 1.0])
    assert busy == [0, *(1, 0) * 4]


def test_fits_side_by_side_are_those_one_after_the_other(
    paged: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = []
    for cores in (1, 4):
        monkeypatch.setattr("model.baselines.boosted.count_cores", lambda cores=cores: cores)
        again = fit_baselines(paged, ALL_BOOSTED, WEIGHTS, seed=3)
        models.append((again.probabilities, again.rankings))
    alone, beside = (
        {name: trees.to_json() for name, trees in [*p["lightgbm_position"].items(), *r.items()]}
        for p, r in models
    )
    assert alone == beside
    assert len(alone) == 8
