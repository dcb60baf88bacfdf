"""What the known items nearest to a query are like."""

import numpy as np
import pytest

from model.labelers import nearest_items
from model.labelers.base import Pairs
from model.labelers.lexical_features import fit_vocabulary
from model.labelers.nearest_items import FEATURES, NearestItems

ITEMS = ["acme saw", "acme red saw", "bolt rope", "bolt lamp"]
EAST, NORTH = np.array([1.0, 0.0], np.float32), np.array([0.0, 1.0], np.float32)
VECTORS = np.stack([EAST, EAST, NORTH, -EAST])
VOCABULARY = fit_vocabulary(ITEMS)
KNOWN = NearestItems.of([*ITEMS, *ITEMS])


@pytest.fixture(autouse=True)
def three(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three are the nearest: of a query that points east all but the lamp."""
    monkeypatch.setattr(nearest_items, "NEAREST", 3)


def asked(item: str, vector: np.ndarray) -> dict[str, float]:
    found = KNOWN.features(Pairs(["q"], [item]), VECTORS, EAST[None], vector[None], VOCABULARY)
    return dict(zip(FEATURES, found[0].tolist(), strict=True))


def test_hand_worked_for_a_new_item() -> None:
    """A bolt saw: two of three are saws, one is of bolt; cosines 1, 1 and 0."""
    found = asked("bolt saw", EAST)
    bolt, saw = VOCABULARY.idf("bolt"), VOCABULARY.idf("saw")
    assert found["like_head"] == pytest.approx(2 / 3)
    assert found["like_first"] == pytest.approx(1 / 3)
    assert found["like_words"] == pytest.approx((bolt * 1 / 3 + saw * 2 / 3) / (bolt + saw))
    assert found["like_vector"] == pytest.approx(2 / 3)


def test_an_item_is_not_compared_with_itself() -> None:
    """Beside "acme saw" itself there are the other saw and the rope."""
    found = asked("acme saw", EAST)
    assert found["like_head"] == found["like_first"] == found["like_words"] == pytest.approx(1 / 2)
    assert found["like_vector"] == pytest.approx(1 / 2)


def test_a_known_item_that_is_not_near_is_compared_with_all() -> None:
    found = asked("bolt lamp", -EAST)
    assert found["like_head"] == 0.0
    assert found["like_first"] == pytest.approx(1 / 3)
    assert found["like_vector"] == pytest.approx(-2 / 3)


def test_rows_come_in_the_order_of_the_pairs() -> None:
    draw = np.random.default_rng(4)
    unit = draw.normal(size=(12, 2)).astype(np.float32)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    queries, texts = [f"q{n % 3}" for n in range(12)], [ITEMS[n % 4] for n in range(12)]
    vectors, pairs = unit[np.arange(12) % 3], Pairs(queries, texts)
    together = KNOWN.features(pairs, VECTORS, vectors, unit, VOCABULARY)
    for row in range(12):
        one = np.array([row])
        alone = KNOWN.features(pairs.take(one), VECTORS, vectors[one], unit[one], VOCABULARY)
        np.testing.assert_allclose(together[row], alone[0], rtol=1e-6)


def test_no_pairs_no_items_no_words() -> None:
    nothing = np.zeros((0, 2), np.float32)
    assert KNOWN.features(Pairs([], []), VECTORS, nothing, nothing, VOCABULARY).shape == (0, 4)
    empty = NearestItems.of([])
    found = empty.features(Pairs(["q"], ["saw"]), nothing, EAST[None], EAST[None], VOCABULARY)
    assert found.tolist() == [[0.0, 0.0, 0.0, 0.0]]
    assert np.isfinite(list(asked("", NORTH).values())).all()
