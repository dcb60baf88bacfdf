"""What single words say of the grade."""

import numpy as np
import pytest

from conf.sections.language import read_english
from model.labelers.base import Pairs, Targets
from model.labelers.lexical.hashes import hash_keys
from model.labelers.lexical.parsed import TextParser
from model.labelers.lexical.word_grades import (
    FEATURES,
    WordGrades,
    compute_out_of_fold,
    compute_surplus,
)
from model.text.rules import TextRules

PARSER = TextParser(TextRules(read_english()))
PAIRS = Pairs(["red saw", "red saw", "saw"], ["blue saw", "red rope", "saw"])
SURPLUS = np.array([0.5, -1.0, 0.25])


def named(row: np.ndarray) -> dict[str, float]:
    return dict(zip(FEATURES, row.tolist(), strict=True))


def test_hand_worked() -> None:
    """`red`: missing once (.5), found once (-1); `saw`: missing once (-1), found twice (.75)."""
    learnt = WordGrades.from_pairs(PAIRS, SURPLUS, PARSER)
    found = named(learnt.compute_features(Pairs(["red saw axe"], ["saw"]), PARSER)[0])
    red, saw, axe = 0.5 / 9, 0.75 / 10, 0.0
    assert found["missing_words"] == pytest.approx(red + axe)
    assert found["worst_missing"] == pytest.approx(axe)
    assert found["mean_missing"] == pytest.approx((red + axe) / 2)
    assert found["found_words"] == found["mean_found"] == pytest.approx(saw)
    nothing = named(learnt.compute_features(Pairs(["saw"], ["rope"]), PARSER)[0])
    assert nothing["worst_missing"] == pytest.approx(-1.0 / 9)
    assert nothing["found_words"] == nothing["mean_found"] == 0.0


def test_a_query_does_not_hear_of_its_own_grades() -> None:
    """Two queries of two folds that share `saw`: each sees what the other's pairs say."""
    other = next(
        f"saw {n}" for n in range(50) if hash_keys([f"saw {n}"])[0] % 5 != hash_keys(["saw"])[0] % 5
    )
    pairs = Pairs(["saw", "saw", other], ["saw", "saw", "saw"])
    found = compute_out_of_fold(pairs, np.array([0.9, 0.9, -0.9]), PARSER)
    assert named(found[0])["found_words"] == pytest.approx(-0.9 / 9)
    assert named(found[2])["found_words"] == pytest.approx(1.8 / 10)


def test_a_fold_is_told_what_the_others_alone_would_tell(
    toy_pairs: tuple[Pairs, Targets],
) -> None:
    pairs, surplus = toy_pairs[0], np.random.default_rng(3).normal(size=600)
    fold = hash_keys(pairs.queries) % 5
    found = compute_out_of_fold(pairs, surplus, PARSER)
    for number in range(5):
        others = WordGrades.from_pairs(
            pairs.select_rows(fold != number), surplus[fold != number], PARSER
        )
        own = others.compute_features(pairs.select_rows(fold == number), PARSER)
        assert len(own) > 0
        np.testing.assert_array_equal(found[fold == number], own)


def test_the_surplus_has_nothing_left_of_the_features() -> None:
    draw = np.random.default_rng(2)
    features = draw.normal(size=(500, 3)).astype(np.float32)
    features[:, 2] = 4.0
    grade = np.clip(1 + 0.4 * features[:, 0] - 0.2 * features[:, 1], 0, 2)
    targets = Targets(np.minimum(grade, 1.0), np.maximum(grade - 1, 0.0), np.ones(500))
    left = compute_surplus(targets, features)
    assert abs(left.mean()) < 1e-9 and left.std() < 0.1 * grade.std()
    assert abs(np.corrcoef(left, features[:, 0])[0, 1]) < 0.05


def test_no_pairs_and_texts_without_words() -> None:
    empty = WordGrades.from_pairs(Pairs([], []), np.zeros(0), PARSER)
    assert empty.compute_features(Pairs([], []), PARSER).shape == (0, len(FEATURES))
    assert not empty.compute_features(Pairs(["saw", ""], ["saw", ""]), PARSER).any()
