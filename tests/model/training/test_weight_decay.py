"""Weight decay shrinks matrices and leaves biases: seen in a step whose gradients are zero."""

import pytest
import torch
from torch import nn

from conf.sections.model import ModelConf
from conf.sections.training import TrainerConf
from model.backbones.grouped import GroupedLinear
from model.backbones.tabm import Tabm
from model.feed import Snapshot
from model.ranker import build_ranker
from model.standardise import Standardisation
from model.training.trainer import _build_optimizer

CONF = TrainerConf(learning_rate=0.1, weight_decay=0.5)
FACTOR = 1.0 - CONF.learning_rate * CONF.weight_decay


def moved(modules: list[nn.Module], conf: TrainerConf = CONF) -> list[dict[str, float]]:
    """By parameter of each module: its size after a step without a gradient, over that before."""
    with torch.no_grad():
        for module in modules:
            for parameter in module.parameters():
                parameter.uniform_(1.0, 2.0)  # nothing starts at zero, which cannot shrink
    before = [{k: p.detach().norm().item() for k, p in m.named_parameters()} for m in modules]
    for module in modules:
        for parameter in module.parameters():
            parameter.grad = torch.zeros_like(parameter)
    _build_optimizer(modules, conf).step()
    return [
        {k: p.detach().norm().item() / sizes[k] for k, p in m.named_parameters()}
        for m, sizes in zip(modules, before, strict=True)
    ]


def test_matrices_decay_and_biases_do_not() -> None:
    linear, grouped = moved([nn.Linear(3, 2), GroupedLinear(2, 3, 2)])
    for found in (linear, grouped):
        torch.testing.assert_close(found, {"weight": FACTOR, "bias": 1.0}, rtol=1e-5, atol=0)


def test_every_layer_of_a_ranker_decays_so(snapshot: Snapshot, scale: Standardisation) -> None:
    ranker = build_ranker(snapshot.spec, scale, ModelConf(hidden=(8, 4), tower=(4,)))
    layers = {name for name, module in ranker.named_modules() if isinstance(module, nn.Linear)}
    (found,) = moved([ranker])
    assert len(layers) > 5
    for name in layers:
        assert abs(found[f"{name}.weight"] - FACTOR) < 1e-5, name
        assert abs(found.get(f"{name}.bias", 1.0) - 1.0) < 1e-6, name


def test_frequencies_of_inputs_do_not_decay(snapshot: Snapshot, scale: Standardisation) -> None:
    conf = ModelConf(hidden=(8, 4), tower=(4,), numeric="periodic")
    (found,) = moved([build_ranker(snapshot.spec, scale, conf)])
    frequencies = {n: size for n, size in found.items() if n.endswith("frequency")}
    assert len(frequencies) == 2 and all(abs(f - 1.0) < 1e-6 for f in frequencies.values())


@pytest.mark.parametrize(("rate", "factor"), [(None, FACTOR), (0.0, 1.0), (2.0, 0.8)])
def test_embeddings_of_categories_decay_by_a_rate_of_their_own(
    snapshot: Snapshot, scale: Standardisation, rate: float | None, factor: float
) -> None:
    conf = CONF.model_copy(update={"embedding_decay": rate})
    ranker = build_ranker(snapshot.spec, scale, ModelConf(hidden=(8, 4), tower=(4,)))
    (found,) = moved([ranker], conf)
    tables = {name for name in found if "embeddings." in name}
    assert tables and all(abs(found[name] - factor) < 1e-5 for name in tables)
    assert abs(found["backbone.layers.0.weight"] - FACTOR) < 1e-5


def test_the_scales_of_members_do_not_decay() -> None:
    (found,) = moved([Tabm(3, ("click",), ModelConf(hidden=(8, 4), members=2))])
    decayed = {name for name, size in found.items() if abs(size - FACTOR) < 1e-5}
    assert decayed == {"first.weight", "layers.2.linear.weight"}
    assert all(abs(found[name] - 1.0) < 1e-6 for name in found.keys() - decayed)
