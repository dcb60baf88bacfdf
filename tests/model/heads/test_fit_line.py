"""Relevance by the fit features beside the network's."""

from dataclasses import replace

import pytest
import torch

from conf.sections.model import ModelConf
from conf.sections.training import FeedConf
from model.feed import RowSelection, Snapshot, read_batches
from model.heads import LINE
from model.ranker import Ranker, build_ranker
from model.spec import RELEVANCE, InputFeature, InputSpec
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


def test_a_prediction_is_the_weighted_mean_of_both_logits(
    snapshot: Snapshot, scale: Standardisation
) -> None:
    line = {"": [0.5, -1.0], "query_item_0": [2.0, 0.0], "query_item_1": [0.0, -3.0]}
    ranker = silenced(build(snapshot, replace(scale, fit_line=line), text_fit_share=0.25))
    features = torch.zeros(3, len(snapshot.spec.features))
    columns = [snapshot.spec.names.index(f"query_item_{i}") for i in (0, 1)]
    z = torch.tensor([[0.0, 0.0], [1.0, 0.0], [-0.5, 0.25]])
    for place, column in enumerate(columns):
        name = f"query_item_{place}"
        features[:, column] = scale.mean[name] + scale.std[name] * z[:, place]
    assert ranker.relevance is not None
    first, second = ranker.relevance.tower[-1].bias.tolist()
    with torch.no_grad():
        found = ranker.predict(features)
    reached = torch.sigmoid(0.75 * first + 0.25 * (0.5 + 2.0 * z[:, 0]))
    again = torch.sigmoid(0.75 * second + 0.25 * (-1.0 - 3.0 * z[:, 1]))
    torch.testing.assert_close(found["p_ge_1"], reached)
    torch.testing.assert_close(found["p_ge_2"], reached * again)


@pytest.mark.parametrize(
    "changed",
    [{"relevance_head": "softmax"}, {"leave_out": ("query_item_1",)}, {"text_fit_share": 0.0}],
)
def test_without_a_line_that_suits_there_is_none(
    snapshot: Snapshot, scale: Standardisation, changed: dict[str, object]
) -> None:
    assert build(snapshot, scale, **changed).line is None
    assert build(snapshot, replace(scale, fit_line={})).line is None


def test_training_does_not_see_the_line(snapshot: Snapshot, scale: Standardisation) -> None:
    batch = next(
        read_batches(snapshot, RowSelection("train"), FeedConf(batch_size=32, engine="pyarrow"))
    )
    with_line, without = build(snapshot, scale), build(snapshot, scale, text_fit_share=0.0)
    assert with_line.line is not None
    assert with_line.state_dict().keys() == without.state_dict().keys()
    losses = [float(r(batch)[RELEVANCE].total.detach()) for r in (with_line, without)]
    assert losses[0] == losses[1]


def test_the_snapshot_gives_a_line_and_candidates_read_the_same(
    snapshot: Snapshot, scale: Standardisation
) -> None:
    assert set(scale.fit_line) == {"", "query_item_0", "query_item_1"}
    ranker = build(snapshot, scale)
    assert ranker.line is not None
    features = torch.randn(5, len(snapshot.spec.features)).abs()
    candidates = features[:, snapshot.spec.candidate_positions]
    read = ranker.line.compute_candidate_logits(candidates)
    torch.testing.assert_close(read, ranker.represent(features)[LINE])
