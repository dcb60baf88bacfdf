"""Every backbone with every link keeps one contract: losses, predictions, scoring, saving."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.synthetic import Planted, write_snapshot
from conf.load import SIMULATED, load_conf
from conf.sections.model import ModelConf
from conf.sections.training import FeedConf
from model.backbones import BACKBONES
from model.feed import Batch, RowSelection, Snapshot, open_snapshot, read_batches
from model.heads.engagement import start_tower
from model.heads.links import LINKS
from model.losses import LogProb, masked_bce, total_loss
from model.losses.descending import compute_violation
from model.ranker import Ranker, build_ranker
from model.serving.artifact import Artifact, load_model, save_model
from model.serving.calibrators import build_identities
from model.serving.network import ServingNetwork
from model.spec import DESCENDING, RELEVANCE, InputSpec, SpecError
from model.standardise import Standardisation, measure_inputs
from model.training.fit import fit_ranker

MODELS = list(itertools.product(BACKBONES, LINKS))
ALONE = [model for model in MODELS if model[0] != "tabm"]
"""Of one member each: the mean of the members' losses is not the loss of their mean."""
SOME = [*((backbone, "auto") for backbone in BACKBONES), ("mmoe", "conditional")]
TASKS = ("click", "cart", "purchase")


def conf_of(backbone: str, link: str = "auto", **more: object) -> ModelConf:
    small = {"hidden": (8, 6), "tower": (4,), "experts": 2, "task_embedding": 2}
    return ModelConf.model_validate(small | {"backbone": backbone, "link": link} | more)


@pytest.fixture(scope="module")
def batch(snapshot: Snapshot) -> Batch:
    return next(
        read_batches(snapshot, RowSelection("train"), FeedConf(batch_size=32, engine="pyarrow"))
    )


def spread_out(ranker: Ranker) -> Ranker:
    """Weights so large that predictions differ much, as after training."""
    with torch.no_grad():
        for parameter in ranker.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return ranker


@pytest.fixture
def ranker(request: pytest.FixtureRequest, snapshot: Snapshot, scale: Standardisation) -> Ranker:
    torch.manual_seed(3)
    return spread_out(build_ranker(snapshot.spec, scale, conf_of(*request.param)))


def without(batch: Batch, name: str) -> Batch:
    """The batch with one label column 0."""
    labels = batch.labels.clone()
    labels[:, batch.label_names.index(name)] = 0.0
    return replace(batch, labels=labels)


@pytest.mark.parametrize("ranker", ALONE, indirect=True)
def test_the_loss_is_of_what_is_predicted(ranker: Ranker, batch: Batch) -> None:
    losses = ranker(batch)
    assert tuple(losses) == ranker.loss_names
    predicted = ranker.predict(batch.features, batch.position)
    for task in TASKS:
        p = predicted[f"p_{task}"]
        expected = masked_bce(
            LogProb(p.log(), torch.log1p(-p)), batch.get_label(f"label_{task}"), batch.weight
        )
        torch.testing.assert_close(losses[task].total, expected.total, rtol=1e-4, atol=1e-4)
    if ranker.descending > 0:
        steps = torch.stack([predicted[f"p_{task}"] for task in TASKS], dim=1)
        found = losses[DESCENDING].total
        torch.testing.assert_close(found, ranker.descending * compute_violation(steps).sum())


@pytest.mark.parametrize("ranker", MODELS, indirect=True)
def test_scoring_gives_what_the_ranker_predicts(ranker: Ranker, batch: Batch) -> None:
    network, spec = ServingNetwork(ranker), ranker.spec
    with torch.no_grad():
        expected = torch.stack(list(ranker.predict(batch.features).values()), dim=1)
    torch.testing.assert_close(network.predict_pairs(batch.features), expected)
    torch.testing.assert_close(network.predict_pairs(batch.features[:1]), expected[:1])
    queries = batch.features[:3][:, spec.query_positions]
    candidates = batch.features[:9][:, spec.candidate_positions]
    counts = torch.tensor([4, 0, 5])
    whole = ranker.inputs.join_blocks(queries.repeat_interleave(counts, dim=0), candidates)
    torch.testing.assert_close(
        network.predict_candidates(queries, candidates, counts), network.predict_pairs(whole)
    )


@pytest.mark.parametrize("ranker", MODELS, indirect=True)
def test_the_order_is_kept_where_it_is_promised(ranker: Ranker, batch: Batch) -> None:
    start_tower(ranker.engagement.towers["purchase"], [0.99])
    predicted = ranker.predict(batch.features, batch.position)
    rising = compute_violation(torch.stack([predicted[f"p_{task}"] for task in TASKS], dim=1))
    assert (rising.max().item() == 0.0) == ranker.engagement.link.ordered
    assert bool((predicted["p_ge_1"] >= predicted["p_ge_2"]).all())


@pytest.mark.parametrize("ranker", SOME, indirect=True)
@pytest.mark.parametrize("task", ["cart", RELEVANCE])
def test_all_labels_of_a_task_missing(ranker: Ranker, batch: Batch, task: str) -> None:
    before, after = ranker(batch), ranker(without(batch, f"mask_{task}"))
    assert after[task].total.item() == 0.0 and after[task].weight.item() == 0.0
    for other in set(before) - {task}:
        assert after[other].total.item() == before[other].total.item()
    total_loss(after, {}).backward()
    gradients = [p.grad for p in ranker.parameters()]
    assert all(g is not None and bool(torch.isfinite(g).all()) for g in gradients)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_what_was_saved_predicts(
    snapshot: Snapshot, scale: Standardisation, batch: Batch, backbone: str, tmp_path: Path
) -> None:
    conf = conf_of(backbone, task_experts=2)
    ranker, spec = build_ranker(snapshot.spec, scale, conf), snapshot.spec
    save_model(
        Artifact(ranker, scale, conf, build_identities(spec.outputs, spec.regions)), tmp_path / "m"
    )
    loaded = load_model(tmp_path / "m").predict(batch.features.numpy())
    with torch.no_grad():
        for name, p in ranker.predict(batch.features).items():
            np.testing.assert_allclose(loaded[name], p.numpy(), rtol=1e-5)


@pytest.mark.parametrize("backbone", ["shared_bottom", "seq", "tabm"])
def test_a_snapshot_without_relevance(backbone: str, tmp_path: Path) -> None:
    planted = Planted(rows=(400, 120), files=(1, 1), relevance=False)
    snapshot = open_snapshot(write_snapshot(tmp_path / "snapshot", planted))
    assert snapshot.spec.loss_tasks == TASKS and "label_ge_1" not in snapshot.spec.label_columns
    settings = [
        f"model.backbone={backbone}",
        "model.hidden=[8,4]",
        "trainer.epochs=2",
        "trainer.min_steps=1",
    ]
    conf = load_conf(
        [SIMULATED], settings=[*settings, "feed.engine=pyarrow", "trainer.progress=false"]
    ).tree
    fitted = fit_ranker(snapshot, conf, tmp_path / "fit", "", {})
    assert list(fitted.metrics["validation"]) == ["p_click", "p_cart", "p_purchase"]
    assert (DESCENDING in fitted.progress.history[0]["train"]) == (backbone == "seq")
    save_model(fitted.artifact, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    features = next(read_batches(snapshot, RowSelection("validation"), conf.feed)).features.numpy()
    assert list(loaded.predict(features)) == ["p_click", "p_cart", "p_purchase"]
    assert measure_inputs(snapshot).rates.keys() == set(TASKS)


def test_relevance_is_part_of_the_spec_s_json(snapshot: Snapshot) -> None:
    without = replace(snapshot.spec, relevance=False)
    assert InputSpec.from_json(without.to_json()) == without
    content = snapshot.spec.to_json()
    del content["relevance"]
    assert InputSpec.from_json(content) == snapshot.spec


@pytest.mark.parametrize(
    "tasks", [("click", "click"), ("click", RELEVANCE), (DESCENDING,), (), ("cart", "click")]
)
def test_tasks_that_are_refused(snapshot: Snapshot, tasks: tuple[str, ...]) -> None:
    with pytest.raises(SpecError, match="task"):
        replace(snapshot.spec, tasks=tasks)
