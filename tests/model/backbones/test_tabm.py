"""TabM against its equations: members are single networks, averaged as probabilities."""

import pytest
import torch
from torch import Tensor, nn

from conf.sections.model import ModelConf
from conf.sections.training import FeedConf
from model.backbones.shared_bottom import SharedBottom
from model.backbones.tabm import EnsembleLinear, Tabm
from model.feed import Batch, RowSelection, Snapshot, read_batches
from model.heads import LINE
from model.members import average_members, repeat_targets, repeat_values
from model.ranker import Ranker, build_ranker
from model.serving.network import ServingNetwork
from model.sizing import count_parameters
from model.spec import DESCENDING, RELEVANCE
from model.standardise import Standardisation

TASKS = ("click", "relevance")
CONF = ModelConf(backbone="tabm", members=3, hidden=(8, 6), tower=(4,), dropout=0.0)


def spread_out(module: nn.Module) -> None:
    """Draw the weights so far apart that members differ much, as after training."""
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))


def tabm_of(ranker: Ranker) -> Tabm:
    assert isinstance(ranker.backbone, Tabm)
    return ranker.backbone


def build(snapshot: Snapshot, scale: Standardisation, **changes: object) -> Ranker:
    ranker = build_ranker(snapshot.spec, scale, CONF.model_copy(update=changes))
    spread_out(ranker)
    return ranker


def member_of(backbone: Tabm, i: int) -> list[tuple[Tensor, Tensor]]:
    """Weight and bias of each layer of the i-th network, its scales multiplied into the matrix."""
    s, b = (p.detach().view(3, -1)[i] for p in (backbone.adapter.scale, backbone.adapter.bias))
    layers = [(s.unsqueeze(1) * backbone.first.weight.detach(), b)]
    for layer in backbone.layers:
        if isinstance(layer, EnsembleLinear):
            values = (layer.scale, layer.adapter.scale, layer.adapter.bias)
            r, s, b = (p.detach().view(3, -1)[i] for p in values)
            layers.append((s.unsqueeze(1) * layer.linear.weight.detach() * r, b))
    return layers


def split_members(
    ranker: Ranker, snapshot: Snapshot, scale: Standardisation, **changes: object
) -> list[Ranker]:
    """The ranker's members as rankers over a shared bottom each."""
    conf = CONF.model_copy(update=changes | {"backbone": "shared_bottom"})
    others = {n: v for n, v in ranker.state_dict().items() if not n.startswith("backbone.")}
    singles = []
    for i in range(3):
        single = build_ranker(snapshot.spec, scale, conf)
        single.load_state_dict(others, strict=False)
        linears = [m for m in single.backbone.modules() if isinstance(m, nn.Linear)]
        for linear, (weight, bias) in zip(linears, member_of(tabm_of(ranker), i), strict=True):
            linear.weight.data.copy_(weight)
            linear.bias.data.copy_(bias)
        if single.position_input is not None:  # an input of the first layer, scaled like the others
            signs = tabm_of(ranker).adapter.scale.detach().view(3, -1)[i]
            single.position_input.layer.weight.data.mul_(signs.unsqueeze(1))
        singles.append(single)
    return singles


@pytest.fixture(scope="module")
def lists(listed: Snapshot) -> Batch:
    """The first 100 rows, whole lists."""
    conf = FeedConf(batch_size=100, engine="pyarrow", group_by_list=True, shuffle_files=3)
    return next(read_batches(listed, RowSelection("train"), conf))


def test_members_start_apart_in_the_first_adapter_alone() -> None:
    torch.manual_seed(5)
    backbone = Tabm(3, TASKS, ModelConf(hidden=(40, 6, 5), members=4))
    signs = backbone.adapter.scale.detach().view(4, 40)
    assert set(signs.flatten().tolist()) == {-1.0, 1.0} and len(signs.unique(dim=0)) == 4
    later = [layer for layer in backbone.layers if isinstance(layer, EnsembleLinear)]
    assert len(later) == 2
    for layer in later:
        assert bool((layer.scale == 1.0).all()) and bool((layer.adapter.scale == 1.0).all())
    for adapter, read in zip(
        [backbone.adapter, *(e.adapter for e in later)], (3, 40, 6), strict=True
    ):
        bias = adapter.bias.detach().view(4, -1)
        assert len(bias.unique(dim=0)) == 1 and float(bias.std()) > 0.0
        assert float(bias.abs().max()) <= read**-0.5


def test_one_member_whose_scales_are_1_is_a_shared_bottom() -> None:
    torch.manual_seed(5)
    conf = ModelConf(hidden=(6, 5, 4), members=1)
    backbone, plain = Tabm(3, TASKS, conf), SharedBottom(3, TASKS, conf)
    backbone.adapter.scale.data.fill_(1.0)
    first, *later = [layer for layer in plain.layers if isinstance(layer, nn.Linear)]
    backbone.first.weight.data.copy_(first.weight)
    backbone.adapter.bias.data.copy_(first.bias)
    ensembles = [layer for layer in backbone.layers if isinstance(layer, EnsembleLinear)]
    for layer, linear in zip(ensembles, later, strict=True):
        layer.linear.weight.data.copy_(linear.weight)
        layer.adapter.bias.data.copy_(linear.bias)
    x = torch.randn(7, 3)
    for task, h in plain(x).items():
        torch.testing.assert_close(backbone(x)[task], h)


def test_the_prediction_is_the_mean_of_the_members_probabilities_by_hand(
    snapshot: Snapshot, scale: Standardisation, lists: Batch
) -> None:
    ranker = build(snapshot, scale)
    backbone, towers, line = tabm_of(ranker), ranker.engagement.towers, ranker.line
    (second,) = [layer for layer in backbone.layers if isinstance(layer, EnsembleLinear)]
    assert ranker.relevance is not None and line is not None and line.share == 0.5
    with torch.no_grad():
        x = ranker.inputs(lists.features)
        by_member: list[list[Tensor]] = []
        for i in range(3):
            wide, narrow = slice(8 * i, 8 * i + 8), slice(6 * i, 6 * i + 6)
            h = x @ backbone.first.weight.T * backbone.adapter.scale[wide]
            h = torch.relu(h + backbone.adapter.bias[wide])
            h = (h * second.scale[wide]) @ second.linear.weight.T * second.adapter.scale[narrow]
            h = torch.relu(h + second.adapter.bias[narrow])
            engaged = [torch.sigmoid(towers[task](h)[:, 0]) for task in ranker.spec.tasks]
            of_line = line.compute_logits(lists.features)
            reached, again = torch.sigmoid((ranker.relevance.tower(h) + of_line) / 2.0).T
            by_member.append([*engaged, reached, reached * again])
        expected = [torch.stack(each).mean(dim=0) for each in zip(*by_member, strict=True)]
        found = ranker.predict(lists.features)
    apart = (by_member[0][0] - by_member[1][0]).abs().max()
    assert float(apart) > 0.01
    served = ServingNetwork(ranker).predict_pairs(lists.features)
    for column, (name, p) in enumerate(found.items()):
        torch.testing.assert_close(p, expected[column], msg=name)
        torch.testing.assert_close(served[:, column], expected[column], msg=name)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"relevance_head": "listwise"},
        {"relevance_head": "lambda"},
        {"relevance_head": "mse"},
        {"position_bias": "additive"},
        {"position_bias": "input"},
        {"descending": 0.7},
        {"link": "residual"},
        {"link": "conditional", "region_mask": "md"},
    ],
    ids=str,
)
def test_losses_and_predictions_are_the_means_of_single_networks(
    listed: Snapshot, scale: Standardisation, lists: Batch, changes: dict[str, object]
) -> None:
    ranker = build(listed, scale, **changes)
    singles = split_members(ranker, listed, scale, **changes)
    alone, losses = [single(lists) for single in singles], ranker(lists)
    assert (DESCENDING in losses) == ("descending" in changes)
    for name, loss in losses.items():
        for found, each in zip(loss, zip(*(a[name] for a in alone), strict=True), strict=True):
            torch.testing.assert_close(found, torch.stack(each).mean(), rtol=1e-4, atol=1e-5)
    assert len({float(a[RELEVANCE].total.detach()) for a in alone}) == 3
    for position in (None, lists.position):
        read = [single.predict(lists.features, position) for single in singles]
        for name, p in ranker.predict(lists.features, position).items():
            torch.testing.assert_close(p, torch.stack([r[name] for r in read]).mean(dim=0))


def test_a_row_s_members_stand_side_by_side(snapshot: Snapshot, scale: Standardisation) -> None:
    ranker = build(snapshot, scale)
    features = torch.rand(2, len(snapshot.spec.features)).round()
    both, second = ranker.represent(features), ranker.represent(features[1:])
    assert both[RELEVANCE].shape == (6, 6) and both[LINE].shape == (6, 2)
    for task, h in second.items():
        torch.testing.assert_close(both[task][3:], h)


def test_targets_of_the_members_by_hand() -> None:
    big = 2.0**24 - 2.0  # three times it, and one more, is no float32
    batch = Batch(
        features=torch.tensor([[1.0], [2.0]]),
        labels=torch.tensor([[0.0, 1.0], [1.0, 0.0]]),
        position=torch.tensor([4.0, 7.0]),
        weight=torch.tensor([1.0, 0.0]),
        list_code=torch.tensor([big, 5.0]),
        label_names=("label_click", "mask_click"),
    )
    rows = repeat_targets(batch, 2)
    assert rows.get_label("label_click").tolist() == [0.0, 0.0, 1.0, 1.0]
    assert rows.position.tolist() == [4.0, 4.0, 7.0, 7.0]
    assert rows.weight.tolist() == [0.5, 0.5, 0.0, 0.0]
    assert repeat_targets(batch, 3).list_code.unique().numel() == 6
    assert repeat_targets(batch, 1) is batch
    values = torch.tensor([[1.0], [5.0]])
    assert repeat_values(values, 2).tolist() == [[1.0], [1.0], [5.0], [5.0]]
    assert average_members(torch.tensor([[1.0], [2.0], [5.0], [8.0]]), 2).tolist() == [[1.5], [6.5]]


def test_members_cost_their_scales_and_biases(snapshot: Snapshot) -> None:
    conf = ModelConf(hidden=(16, 8), members=4)
    plain = count_parameters(snapshot.spec, conf)
    found = count_parameters(snapshot.spec, conf.model_copy(update={"backbone": "tabm"}))
    # s and b of 16 units, r of 16, s and b of 8 for each member, in place of the two biases
    assert found - plain == 4 * (2 * 16 + 16 + 2 * 8) - 16 - 8
