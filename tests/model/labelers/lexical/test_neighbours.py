"""Features from the grades of near queries and items."""

from dataclasses import replace

import numpy as np
import pytest

from model.labelers.base import Pairs, Targets
from model.labelers.lexical.hashes import hash_keys
from model.labelers.lexical.neighbours import FEATURES, Neighbours, compute_out_of_fold

EAST, NORTH = np.array([1.0, 0.0], np.float32), np.array([0.0, 1.0], np.float32)
GRADED = Pairs(["saw", "saw", "rope"], ["red saw", "blue saw", "rope"])
QUERIES = np.stack([EAST, EAST, NORTH])
ITEMS = np.stack([EAST, NORTH, NORTH])
TARGETS = Targets.from_grades(np.array([2, 1, 0]))


def known() -> Neighbours:
    return Neighbours.from_pairs(GRADED, TARGETS, QUERIES, ITEMS)


def units(draw: np.random.Generator, *shape: int) -> np.ndarray:
    vectors = draw.normal(size=shape).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def named(row: np.ndarray) -> dict[str, float]:
    return dict(zip(FEATURES, row.tolist(), strict=True))


def test_hand_worked() -> None:
    """Query and item point east: "red saw" is as near as can be, the others are at right angles.

    Weights exp(12 (cos - 1)): of the queries 1, 1, e^-12, of the pairs 1, e^-12, e^-24; the mean
    grade is 1. The cosines are 1, 0, 1 and the grades 2, 1, 0, so the line of the grade on the
    cosine is flat and the surplus is the grade less 1.
    """
    found = named(known().compute_features(Pairs(["hand saw"], ["saw"]), EAST[None], EAST[None])[0])
    far = np.exp(-12.0)
    assert found["near_grade"] == pytest.approx((2 + far + 0.02) / (1 + far + far**2 + 0.02))
    assert found["near_weight"] == pytest.approx(np.log(1 + far + far**2 + 1e-6), abs=1e-6)
    assert found["near_query_grade"] == pytest.approx((3 + 0.2) / (2 + far + 0.2))
    assert found["near_query"] == found["near_item"] == pytest.approx(1.0)
    assert found["near_surplus"] == pytest.approx((1 + 0 - far) / (2 + far + 0.2))
    assert found["nearest_grade"] == 2.0


def test_a_query_has_no_neighbour_in_itself() -> None:
    """Asked for "saw" only "rope" counts, however the query is written."""
    for text in ("saw", " SAW "):
        found = named(known().compute_features(Pairs([text], ["saw"]), EAST[None], EAST[None])[0])
        assert found["near_query"] == found["near_item"] == 0.0
        assert found["nearest_grade"] == 0.0


def test_nothing_graded_but_the_query_itself() -> None:
    one = known().select_queries(known().keys == hash_keys(["saw"])[0])
    found = named(one.compute_features(Pairs(["saw"], ["saw"]), EAST[None], EAST[None])[0])
    assert found["near_grade"] == found["near_query_grade"] == pytest.approx(1.5)
    assert found["near_query"] == -1.0 and np.isfinite(list(found.values())).all()


def test_rows_come_in_the_order_of_the_pairs() -> None:
    draw = np.random.default_rng(3)
    texts = [f"q{n % 7}" for n in range(40)]
    queries = units(draw, 7, 8)[np.arange(40) % 7]
    items = units(draw, 40, 8)
    pairs = Pairs(texts, [f"i{n}" for n in range(40)])
    graded = Neighbours.from_pairs(
        pairs, Targets.from_grades(draw.integers(0, 3, 40)), queries, items
    )
    together = graded.compute_features(pairs, queries, items)
    alone = [
        graded.compute_features(pairs.select_rows(np.array([n])), queries[[n]], items[[n]])[0]
        for n in range(40)
    ]
    np.testing.assert_allclose(together, np.stack(alone), rtol=1e-5, atol=1e-6)


def test_training_features_do_not_know_their_own_query() -> None:
    draw = np.random.default_rng(4)
    texts = [f"q{n // 4}" for n in range(80)]
    queries, items = units(draw, 80, 8), units(draw, 80, 8)
    pairs = Pairs(texts, [f"i{n}" for n in range(80)])
    grades = draw.integers(0, 3, 80)
    own = np.array([text == "q3" for text in texts])
    other = np.where(own, 2 - grades, grades)
    mine, theirs = (
        compute_out_of_fold(
            pairs,
            replace(
                Neighbours.from_pairs(pairs, Targets.from_grades(g), queries, items),
                surplus=np.zeros(80, np.float32),
            ),
            queries,
            items,
        )
        for g in (grades, other)
    )
    np.testing.assert_array_equal(mine[own], theirs[own])
    assert not np.allclose(mine[~own], theirs[~own])
