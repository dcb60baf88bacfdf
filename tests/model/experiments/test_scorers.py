"""Oracles: planted probabilities as predictions, and the figures that such an arm has."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.labels.planted_lists import plant_lists
from conf.sections.baselines import BaselinesConf
from conf.sections.value import EvaluationConf, Weights
from model.experiments.evaluation import Evaluation
from model.experiments.figures import Figure, UnitRows
from model.experiments.predictions import Predictions
from model.experiments.scorers import (
    Baseline,
    Oracle,
    ScorerError,
    build_predicted_columns,
    select_figures,
)
from model.feed import Snapshot, open_snapshot
from model.files import file_sha256
from model.serving.calibrators import build_identities

TASKS = ("click", "cart", "purchase")


def index_figures(figures: list[Figure]) -> dict[tuple[str, str], Figure]:
    return {(f.metric, f.region): f for f in figures}


def with_truth(folder: Path) -> Snapshot:
    """A planted snapshot in which the truth is p and what is blind to the region ranks reversed."""
    content = json.loads((plant_lists(folder) / "manifest.json").read_text())
    for split in content["splits"].values():
        (file,) = split["files"]
        table = pq.read_table(folder / file["path"])
        p = np.random.default_rng(1).uniform(0.1, 0.9, table.num_rows).astype(np.float32)
        for task in TASKS:
            for name, values in ((f"p_true_{task}", p), (f"p_blind_{task}", 1 - p)):
                table = table.append_column(name, pa.array(values))
        pq.write_table(table, folder / file["path"])
        file["sha256"] = file_sha256(folder / file["path"])
    (folder / "manifest.json").write_text(json.dumps(content))
    return open_snapshot(folder)


def test_an_oracle_ranks_by_what_it_knows(tmp_path: Path) -> None:
    snapshot = with_truth(tmp_path / "data")
    none = build_identities(snapshot.spec.outputs, snapshot.spec.regions)
    values = {}
    for knows in ("truth", "blind"):
        (_, _, _), (split, predictions, scores) = Oracle(knows).score(snapshot)  # type: ignore[arg-type]
        assert (split, scores, predictions.rows) == (
            "test",
            ["engagement"],
            snapshot.count_rows("test"),
        )
        np.testing.assert_array_equal(
            predictions.get_probability("p_cart"),
            predictions.columns[f"p_{knows}_cart".replace("truth", "true")],
        )
        figures = index_figures(
            select_figures(
                Evaluation(predictions, none, EvaluationConf(k=10)).build_task_figures(), scores
            )
        )
        assert "auc.click" not in {metric for metric, _ in figures}
        assert "ndcg@10.relevance" not in {metric for metric, _ in figures}
        values[knows] = figures["truth.ndcg.click", "all"].value
    assert values["truth"] == pytest.approx(1.0) and values["blind"] < 0.95


def test_an_oracle_needs_a_planted_truth(tmp_path: Path) -> None:
    snapshot = open_snapshot(plant_lists(tmp_path / "data"))
    with pytest.raises(ScorerError, match="take a simulated market"):
        list(Oracle("truth").score(snapshot))


def test_a_baseline_is_fitted_and_scores_both_splits(tmp_path: Path) -> None:
    snapshot = open_snapshot(plant_lists(tmp_path / "data"))
    conf = BaselinesConf(rounds=20, threads=1)
    baseline = Baseline("lightgbm", conf, Weights(), seed=1)
    validation, (split, predictions, scores) = baseline.score(snapshot)
    assert (validation[0], split, scores) == ("validation", "test", ["engagement", "relevance"])
    assert predictions.rows == snapshot.count_rows("test")
    none = build_identities(snapshot.spec.outputs, snapshot.spec.regions)
    figures = index_figures(
        select_figures(
            Evaluation(predictions, none, EvaluationConf(k=10)).build_task_figures(), scores
        )
    )
    constant = predictions.columns | {"first.p_click": np.ones(predictions.rows)}
    blind = Evaluation(
        Predictions(snapshot.spec, constant), none, EvaluationConf(k=10)
    ).build_task_figures()
    assert (
        figures["ndcg.click", "all"].value > index_figures(blind)["ndcg.click", "all"].value + 0.01
    )
    assert baseline.compute_fingerprint(snapshot) != Baseline(
        "lightgbm", conf, Weights(), seed=2
    ).compute_fingerprint(snapshot)


def test_a_baseline_that_cannot_be_fitted_says_why(tmp_path: Path) -> None:
    snapshot = open_snapshot(plant_lists(tmp_path / "data"))
    with pytest.raises(ScorerError, match="no column item_region_popularity"):
        list(Baseline("popularity", BaselinesConf(), Weights(), seed=1).score(snapshot))


def test_the_two_oracles_are_two_trainings(tmp_path: Path) -> None:
    snapshot = open_snapshot(plant_lists(tmp_path / "data"))
    assert Oracle("truth").compute_fingerprint(snapshot) != Oracle("blind").compute_fingerprint(
        snapshot
    )


def test_one_score_stands_for_every_task_and_half_of_relevance_for_a_grade(tmp_path: Path) -> None:
    snapshot = open_snapshot(plant_lists(tmp_path / "data"))
    own, score, relevance = (np.full(2, x) for x in (0.7, 3.0, 1.2))
    scores = {"p_cart": own, "engagement": score, "relevance": relevance}
    found = build_predicted_columns(scores, snapshot)
    assert [found[f"first.p_{t}"][0] for t in TASKS] == [3.0, 0.7, 3.0]
    assert found["first.p_ge_1"][0] == found["logged.p_ge_2"][0] == pytest.approx(0.6)
    assert build_predicted_columns({"engagement": score}, snapshot)["first.p_ge_1"].tolist() == [
        0.0,
        0.0,
    ]


@pytest.mark.parametrize(
    ("metric", "scores", "kept"),
    [
        ("auc.click", ["engagement"], False),
        ("truth.error.click", ["engagement"], False),
        ("violations.share", ["engagement"], False),
        ("ndcg.click", ["engagement"], True),
        ("ndcg.click", ["relevance"], False),
        ("truth.ndcg.cart", ["engagement"], True),
        ("ndcg@10.relevance", ["engagement"], False),
        ("ndcg@10.relevance", ["relevance"], True),
        ("value.engagement@10", ["relevance"], True),
        ("change.engagement@10", ["engagement", "relevance"], True),
    ],
)
def test_figures_that_a_score_has(metric: str, scores: list[str], kept: bool) -> None:
    figure = UnitRows(np.zeros(1, np.int64), 1, "all").build_mean(metric, np.ones(1))
    assert bool(select_figures([figure], scores)) is kept
