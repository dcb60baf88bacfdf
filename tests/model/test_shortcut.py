"""The linear path to relevance's logits."""

from dataclasses import replace

import pytest
import torch

from conf.sections.training import ModelConf
from model.feed import Snapshot
from model.heads import SHORTCUT
from model.ranker import Ranker, build_ranker
from model.spec import GRADES, InputFeature, InputSpec
from model.standardise import Standardisation

CONF = ModelConf(hidden=(4,), tower=(3,), bins=4)


def build(snapshot: Snapshot, scale: Standardisation, **changed: object) -> Ranker:
    torch.manual_seed(3)
    return build_ranker(snapshot.spec, scale, CONF.model_copy(update=changed)).eval()


def silenced(ranker: Ranker) -> Ranker:
    """The ranker with a relevance tower that gives its biases only."""
    assert ranker.relevance is not None
    torch.nn.init.zeros_(ranker.relevance.tower[-1].weight)
    return ranker


def test_fit_features_are_numbers_of_the_pair_that_no_region_changes() -> None:
    pair = {"table": "query_item"}
    spec = InputSpec(
        (
            InputFeature("cosine", "query_item"),
            InputFeature("price", "item"),
            InputFeature("kind", "query_item", "category", buckets=3),
            InputFeature("clicks", **pair, regional=True),  # type: ignore[arg-type]
            InputFeature("shown", **pair, exposure=True),  # type: ignore[arg-type]
            InputFeature("overlap", "query_item"),
        ),
        ("click",),
    )
    assert spec.fit_positions == [0, 5]


def test_relevance_starts_at_the_regression(snapshot: Snapshot, scale: Standardisation) -> None:
    start = {"": [0.5, -1.0], "query_item_0": [2.0, 0.0], "query_item_1": [0.0, -3.0]}
    ranker = silenced(build(snapshot, replace(scale, fit_start=start)))
    features = torch.zeros(3, len(snapshot.spec.features))
    columns = [snapshot.spec.names.index(f"query_item_{i}") for i in (0, 1)]
    z = torch.tensor([[0.0, 0.0], [1.0, 0.0], [-0.5, 0.25]])
    for place, column in enumerate(columns):
        name = f"query_item_{place}"
        features[:, column] = scale.mean[name] + scale.std[name] * z[:, place]
    with torch.no_grad():
        found = ranker.predict(features)
    reached = torch.sigmoid(0.5 + 2.0 * z[:, 0])
    torch.testing.assert_close(found["p_ge_1"], reached)
    torch.testing.assert_close(found["p_ge_2"], reached * torch.sigmoid(-1.0 - 3.0 * z[:, 1]))


@pytest.mark.parametrize(
    "changed",
    [
        {"relevance_head": "softmax"},
        {"relevance_head": "coral"},
        {"leave_out": ("query_item_1",)},
    ],
)
def test_what_the_regression_does_not_suit_starts_at_nothing(
    snapshot: Snapshot, scale: Standardisation, changed: dict[str, object]
) -> None:
    ranker = build(snapshot, scale, **changed)
    assert ranker.shortcut is not None and float(ranker.shortcut.layer.weight.abs().sum()) == 0.0
    without = build(snapshot, scale, **changed, relevance_shortcut=False)
    assert without.shortcut is None
    features = torch.ones(2, len(snapshot.spec.features))
    with torch.no_grad():
        for name in (f"p_{grade}" for grade in GRADES):
            torch.testing.assert_close(
                ranker.predict(features)[name], without.predict(features)[name]
            )


def test_the_snapshot_gives_a_start_and_candidates_read_the_same(
    snapshot: Snapshot, scale: Standardisation
) -> None:
    assert set(scale.fit_start) == {"", "query_item_0", "query_item_1"}
    ranker = build(snapshot, scale)
    assert ranker.shortcut is not None
    features = torch.randn(5, len(snapshot.spec.features)).abs()
    candidates = features[:, snapshot.spec.candidate_positions]
    read = ranker.shortcut.read_candidates(candidates)
    torch.testing.assert_close(read, ranker.represent(features)[SHORTCUT])
