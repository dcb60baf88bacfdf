"""Features of pairs, against a plain reading of their definitions."""

import math
import random
from collections import Counter

import numpy as np
import pytest

from model.text import comparing
from model.text.comparing import FIT_FEATURES, SCALE, CatalogueFigures, compare_readings
from model.text.reading import Reading
from model.text.rules import find_trigrams

WORDS = [*"abcdefgh", "sofa", "red", "6", "ft", "1/2", "lamp"]
SIZES, COLOURS = ["6 ft", "1/2 in", "queen"], ["red", "navy blue", "blue"]


def draw_reading(draw: random.Random, most: int) -> Reading:
    tokens = draw.choices(WORDS, k=draw.randint(0, most))
    return Reading(
        tokens=tokens,
        head=draw.choice([*tokens, "", "lamp"]),
        numbers=[t for t in dict.fromkeys(tokens) if t[0].isdigit()],
        colours=draw.sample(COLOURS, draw.randint(0, 2)),
        sizes=draw.sample(SIZES, draw.randint(0, 2)),
        brand=draw.sample(WORDS, draw.randint(0, 2)),
    )


def compare_plainly(query: Reading, item: Reading, catalogue: CatalogueFigures) -> list[float]:
    """One pair at a time, set by set."""
    asked, held = set(query.tokens), set(item.tokens)
    n, df, (k1, b) = catalogue.items, catalogue.frequencies, (catalogue.k1, catalogue.b)

    def exact_idf(term: str) -> float:
        return math.log1p((n - df.get(term, 0) + 0.5) / (df.get(term, 0) + 0.5))

    def idf(term: str) -> float:
        return math.floor(exact_idf(term) * 1e6 + 0.5)

    def share(part: set[str], whole: set[str]) -> float:
        return len(part & whole) / len(part) if part else 0.0

    def three_ways(named: list[str], owned: list[str]) -> float:
        if not named or not owned:
            return 0.0
        return 1.0 if set(named) & set(owned) else -1.0

    bm25, length = 0.0, 1 - b + b * len(item.tokens) / catalogue.average_length
    for term in asked & held:
        tf = Counter(item.tokens)[term]
        bm25 += math.floor(exact_idf(term) * 1e6 * tf * (k1 + 1) / (tf + k1 * length) + 0.5)
    whole = sum(map(idf, asked))
    trigrams = set(find_trigrams(query.tokens)), set(find_trigrams(item.tokens))
    return [
        bm25 / SCALE,
        share(asked, held),
        share(*trigrams),
        float(bool(item.brand) and set(item.brand) <= asked),
        three_ways(list(query.colours), list(item.colours)),
        three_ways(list(query.sizes), list(item.sizes)),
        share(set(query.numbers), held),
        share(held, asked),
        sum(map(idf, asked & held)) / whole if whole else 0.0,
        whole / SCALE / len(asked) if asked else 0.0,
        float(item.head in asked),
        float(item.head == query.head != ""),
    ]


@pytest.mark.parametrize("chunk", [7, 65_536])
def test_pairs_are_as_plainly_defined(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparing, "_CHUNK", chunk)
    draw = random.Random(5)
    queries = [draw_reading(draw, 4) for _ in range(60)]
    items = [draw_reading(draw, 9) for _ in range(90)]
    held = Counter(term for item in items for term in set(item.tokens))
    figures = CatalogueFigures(90, 4.5, {t: n for t, n in held.items() if t != "lamp"}, 1.2, 0.75)
    pairs = [(draw.randrange(60), draw.randrange(90)) for _ in range(1_000)]
    at_query, at_item = np.array(pairs).T
    found = compare_readings(queries, items, at_query, at_item, figures)
    expected = [compare_plainly(queries[q], items[i], figures) for q, i in pairs]
    assert found.dtype == np.float32 and found.shape == (1_000, len(FIT_FEATURES))
    np.testing.assert_allclose(found, expected, atol=2e-6)
    assert (found.std(axis=0) > 0).all()


def test_texts_without_a_token_fit_nothing() -> None:
    empty = Reading([], "", [], [], [])
    rows = np.zeros(1, np.intp)
    found = compare_readings([empty], [empty], rows, rows, CatalogueFigures(0, 0.0, {}, 1.2, 0.75))
    assert not found.any()
    none = np.zeros(0, np.intp)
    assert compare_readings([], [], none, none, CatalogueFigures(0, 0.0, {}, 1.2, 0.75)).size == 0
