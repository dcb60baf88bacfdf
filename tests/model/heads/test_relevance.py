"""Every relevance head: order of the outputs, start, soft labels, absent grades, what it learns."""

import math
from collections.abc import Mapping

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from conf.sections.model import ModelConf
from model.heads import (
    RELEVANCE_HEADS,
    CoralHead,
    CornHead,
    IndependentHead,
    LambdaRankHead,
    ListwiseHead,
    MseHead,
    RelevanceHead,
    SoftmaxHead,
    build_relevance_head,
)
from model.losses import corn_loss, lambda_rank_loss, listnet_loss, thresholds_loss
from model.spec import SpecError
from model.standardise import Standardisation

NAMES = sorted(RELEVANCE_HEADS)
CONF = ModelConf(tower=())
NAN = float("nan")


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def head_of(name: str, conf: ModelConf = CONF, in_dim: int = 3) -> RelevanceHead:
    torch.manual_seed(2)
    return RELEVANCE_HEADS[name](in_dim, conf)


def scale_of(rates: Mapping[str, float], soft: int = 0) -> Standardisation:
    return Standardisation(mean={}, std={}, rates=rates, rows=100, soft_labels=soft)


def at_start(name: str, rates: Mapping[str, float]) -> list[float]:
    """What a new head predicts for a representation of zeros."""
    conf = CONF.model_copy(update={"relevance_head": name})
    head = build_relevance_head(3, conf, scale_of(rates))
    found: list[float] = head.compute_probabilities(head(torch.zeros(1, 3)))[0].tolist()
    return found


@pytest.mark.parametrize("name", NAMES)
def test_heads_start_at_the_rates_of_the_labels(name: str) -> None:
    assert at_start(name, {"ge_1": 0.9, "ge_2": 0.4}) == pytest.approx([0.9, 0.4], rel=1e-5)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rates", [(0.0, 0.0), (0.6, 0.0), (0.3, 0.3), (1.0, 0.5), (1.0, 1.0)])
def test_a_grade_that_is_absent_in_training_starts_close_to_impossible(
    name: str, rates: tuple[float, float]
) -> None:
    found = at_start(name, dict(zip(("ge_1", "ge_2"), rates, strict=True)))
    assert found == pytest.approx(list(rates), abs=1e-3)
    assert 0 < found[1] <= found[0] < 1


@pytest.mark.parametrize("name", NAMES)
def test_a_grade_that_is_absent_stays_unlikely(name: str) -> None:
    """Only grades 0 and 1: P(>= 2) does not rise with training."""
    conf = CONF.model_copy(update={"relevance_head": name})
    head = build_relevance_head(3, conf, scale_of({"ge_1": 0.5, "ge_2": 0.0}))
    torch.manual_seed(1)
    x = torch.randn(64, 3)
    label = torch.stack([(x[:, 0] > 0).float(), torch.zeros(64)], dim=1)
    optimizer = torch.optim.AdamW(head.parameters(), lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        loss = head.compute_loss(head(x), label, torch.ones(64), torch.arange(64) // 8)
        (loss.total / loss.weight).backward()
        optimizer.step()
    found = head.compute_probabilities(head(x)).detach()
    assert float(found[:, 1].mean()) < 0.03
    assert float(found[x[:, 0] > 0, 0].mean()) > float(found[x[:, 0] < 0, 0].mean()) + 0.2


@pytest.mark.parametrize("name", NAMES)
def test_without_known_rates_a_head_starts_somewhere(name: str) -> None:
    assert 0 < at_start(name, {})[1] <= at_start(name, {})[0] < 1


@pytest.mark.parametrize("name", NAMES)
@given(st.lists(st.floats(-80, 80, width=32), min_size=6, max_size=6), st.floats(-20, 20))
def test_outputs_never_rise_from_grade_to_grade(
    name: str, values: list[float], free: float
) -> None:
    head = head_of(name)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.fill_(free)
    logits = torch.tensor(values).reshape(-1, head.outputs)
    found = head.compute_probabilities(logits)
    assert found.shape == (len(logits), 2)
    assert bool(((found >= 0) & (found <= 1)).all())
    assert bool((found[:, 0] >= found[:, 1]).all())


def test_coral_by_hand() -> None:
    head = head_of("coral")
    assert isinstance(head, CoralHead)
    gap = math.log1p(math.exp(float(head.gap.free.detach())))
    found = head.compute_probabilities(torch.tensor([[0.7]]))[0].tolist()
    assert found == pytest.approx([sigmoid(0.7), sigmoid(0.7 - gap)], rel=1e-5)


def test_independent_thresholds_are_cut_where_they_cross() -> None:
    found = head_of("independent").compute_probabilities(torch.tensor([[1.0, -1.0], [-1.0, 2.0]]))
    expected = [sigmoid(1.0), sigmoid(-1.0), sigmoid(-1.0), sigmoid(-1.0)]
    assert found.flatten().tolist() == pytest.approx(expected, rel=1e-5)


def test_softmax_by_hand() -> None:
    found = head_of("softmax").compute_probabilities(torch.tensor([[0.0, 1.0, 2.0]]))[0].tolist()
    total = 1 + math.e + math.e**2
    assert found == pytest.approx([(math.e + math.e**2) / total, math.e**2 / total], rel=1e-5)


def test_mse_by_hand_and_its_read_out_teaches_the_network_nothing() -> None:
    head = head_of("mse")
    assert isinstance(head, MseHead)
    head.start_at({"ge_1": 0.75, "ge_2": 0.25})  # thresholds at 1 -+ log(3) / 4
    first = 4 * (1.5 - 1.0) + math.log(3)
    second = 4 * (1.5 - 1.0) - math.log(3)
    expected = torch.tensor([[1.5]], requires_grad=True)
    found = head.compute_probabilities(expected)[0].tolist()
    assert found == pytest.approx([sigmoid(first), sigmoid(second)], rel=1e-5)
    label, one = torch.tensor([[1.0, 1.0]]), torch.ones(1)
    loss = head.compute_loss(expected, label, one, one)
    entropy = -math.log(sigmoid(first)) - math.log(sigmoid(second))
    assert float(loss.total.detach()) == pytest.approx(0.25 + entropy, rel=1e-5)
    loss.total.backward()
    assert expected.grad is not None and float(expected.grad) == pytest.approx(-1.0)
    assert head.threshold.grad is not None and float(head.threshold.grad) != 0.0


LABEL = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 0.0], [NAN, NAN]])
WEIGHT = torch.tensor([1.0, 0.5, 1.0, 0.0])
LISTS = torch.tensor([3.0, 3.0, 3.0, 3.0])


def test_listwise_is_the_chain_and_listnet_on_the_expected_grade() -> None:
    head = head_of("listwise", CONF.model_copy(update={"list_weight": 0.4}))
    assert isinstance(head, ListwiseHead) and isinstance(head, CornHead)
    logits = torch.randn(4, 2)
    found = head.compute_loss(logits, LABEL, WEIGHT, LISTS)
    expected = head.compute_probabilities(logits).sum(dim=1)
    chain = corn_loss(logits, LABEL, WEIGHT).total
    ranked = listnet_loss(expected, LABEL, WEIGHT, LISTS).total
    torch.testing.assert_close(found.total, chain + 0.4 * ranked)
    assert float(found.weight) == 2.5


def test_lambda_is_coral_and_pairs_on_the_same_score() -> None:
    head = head_of("lambda", CONF.model_copy(update={"list_weight": 0.4}))
    assert isinstance(head, LambdaRankHead) and isinstance(head, CoralHead)
    logits = torch.randn(4, 1)
    found = head.compute_loss(logits, LABEL, WEIGHT, LISTS)
    graded = thresholds_loss(head.compute_threshold_logits(logits), LABEL, WEIGHT).total
    ranked = lambda_rank_loss(logits[:, 0], LABEL, WEIGHT, LISTS).total
    torch.testing.assert_close(found.total, graded + 0.4 * ranked)
    assert float(ranked) > 0.0


@pytest.mark.parametrize("name", NAMES)
def test_flags_and_a_batch_of_one(name: str) -> None:
    head = head_of(name)
    assert head.needs_lists == (name in ("listwise", "lambda")) and head.takes_soft
    hidden, one = torch.randn(1, 3, requires_grad=True), torch.ones(1)
    loss = head.compute_loss(head(hidden), torch.tensor([[0.7, 0.2]]), 0.5 * one, one)
    loss.total.backward()
    assert math.isfinite(float(loss.total.detach())) and float(loss.weight) > 0.0
    assert [n for n, p in head.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize("name", NAMES)
def test_all_labels_missing(name: str) -> None:
    head = head_of(name)
    logits = head(torch.randn(5, 3))
    loss = head.compute_loss(logits, torch.full((5, 2), NAN), torch.zeros(5), torch.zeros(5))
    loss.total.backward()
    assert float(loss.total.detach()) == float(loss.weight) == 0.0
    gradients = [p.grad for p in head.parameters() if p.grad is not None]
    assert gradients and not any(bool(g.any()) for g in gradients)


@pytest.mark.parametrize("name", NAMES)
def test_a_source_counts_as_much_as_it_weighs(name: str) -> None:
    """Twice the weight of all rows is twice the loss; the mean stays."""
    head = head_of(name)
    logits = torch.randn(4, head.outputs)
    once = head.compute_loss(logits, LABEL, WEIGHT, LISTS)
    twice = head.compute_loss(logits, LABEL, 2 * WEIGHT, LISTS)
    torch.testing.assert_close(twice.total, 2 * once.total)
    torch.testing.assert_close(twice.weight, 2 * once.weight)


class _WholeGradesHead(IndependentHead):
    takes_soft = False


def test_a_head_that_cannot_take_soft_labels_refuses_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RELEVANCE_HEADS, "softmax", _WholeGradesHead)
    conf = CONF.model_copy(update={"relevance_head": "softmax"})
    with pytest.raises(SpecError, match=r"1,204 training rows .* take them: coral, corn"):
        build_relevance_head(3, conf, scale_of({}, soft=1_204))
    assert isinstance(build_relevance_head(3, conf, scale_of({})), _WholeGradesHead)


@pytest.mark.parametrize("name", NAMES)
def test_soft_labels_of_one_kind_are_reproduced(name: str) -> None:
    """All rows alike with P(>= 1) = 0.7, P(>= 2) = 0.2: what every form should end at."""
    head = head_of(name, in_dim=1)
    x, label = torch.ones(32, 1), torch.tensor([[0.7, 0.2]]).repeat(32, 1)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.05)
    for _ in range(300):
        optimizer.zero_grad()
        loss = head.compute_loss(head(x), label, torch.ones(32), torch.zeros(32))
        (loss.total / loss.weight).backward()
        optimizer.step()
    found = head.compute_probabilities(head(x))[0].tolist()
    assert found == pytest.approx([0.7, 0.2], abs=0.02)


def test_softmax_and_the_chain_have_the_same_likelihood() -> None:
    """Both give the negative log-likelihood of the grade, the chain as two decisions."""
    p = torch.tensor([0.2, 0.5, 0.3])
    chain = torch.logit(torch.tensor([[0.8, 0.3 / 0.8]]))
    softmax = head_of("softmax")
    assert isinstance(softmax, SoftmaxHead)
    one = torch.ones(1)
    for label in ([0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.6, 0.5]):
        ge = torch.tensor([label])
        by_class = softmax.compute_loss(p.log().unsqueeze(0), ge, one, one).total
        torch.testing.assert_close(by_class, corn_loss(chain, ge, one).total)
