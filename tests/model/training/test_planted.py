"""Training learns what was planted, and its figures carry their counts."""

from pathlib import Path
from typing import Any

import pytest
import torch

from bench.synthetic import Planted, write_snapshot
from conf.load import SIMULATED, load_conf
from conf.sections.training import FeedConf
from model.evaluation.metrics import compute_auc
from model.feed import RowSelection, Snapshot, open_snapshot, read_batches
from model.serving.artifact import Artifact, load_model, save_model
from model.training.checkpoint import Progress
from model.training.fit import fit_ranker

Fit = tuple[Snapshot, Progress, dict[str, Any], Artifact]


@pytest.fixture(scope="module")
def planted_fit(
    tmp_path_factory: pytest.TempPathFactory,
) -> Fit:
    folder = tmp_path_factory.mktemp("planted")
    planted = Planted(rows=(20_000, 6_000), files=(3, 2), grades=0.5)
    snapshot = open_snapshot(write_snapshot(folder / "snapshot", planted))
    conf = load_conf(
        [SIMULATED],
        settings=[
            "trainer.epochs=4",
            "trainer.min_steps=1",
            "trainer.learning_rate=0.003",
            "feed.batch_size=256",
        ],
    )
    found = fit_ranker(snapshot, conf.tree, folder / "scratch", "x: 1\n", {"conf_hash": conf.hash})
    return snapshot, found.progress, found.metrics, found.artifact


def test_it_finds_the_planted_effects(planted_fit: Fit) -> None:
    _, progress, metrics, artifact = planted_fit
    assert metrics["validation"]["p_click"]["auc"] > 0.75
    assert metrics["validation"]["p_ge_2"]["auc"] > 0.78
    assert progress.history[-1]["train"]["click"] < progress.history[0]["train"]["click"]
    with torch.no_grad():
        bias = artifact.ranker.engagement.bias.compute_log_seen(torch.tensor([1, 2, 5, 10]))[:, 0]
    assert bool((bias[1:] < bias[:-1]).all()), "clicks fall with the position"
    assert float(bias[3]) < -1.5  # planted: log(1 / 10) = -2.3


def test_metrics_carry_their_counts(planted_fit: Fit) -> None:
    snapshot, _, metrics, _ = planted_fit
    found = metrics["validation"]["p_click"]
    assert found["n"] == snapshot.count_rows("validation") == 6_000
    assert found["calibrated_loss"] <= found["loss"] + 1e-3
    assert found["calibration_ratio"] == pytest.approx(1.0, abs=0.05)
    assert metrics["rows"] == {"train": 20_000, "validation": 6_000}


def test_serving_predictions_are_calibrated_at_position_1(planted_fit: Fit, tmp_path: Path) -> None:
    snapshot, _, _, artifact = planted_fit
    save_model(artifact, tmp_path / "m")
    conf = FeedConf(engine="pyarrow", batch_size=6_000)
    batch = next(read_batches(snapshot, RowSelection("validation"), conf))
    out = load_model(tmp_path / "m").predict(batch.features.numpy())
    first = (batch.position == 1).numpy()
    clicks = batch.get_label("label_click").numpy()[first]
    assert out["p_click"][first].mean() == pytest.approx(clicks.mean(), rel=0.12)
    assert compute_auc(out["p_click"][first], clicks) > 0.7
