"""How a pair's match stands beside those of the known items."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.sections.language import read_english
from model.labelers.base import Pairs
from model.labelers.lexical.catalogue import FEATURES, Catalogue
from model.labelers.lexical.features import fit_vocabulary
from model.labelers.lexical.parsed import TextParser
from model.text.rules import TextRules

ITEMS = ["red saw", "blue saw", "saw blade", "rope", "red rope"]
PARSER = TextParser(TextRules(read_english()))
VOCABULARY = fit_vocabulary(ITEMS, PARSER)
KNOWN = Catalogue.from_texts([*ITEMS, *ITEMS], PARSER)
WORDS = ("red", "blue", "saw", "rope", "blade")


def asked(query: str, item: str) -> dict[str, float]:
    row = KNOWN.compute_features(Pairs([query], [item]), VOCABULARY, PARSER)[0]
    return dict(zip(FEATURES, row.tolist(), strict=True))


def share(query: str, item: str) -> float:
    words = query.split()
    weights = [VOCABULARY.compute_idf(word) for word in words]
    return sum(w for word, w in zip(words, weights, strict=True) if word in item.split()) / sum(
        weights
    )


def test_half_a_match_where_another_item_has_all() -> None:
    """Of "red saw": the item "red saw" has all, "blue saw" and "saw blade" the saw."""
    found = asked("red saw", "blue saw")
    own = share("red saw", "blue saw")
    assert found["behind_best"] == pytest.approx(own - 1)
    # "red rope" has `red`, which is rarer than `saw`: better than the saw alone.
    assert found["better_items"] == pytest.approx(np.log1p(2))
    assert found["items_as_good"] == pytest.approx(np.log1p(4))
    assert found["best_coverage"] == pytest.approx(1.0)
    assert found["items_at_best"] == found["full_matches"] == pytest.approx(np.log1p(1))


def test_an_item_that_is_not_known_counts_itself() -> None:
    found = asked("red blade", "big red blade")
    assert found["behind_best"] == 0.0 and found["better_items"] == 0.0
    assert found["items_as_good"] == found["items_at_best"] == pytest.approx(np.log1p(1))
    assert found["full_matches"] == pytest.approx(np.log1p(1))
    assert found["best_coverage"] == pytest.approx(1.0)


def test_no_item_holds_a_word() -> None:
    found = asked("zebra", "rope")
    assert found["best_coverage"] == found["behind_best"] == 0.0
    assert found["items_as_good"] == pytest.approx(np.log1p(len(ITEMS)))
    assert found["full_matches"] == 0.0
    assert np.isfinite(list(asked("", "").values())).all()


@settings(max_examples=60, deadline=None)
@given(
    query=st.lists(st.sampled_from(WORDS), min_size=1, max_size=4, unique=True),
    item=st.lists(st.sampled_from(WORDS), min_size=1, max_size=4, unique=True),
)
def test_counts_are_those_of_a_loop_over_the_items(query: list[str], item: list[str]) -> None:
    text, own_text = " ".join(query), " ".join(item)
    own = share(text, own_text)
    all_shares = np.array([share(text, other) for other in {*ITEMS, own_text}])
    found = asked(text, own_text)
    best = all_shares.max()
    expected = {
        "behind_best": own - best,
        "better_items": np.log1p((all_shares > own + 1e-9).sum()),
        "items_as_good": np.log1p((all_shares >= own - 1e-9).sum()),
        "best_coverage": best,
        "items_at_best": np.log1p((all_shares >= best - 1e-9).sum()),
        "full_matches": np.log1p((all_shares >= 1 - 1e-9).sum()),
    }
    assert found == pytest.approx(expected, abs=1e-6)


def test_rows_come_in_the_order_of_the_pairs() -> None:
    queries = [f"{WORDS[n % 5]} {WORDS[n % 3]} tool" for n in range(20)]
    items = [ITEMS[n % 4] if n % 3 else f"{WORDS[n % 5]} {n}" for n in range(20)]
    together = KNOWN.compute_features(Pairs(queries, items), VOCABULARY, PARSER)
    alone = [list(asked(q, i).values()) for q, i in zip(queries, items, strict=True)]
    np.testing.assert_array_equal(together, np.array(alone, np.float32))


def test_no_pairs_and_no_items() -> None:
    assert KNOWN.compute_features(Pairs([], []), VOCABULARY, PARSER).shape == (0, len(FEATURES))
    empty = Catalogue.from_texts([], PARSER).compute_features(
        Pairs(["saw"], ["saw"]), VOCABULARY, PARSER
    )
    assert empty[0].tolist() == pytest.approx([0.0, 0.0, np.log(2), 1.0, np.log(2), np.log(2)])
