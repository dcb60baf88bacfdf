"""The same weights in torch-rechub's models and in ours give the same probabilities.

What differs by definition, and whom ours follows:

- torch-rechub puts a batch normalisation after every linear layer, the gates' included; none of
  the four papers has one, and ours has none. Here they are set to the identity.
- torch-rechub's AITM leaves the behavioural expectation calibrator to its user; in the paper it is
  part of the loss, and in ours it is the penalty `descending` with the paper's weight.
- torch-rechub's ESMM gives p_cvr beside p_ctr and p_ctcvr, and its trainer drops the loss of the
  first; ours gives p_ctr and p_ctcvr, the two that the paper learns.
"""

import math
from collections.abc import Iterable

import pytest
import torch
from torch import Tensor, nn

from conf.sections.model import ModelConf
from model.backbones import BACKBONES, Aitm, Backbone, Esmm, Mmoe, Ple
from model.backbones.aitm import Transfer
from model.backbones.grouped import GroupedLinear
from model.heads import EngagementHead
from model.heads.links import choose_link
from model.heads.position_bias import NoBias
from model.losses import LogProb

multi_task = pytest.importorskip(
    "torch_rechub.models.multi_task", reason="torch-rechub is not installed (dev extra)"
)
features = pytest.importorskip("torch_rechub.basic.features", reason="torch-rechub")

DIM, ROWS = 5, 64
TASKS = ("click", "cart", "purchase")


class Ours(nn.Module):
    """A backbone and engagement towers, at position 1."""

    def __init__(self, tasks: tuple[str, ...] = TASKS, dim: int = DIM, **model: object) -> None:
        super().__init__()
        conf = ModelConf.model_validate(model)
        self.backbone: Backbone = BACKBONES[conf.backbone](dim, tasks, conf)
        link = choose_link(conf, self.backbone)
        bias = NoBias(link.count_biased(len(tasks)), 10)
        self.head = EngagementHead(self.backbone.out_dim, tasks, conf, bias, link)
        with torch.no_grad():  # so that predictions differ from row to row
            for parameter in self.parameters():
                parameter.mul_(3.0 if parameter.ndim > 1 else 0.5)

    def forward(self, x: Tensor) -> Tensor:
        """[B, dim] -> probabilities [B, T]."""
        prob: LogProb = self.head(self.backbone(x), None)
        return prob.log_p.exp()


@pytest.fixture
def x() -> Tensor:
    torch.manual_seed(11)
    return torch.randn(ROWS, DIM)


def dense() -> list[object]:
    return [features.DenseFeature("x", embed_dim=DIM)]


def classification() -> list[str]:
    return ["classification"] * len(TASKS)


def fill(mlp: nn.Module, layers: Iterable[tuple[Tensor, Tensor]]) -> None:
    """Put (weight [out, in], bias [out]) pairs into the linear layers of one of their MLPs."""
    linears = [layer for layer in mlp.modules() if isinstance(layer, nn.Linear)]
    with torch.no_grad():
        for linear, (weight, bias) in zip(linears, layers, strict=True):
            linear.weight.copy_(weight)
            linear.bias.copy_(bias)
        for norm in (layer for layer in mlp.modules() if isinstance(layer, nn.BatchNorm1d)):
            norm.weight.fill_(math.sqrt(1.0 + norm.eps))


def tower(ours: Ours, task: str) -> list[tuple[Tensor, Tensor]]:
    layers = ours.head.towers[task].modules()
    return [(layer.weight, layer.bias) for layer in layers if isinstance(layer, nn.Linear)]


def slices(backbone: Backbone, widths: list[int]) -> list[tuple[Tensor, Tensor]]:
    """Pieces of the layer that reads the input."""
    first = backbone.first_linear()
    return cut(first.weight, first.bias, widths)


def cut(weight: Tensor, bias: Tensor, widths: list[int]) -> list[tuple[Tensor, Tensor]]:
    """Pieces of a linear layer with so many outputs each."""
    return list(zip(torch.split(weight, widths), torch.split(bias, widths), strict=True))


def group(layer: nn.Module, index: int) -> tuple[Tensor, Tensor]:
    """One group of a grouped layer."""
    assert isinstance(layer, GroupedLinear)
    start = index * layer.out_dim
    return layer.weight[index].T, layer.bias[start : start + layer.out_dim]


def assert_same(theirs: nn.Module, ours: Ours, given: dict[str, Tensor], x: Tensor) -> None:
    with torch.no_grad():
        found = theirs.eval()(given)
        expected = ours.eval()(x)
    assert float(expected.std(dim=0).min()) > 1e-3, "predictions that differ from row to row"
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_mmoe(x: Tensor) -> None:
    ours = Ours(backbone="mmoe", hidden=(7, 4), experts=3, tower=(3,))
    params = {"dims": [7, 4]}
    towers = [{"dims": [3]}] * 3
    theirs = multi_task.MMOE(dense(), classification(), 3, params, towers)
    backbone = ours.backbone
    assert isinstance(backbone, Mmoe)
    *experts, a, b, c = slices(backbone, [7] * 3 + [3] * 3)
    for e, first in enumerate(experts):
        fill(theirs.experts[e], [first, group(backbone.stack.layers[1], e)])
    for t, gate in enumerate((a, b, c)):
        fill(theirs.gates[t], [gate])
        fill(theirs.towers[t], tower(ours, TASKS[t]))
    assert_same(theirs, ours, {"x": x}, x)


def test_ple(x: Tensor) -> None:
    ours = Ours(backbone="ple", hidden=(6, 6, 6), task_experts=2, shared_experts=3, tower=(3,))
    theirs = multi_task.PLE(dense(), classification(), 3, 2, 3, {"dims": [6]}, [{"dims": [3]}] * 3)
    backbone = ours.backbone
    assert isinstance(backbone, Ple)
    of_first = slices(backbone, [6] * 6 + [5] * 3 + [6] * 3 + [9])
    for level, layer in enumerate(theirs.cgc_layers):
        own, gates, shared = of_first[:6], of_first[6:9], of_first[9:]
        if level:
            tasks = [cut(*group(backbone.of_tasks[level - 1], t), [6, 6, 5]) for t in range(3)]
            own = [piece for task in tasks for piece in task[:2]]
            gates = [task[2] for task in tasks]
            linear = backbone.of_shared[level - 1]
            assert isinstance(linear, nn.Linear)
            shared = cut(linear.weight, linear.bias, [6] * 3 + [9] * (level < 2))
        shared_gate = [layer.gate_shared] if level < 2 else []
        theirs_shared = [*layer.experts_shared, *shared_gate]
        for modules, values in (
            (layer.experts_specific, own),
            (layer.gates_specific, gates),
            (theirs_shared, shared),
        ):
            for module, value in zip(modules, values, strict=True):
                fill(module, [value])
    for t, task in enumerate(TASKS):
        fill(theirs.towers[t], tower(ours, task))
    assert_same(theirs, ours, {"x": x}, x)


def test_aitm(x: Tensor) -> None:
    ours = Ours(backbone="aitm", hidden=(7, 4), tower=(3,))
    theirs = multi_task.AITM(dense(), 3, {"dims": [7, 4]}, [{"dims": [3]}] * 3)
    backbone = ours.backbone
    assert isinstance(backbone, Aitm)
    for t, first in enumerate(slices(backbone, [7] * 3)):
        fill(theirs.bottoms[t], [first, group(backbone.bottoms.layers[1], t)])
        fill(theirs.towers[t], tower(ours, TASKS[t]))
    for t, transfer in enumerate(backbone.transfers):
        assert isinstance(transfer, Transfer)
        fill(theirs.info_gates[t], [(transfer.handed_on.weight, transfer.handed_on.bias)])
        value, key, query = transfer.maps.weight.chunk(3)
        with torch.no_grad():
            theirs.aits[t].v_layer.weight.copy_(value)
            theirs.aits[t].k_layer.weight.copy_(key)
            theirs.aits[t].q_layer.weight.copy_(query)
    assert_same(theirs, ours, {"x": x}, x)


def test_esmm() -> None:
    torch.manual_seed(12)
    ours = Ours(("click", "purchase"), 6, backbone="esmm", hidden=(7, 4), tower=(3,))
    user = [features.SparseFeature("user", vocab_size=9, embed_dim=3)]
    item = [features.SparseFeature("item", vocab_size=8, embed_dim=3)]
    theirs = multi_task.ESMM(user, item, {"dims": [7, 4, 3]}, {"dims": [7, 4, 3]})
    ids = {"user": torch.randint(0, 9, (ROWS,)), "item": torch.randint(0, 8, (ROWS,))}
    for table in theirs.embedding.embed_dict.values():
        nn.init.normal_(table.weight)
    x = torch.cat([theirs.embedding.embed_dict[name](ids[name]) for name in ids], dim=1).detach()
    backbone = ours.backbone
    assert isinstance(backbone, Esmm)
    networks = (theirs.tower_ctr, theirs.tower_cvr)
    for t, first in enumerate(slices(backbone, [7] * 2)):
        second = group(backbone.bottoms.layers[1], t)
        fill(networks[t], [first, second, *tower(ours, ("click", "purchase")[t])])
    with torch.no_grad():
        found = theirs.eval()(ids)[:, 1:]  # ctr, ctcvr
        torch.testing.assert_close(found, ours(x), rtol=1e-5, atol=1e-6)
    assert float(found.std(dim=0).min()) > 1e-3
