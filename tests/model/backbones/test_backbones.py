"""What every backbone keeps."""

import pytest
import torch

from conf.sections.model import ModelConf
from model.backbones import BACKBONES, Backbone

TASKS = ("click", "cart", "purchase", "relevance")
SMALL = ModelConf(hidden=(6, 4), experts=3, task_experts=2, task_embedding=2, members=2)


def built(name: str, tasks: tuple[str, ...] = TASKS, conf: ModelConf = SMALL) -> Backbone:
    torch.manual_seed(5)
    return BACKBONES[name](3, tasks, conf)


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize("hidden", [(5,), (6, 4), (6, 5, 4)])
@pytest.mark.parametrize("tasks", [TASKS, TASKS[:3], ("click",), ("click", "relevance")])
def test_one_representation_a_task(
    name: str, hidden: tuple[int, ...], tasks: tuple[str, ...]
) -> None:
    backbone = built(name, tasks, SMALL.model_copy(update={"hidden": hidden, "dropout": 0.1}))
    out = backbone(torch.randn(7, 3))
    assert list(out) == list(tasks)
    assert backbone.out_dim == hidden[-1]
    assert all(h.shape == (7 * backbone.members, backbone.out_dim) for h in out.values())


@pytest.mark.parametrize("name", BACKBONES)
def test_a_batch_of_one_is_the_first_row_of_more(name: str) -> None:
    backbone, x = built(name), torch.randn(4, 3)
    for task, h in backbone(x[:1]).items():
        torch.testing.assert_close(h, backbone(x)[task][: backbone.members])


@pytest.mark.parametrize("name", BACKBONES)
def test_every_parameter_learns(name: str) -> None:
    backbone = built(name)
    torch.stack(list(backbone(torch.randn(9, 3)).values())).sum().backward()
    assert [n for n, p in backbone.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize("name", BACKBONES)
def test_biases_are_vectors_so_that_they_do_not_decay(name: str) -> None:
    assert all(p.ndim == 1 for n, p in built(name).named_parameters() if "bias" in n)


@pytest.mark.parametrize("name", ["esmm", "aitm", "resflow", "seq"])
def test_relevance_takes_nothing_from_the_steps(name: str) -> None:
    with_steps, x = built(name), torch.randn(5, 3)
    out = with_steps(x)
    parameters = list(with_steps.parameters())
    of_relevance = torch.autograd.grad(out["relevance"].sum(), parameters, allow_unused=True)
    silent = {
        n
        for (n, _), g in zip(with_steps.named_parameters(), of_relevance, strict=True)
        if g is None
    }
    own = {"esmm": set(), "aitm": {"transfers"}, "resflow": set(), "seq": {"cell", "embedding"}}
    assert {n.split(".")[0] for n in silent} == own[name]
    if name in ("esmm", "aitm", "resflow"):  # its first layer is the last quarter of the rows
        first = torch.autograd.grad(
            with_steps(x)["relevance"].sum(), with_steps.first_linear().weight
        )[0]
        assert float(first[:18].abs().max()) == 0.0 and float(first[18:].abs().max()) > 0.0
