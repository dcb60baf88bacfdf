"""Correction of answers to another mix of grades, and the estimate of that mix."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.labelers.base import LabelerError, Probabilities
from model.labelers.mix.prior_shift import compute_masses, correct_mix, estimate_mix

BALANCED = (1 / 3, 1 / 3, 1 / 3)
masses = st.lists(
    st.tuples(*[st.floats(0.01, 1.0)] * 3).map(lambda m: tuple(x / sum(m) for x in m)),
    min_size=1,
    max_size=6,
)
mixes = st.tuples(*[st.floats(0.02, 1.0)] * 3).map(lambda m: tuple(x / sum(m) for x in m))


def answers(rows: list[tuple[float, ...]]) -> Probabilities:
    table = np.asarray(rows)
    return Probabilities(table[:, 1] + table[:, 2], table[:, 2])


def test_by_hand() -> None:
    # masses .2 .3 .5 times (.1 .4 .5) * 3 = .02 .12 .25, sum .39
    p = correct_mix(answers([(0.2, 0.3, 0.5)]), BALANCED, (0.1, 0.4, 0.5))
    assert p.p_ge_1 == pytest.approx([0.37 / 0.39])
    assert p.p_ge_2 == pytest.approx([0.25 / 0.39])


@given(masses, mixes, mixes)
def test_there_and_back_again(rows: list[tuple[float, ...]], a: tuple, b: tuple) -> None:
    p = answers(rows)
    back = correct_mix(correct_mix(p, a, b), b, a)
    np.testing.assert_allclose(compute_masses(back), compute_masses(p), atol=1e-9)


@given(masses, mixes)
def test_the_same_mix_changes_nothing(rows: list[tuple[float, ...]], mix: tuple) -> None:
    p = answers(rows)
    np.testing.assert_allclose(
        compute_masses(correct_mix(p, mix, mix)), compute_masses(p), atol=1e-12
    )


@given(masses)
def test_more_of_a_grade_means_more_of_it(rows: list[tuple[float, ...]]) -> None:
    p = answers(rows)
    moved = correct_mix(p, BALANCED, (0.1, 0.2, 0.7))
    assert np.all(moved.p_ge_2 >= p.p_ge_2 - 1e-12)


def test_a_grade_that_production_lacks_gets_no_mass_and_no_nan() -> None:
    moved = correct_mix(answers([(1.0, 0.0, 0.0), (0.5, 0.3, 0.2)]), BALANCED, (0.0, 0.5, 0.5))
    assert moved.p_ge_1[1] == pytest.approx(1.0)
    assert np.all(np.isfinite(moved.p_ge_1))


@pytest.mark.parametrize(
    ("fitted", "production"),
    [
        ((0.0, 0.5, 0.5), (0.1, 0.4, 0.5)),
        (BALANCED, (0.0, 0.0, 0.0)),
        (BALANCED, (-0.1, 0.6, 0.5)),
        (BALANCED, (float("nan"), 0.5, 0.5)),
    ],
)
def test_mixes_that_cannot_be_moved(fitted: tuple, production: tuple) -> None:
    with pytest.raises(LabelerError):
        correct_mix(answers([(0.2, 0.3, 0.5)]), fitted, production)


def test_the_estimate_finds_the_mix_of_calibrated_answers() -> None:
    # Evidence x of a pair of grade g is N(g, 1); the posterior under equal shares is exact.
    rng = np.random.default_rng(3)
    true = (0.1, 0.3, 0.6)
    grades = rng.choice(3, 40_000, p=true)
    x = rng.normal(grades, 1.0)
    likelihood = np.exp(-0.5 * (x[:, None] - np.arange(3)) ** 2)
    table = likelihood / likelihood.sum(axis=1, keepdims=True)
    found = estimate_mix(Probabilities(table[:, 1] + table[:, 2], table[:, 2]), BALANCED)
    np.testing.assert_allclose(found, true, atol=0.02)


def test_no_estimate_from_nothing() -> None:
    with pytest.raises(LabelerError, match="no pairs"):
        estimate_mix(Probabilities(np.empty(0), np.empty(0)), BALANCED)
    with pytest.raises(LabelerError, match="above 0"):
        estimate_mix(answers([(0.2, 0.3, 0.5)]), (0.0, 0.5, 0.5))
