"""The gate: admits, refuses with reasons, compares with the admitted version."""

import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from conf.sections.labelers.labeling import GateConf
from model.labelers.base import LabelerError, Pairs, Probabilities
from model.labelers.gate.gate import Graded, judge_labeler, require_unseen
from model.labelers.gate.gold import (
    Gold,
    compute_gold_figures,
    compute_segment_figures,
    compute_weights,
    estimate_kappa_difference,
)

Grades = NDArray[np.int64]
LENIENT = GateConf(min_segment_pairs=10, bootstrap=200, max_calibration_error=1.0)


def gold_set(grades: Grades, per_query: int = 5) -> Gold:
    n = len(grades)
    number = np.arange(n) // per_query
    words = np.array(["drill", "cordless drill red", "a b c d e f"])
    queries = np.array([f"{words[i % 3]} {i}" for i in number])
    regions = np.where(number % 2 == 0, "us", "uk")
    pairs = Pairs(queries.tolist(), ["item"] * n)
    shown = (1000 - number).astype(float)
    return Gold(pairs, grades, queries, regions, shown, np.ones(n))


def said(grades: Grades) -> Graded:
    p = Probabilities((grades >= 1).astype(float), (grades >= 2).astype(float))
    return Graded(p, grades)


def drawn(seed: int, n: int = 600) -> Grades:
    return np.random.default_rng(seed).choice(3, n, p=(0.2, 0.4, 0.4)).astype(np.int64)


def noisy(true: Grades, share: float, seed: int) -> Grades:
    rng = np.random.default_rng(seed)
    changed = rng.random(len(true)) < share
    return np.where(changed, rng.integers(0, 3, len(true)), true).astype(np.int64)


def test_a_good_labeler_is_admitted() -> None:
    true = drawn(1)
    verdict = judge_labeler(gold_set(true), said(noisy(true, 0.05, 2)), None, LENIENT, 7)
    assert verdict.admitted
    assert verdict.figures["exact"] > 0.9
    assert {"region uk", "region us", "head queries", "tail queries"} <= set(
        verdict.figures["segments"]
    )
    json.dumps(verdict.figures, allow_nan=False)


def test_a_coin_is_refused_and_every_limit_says_why() -> None:
    true = drawn(1)
    verdict = judge_labeler(gold_set(true), said(noisy(true, 1.0, 2)), None, LENIENT, 7)
    assert not verdict.admitted
    words = " ".join(verdict.reasons)
    for name in ("within_one", "qwk", "exact"):
        assert name in words
    assert "(worst of" in words


def test_a_grade_never_given_is_refused() -> None:
    true = drawn(1)
    given = np.where(true == 0, 1, true).astype(np.int64)
    verdict = judge_labeler(gold_set(true), said(given), None, LENIENT, 7)
    assert verdict.reasons == ["recall_0 0.000 is below 0.1"]


def test_a_bad_segment_is_refused() -> None:
    true = drawn(1)
    gold = gold_set(true)
    coin = noisy(true, 1.0, 5)
    given = np.where(gold.regions == "uk", coin, true).astype(np.int64)
    conf = LENIENT.model_copy(update={"min_within_one": 0.5, "min_qwk": 0.0, "min_exact": 0.0})
    reasons = judge_labeler(gold, said(given), None, conf, 7).reasons
    assert reasons
    assert all(reason.startswith("region uk: ") for reason in reasons)


def test_wrong_probabilities_are_refused() -> None:
    true = drawn(1)
    p = Probabilities(np.full(len(true), 0.3), np.full(len(true), 0.3))
    conf = LENIENT.model_copy(update={"max_calibration_error": 0.1})
    reasons = judge_labeler(gold_set(true), Graded(p, true), None, conf, 7).reasons
    assert [reason.split()[0] for reason in reasons] == ["ece_ge_1"]


def test_worse_than_the_admitted_one_is_refused_and_noise_is_not() -> None:
    true = drawn(1)
    gold = gold_set(true)
    good, worse = said(noisy(true, 0.05, 2)), said(noisy(true, 0.2, 3))
    refused = judge_labeler(gold, worse, good, LENIENT, 7)
    assert len(refused.reasons) == 1
    assert "below that of the admitted version" in refused.reasons[0]
    assert judge_labeler(gold, good, worse, LENIENT, 7).admitted
    assert judge_labeler(gold, said(noisy(true, 0.05, 4)), good, LENIENT, 7).admitted


def test_the_paired_difference_is_that_of_the_kappas() -> None:
    true = drawn(1)
    gold = gold_set(true)
    a, b = noisy(true, 0.1, 2), noisy(true, 0.3, 3)
    gap = estimate_kappa_difference(gold, a, b, 300, 0.95, 7)
    expected = [compute_gold_figures(gold, said(x).p, x)["qwk"] for x in (a, b)]
    assert gap.value == pytest.approx(expected[0] - expected[1])
    assert gap.low is not None
    assert gap.high is not None
    assert gap.low < gap.value < gap.high


def test_a_gold_set_without_a_grade_is_an_error() -> None:
    true = np.maximum(drawn(1), 1)
    with pytest.raises(LabelerError, match="grade 0 is absent from the gold set"):
        judge_labeler(gold_set(true), said(true), None, LENIENT, 7)


def test_a_gold_set_that_was_fitted_on_is_an_error() -> None:
    require_unseen(["drill", "saw"], ["hammer"])
    with pytest.raises(LabelerError, match=r"1 query texts of the gold set.*'saw'"):
        require_unseen(["drill", "saw"], ["saw", "hammer"])


def test_segments_by_hand() -> None:
    gold = gold_set(drawn(1, 60))
    found: dict[str, Any] = compute_segment_figures(gold, gold.grades, 0.25, 5)
    # 12 queries of 5 pairs: 3 are head; lengths go 2, 4, 7 words
    assert found["head queries"]["pairs"] == 15
    assert found["tail queries"]["pairs"] == 45
    assert found["queries of 1 to 2 words"]["pairs"] == 20
    assert found["queries of 5+ words"]["pairs"] == 20
    assert all(segment["within_one"] == 1.0 for segment in found.values())


def test_weights_give_another_mix() -> None:
    grades = np.array([0, 1, 1, 2, 2, 2, 2, 2, 2, 2], np.int64)
    weight = compute_weights(np.eye(3)[grades], (0.5, 0.3, 0.2))
    shares = np.bincount(grades, weight) / weight.sum()
    np.testing.assert_allclose(shares, (0.5, 0.3, 0.2))
    assert weight.mean() == pytest.approx(1.0)
