"""A training begins with the weights of a saved model, or refuses them with the reason."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import model.training.trainer
from bench.synthetic import Planted, write_snapshot
from conf.load import SIMULATED, load_conf
from model.feed import Snapshot, open_snapshot
from model.ranker import build_ranker
from model.serving.artifact import Artifact, save_model
from model.serving.calibrators import build_identities
from model.standardise import measure_inputs
from model.training.checkpoint import Checkpoint, save_checkpoint
from model.training.fit import fit_ranker
from model.training.start import StartError, load_start
from model.training.task import TrainTask
from model.training.trainer import load_trained, train

Make = Callable[..., TrainTask]
State = dict[str, torch.Tensor]
Save = Callable[[TrainTask, int], tuple[Path, State]]
STILL = {"epochs": 1, "learning_rate": 1e-9}


@pytest.fixture
def save_start(
    tmp_path: Path, snapshot: Snapshot
) -> Callable[[TrainTask, int], tuple[Path, State]]:
    """Save a fresh ranker of a task, drawn from a seed; gives its directory and weights."""

    def save(task: TrainTask, seed: int) -> tuple[Path, State]:
        torch.manual_seed(seed)
        spec = snapshot.spec
        ranker = build_ranker(spec, task.scale, task.model)
        place = tmp_path / f"start-{seed}"
        identities = build_identities(spec.outputs, spec.regions)
        save_model(Artifact(ranker, task.scale, task.model, identities), place)
        return place, ranker.state_dict()

    return save


def distance(task: TrainTask, state: State) -> float:
    """Largest difference of a weight of the trained ranker from `state`."""
    found = load_trained(task)[0].state_dict()
    return max(float((found[name] - value).abs().max()) for name, value in state.items())


def test_a_training_that_hardly_moves_stays_at_its_start(make_task: Make, save_start: Save) -> None:
    fresh = make_task("fresh", **STILL)
    (one, state), (other, _) = save_start(fresh, 1), save_start(fresh, 2)
    begun, elsewhere = (
        replace(make_task(name, **STILL), start=start)
        for name, start in (("begun", one), ("elsewhere", other))
    )
    for task in (fresh, begun, elsewhere):
        train(task)
    assert distance(begun, state) < 1e-5
    assert distance(elsewhere, state) > 0.1 and distance(fresh, state) > 0.1


def test_another_start_is_another_training(
    make_task: Make, save_start: Save, snapshot: Snapshot
) -> None:
    task = make_task("any")
    starts = [None, *(save_start(task, seed)[0] for seed in (1, 2))]
    prints = [replace(task, start=start).compute_fingerprint(snapshot) for start in starts]
    assert len(set(prints)) == 3


def test_killed_and_resumed_from_a_start_is_undisturbed(
    make_task: Make, save_start: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, _ = save_start(make_task("any"), 1)
    whole, killed = (replace(make_task(name), start=start) for name in ("whole", "killed"))
    train(whole)

    def save_and_die(checkpoint: Checkpoint, folder: Path) -> None:
        save_checkpoint(checkpoint, folder)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(model.training.trainer, "save_checkpoint", save_and_die)
        with pytest.raises(KeyboardInterrupt):
            train(killed)
    train(killed)
    assert distance(killed, load_trained(whole)[0].state_dict()) == 0


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"tower": (5,)}, "model.tower differs: (4,) there, (5,) in the training"),
        # the same parameters, with another meaning
        (
            {"relevance_head": "independent"},
            "model.relevance_head differs: corn there",
        ),
        ({"clip": 2.0}, "model.clip differs: 8.0 there, 2.0"),
    ],
)
def test_a_start_of_another_architecture_is_refused(
    make_task: Make, save_start: Save, change: dict[str, object], reason: str
) -> None:
    task = make_task("other")
    start, _ = save_start(task, 1)
    wrong = replace(task, model=task.model.model_copy(update=change), start=start)
    expected = f"cannot begin with model {start}: {reason}"
    with pytest.raises(StartError, match=re.escape(expected)):
        train(wrong)


def test_a_start_of_another_scale_or_other_features_is_refused(
    make_task: Make, save_start: Save, tmp_path: Path
) -> None:
    task = make_task("other")
    moved = {name: value + 1 for name, value in task.scale.mean.items()}
    start, _ = save_start(replace(task, scale=replace(task.scale, mean=moved)), 1)
    with pytest.raises(StartError, match=r"the standardisation's mean differs$"):
        train(replace(task, start=start))
    narrow = open_snapshot(write_snapshot(tmp_path, Planted(numerics=8)))
    scale = measure_inputs(narrow)
    ranker = build_ranker(narrow.spec, scale, task.model)
    with pytest.raises(StartError, match=r"not declared \['query_item_2'\]$"):
        load_start(ranker, scale, task.model, start)


def test_a_start_of_other_regions_is_refused(
    make_task: Make, save_start: Save, snapshot: Snapshot
) -> None:
    task = make_task("other")
    start, _ = save_start(task, 1)
    turned = replace(snapshot.spec, regions=snapshot.spec.regions[::-1])
    ranker = build_ranker(turned, task.scale, task.model)
    with pytest.raises(StartError, match="regions differs"):
        load_start(ranker, task.scale, task.model, start)


def test_a_fit_begins_with_its_start_and_shares_its_scale(
    make_task: Make, save_start: Save, snapshot: Snapshot, tmp_path: Path
) -> None:
    settings = ["trainer.epochs=1", "trainer.min_steps=1", "trainer.learning_rate=1e-9"]
    conf = load_conf([SIMULATED], settings=[*settings, "trainer.progress=false"]).tree
    shared = replace(make_task("any").scale, rows=7)
    start, state = save_start(replace(make_task("any"), model=conf.model, scale=shared), 1)
    fitted = fit_ranker(snapshot, conf, tmp_path / "fit", "", {}, start, shared)
    found = fitted.artifact.ranker.state_dict()
    assert all(torch.allclose(found[name], value, atol=1e-5) for name, value in state.items())
    assert fitted.artifact.scale == shared
    with pytest.raises(StartError, match="standardisation's rows differs"):
        fit_ranker(snapshot, conf, tmp_path / "measured", "", {}, start)
