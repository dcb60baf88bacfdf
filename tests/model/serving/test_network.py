"""Scoring in pieces with fused towers gives what the ranker gives."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.sections.model import ModelConf
from model.feed import Snapshot
from model.ranker import Ranker, build_ranker
from model.serving.network import CHUNK_ROWS, ServingNetwork, _cut_pieces, stack_towers
from model.standardise import Standardisation


def ranker_of(snapshot: Snapshot, scale: Standardisation, tower: tuple[int, ...]) -> Ranker:
    torch.manual_seed(3)
    conf = ModelConf(hidden=(16, 8), tower=tower, dropout=0.2)
    return build_ranker(snapshot.spec, scale, conf)


def features_of(snapshot: Snapshot, rows: int) -> torch.Tensor:
    torch.manual_seed(4)
    features = torch.randn(rows, len(snapshot.spec.features)) * 2 + 3
    features[:, snapshot.spec.names.index("region_index")] = torch.randint(0, 3, (rows,)).float()
    features[:, snapshot.spec.names.index("item_type")] = torch.randint(0, 8, (rows,)).float()
    return features


@pytest.mark.parametrize("tower", [(), (4,), (4, 3)])
def test_fused_towers_in_pieces(
    snapshot: Snapshot, scale: Standardisation, tower: tuple[int, ...]
) -> None:
    ranker = ranker_of(snapshot, scale, tower)
    network = ServingNetwork(ranker)
    assert network.towers is not None
    features = features_of(snapshot, CHUNK_ROWS + 7)
    with torch.no_grad():
        expected = torch.stack(list(ranker.predict(features).values()), dim=1)
    torch.testing.assert_close(network.predict_pairs(features), expected)


def test_candidates_in_pieces(snapshot: Snapshot, scale: Standardisation) -> None:
    ranker = ranker_of(snapshot, scale, (4,))
    network = ServingNetwork(ranker)
    counts = torch.tensor([0, CHUNK_ROWS - 1, 3, 0, CHUNK_ROWS + 5, 1, 0])
    candidates = features_of(snapshot, int(counts.sum()))[:, snapshot.spec.candidate_positions]
    queries = features_of(snapshot, len(counts))[:, snapshot.spec.query_positions]
    whole = ranker.inputs.join_blocks(queries.repeat_interleave(counts, dim=0), candidates)
    torch.testing.assert_close(
        network.predict_candidates(queries, candidates, counts), network.predict_pairs(whole)
    )


def test_members_share_the_rows_of_a_piece(snapshot: Snapshot, scale: Standardisation) -> None:
    torch.manual_seed(3)
    conf = ModelConf(backbone="tabm", members=5, hidden=(16, 8), tower=(4,))
    ranker = build_ranker(snapshot.spec, scale, conf)
    network = ServingNetwork(ranker)
    assert network.rows == 204  # of 1,024 for all five
    candidates = features_of(snapshot, 500)
    with torch.no_grad():
        expected = torch.stack(list(ranker.predict(candidates).values()), dim=1)
    torch.testing.assert_close(network.predict_pairs(candidates), expected)
    counts = torch.tensor([150, 100, 0, 250])
    queries = features_of(snapshot, 4)[:, snapshot.spec.query_positions]
    items = candidates[:, snapshot.spec.candidate_positions]
    whole = ranker.inputs.join_blocks(queries.repeat_interleave(counts, dim=0), items)
    torch.testing.assert_close(
        network.predict_candidates(queries, items, counts), network.predict_pairs(whole)
    )


def test_pieces_by_hand() -> None:
    found = list(_cut_pieces([2, 2, 1, 5], 3))
    assert found == [
        (slice(0, 1), slice(0, 2)),
        (slice(1, 3), slice(2, 5)),
        (slice(3, 4), slice(5, 10)),
    ]


def test_a_backbone_that_does_not_share_is_read_out_tower_by_tower(
    snapshot: Snapshot, scale: Standardisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    ranker = ranker_of(snapshot, scale, (4,))
    fused = ServingNetwork(ranker)
    monkeypatch.setattr(ranker.backbone, "shared", False)
    apart = ServingNetwork(ranker)
    assert apart.towers is None
    features = features_of(snapshot, 9)
    torch.testing.assert_close(apart.predict_pairs(features), fused.predict_pairs(features))


def test_towers_side_by_side_by_hand() -> None:
    towers = [torch.nn.Linear(2, 1), torch.nn.Linear(2, 2)]
    x = torch.tensor([[0.5, -1.0]])
    found = stack_towers(towers)(x)
    torch.testing.assert_close(found, torch.cat([t(x) for t in towers], dim=1))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 2 * CHUNK_ROWS), max_size=12))
def test_pieces_cover_every_candidate_with_its_query(counts: list[int]) -> None:
    row = 0
    for queries, rows in _cut_pieces(counts, CHUNK_ROWS):
        assert rows.start == row and rows.stop - rows.start == sum(counts[queries])
        assert sum(counts[queries]) <= CHUNK_ROWS or len([c for c in counts[queries] if c]) == 1
        row = rows.stop
    assert row == sum(counts)
