"""Ratings and the relevance behind them: the moments that the rater models promise."""

from itertools import product
from math import erf

import numpy as np
import pandas as pd
import pytest

from model.market.draws import Draws
from model.market.raters import RATING_MEAN, RATING_SD, draw_latent_relevance, draw_rated_grade

DRAWS = Draws(7)
PAIRS = 20_000


@pytest.fixture(scope="module")
def drawn() -> pd.DataFrame:
    """Ratings that are normal, the relevance behind them, and noisy grades of a known one."""
    key = np.arange(PAIRS)
    rating, grade = RATING_MEAN + RATING_SD * DRAWS.draw_normal("rating", key), key % 3
    return pd.DataFrame(
        {
            "rating": rating,
            "grade": grade,
            "half": draw_latent_relevance(rating, 0.5, DRAWS, key),
            "sure": draw_latent_relevance(rating, 1.0, DRAWS, key),
            "none": draw_latent_relevance(rating, 0.0, DRAWS, key),
            "quiet": draw_rated_grade(grade, 0.0, DRAWS, key),
            "noisy": draw_rated_grade(grade, 0.8, DRAWS, key),
        }
    )


def test_the_latent_has_the_share_of_the_variance_and_the_error_none_of_it(
    drawn: pd.DataFrame,
) -> None:
    rating, latent = drawn.rating.to_numpy(), drawn.half.to_numpy()
    assert latent.mean() == pytest.approx(RATING_MEAN - 1, abs=0.01)
    assert latent.std() == pytest.approx(0.5**0.5 * RATING_SD, rel=0.02)
    assert np.corrcoef(rating, latent)[0, 1] == pytest.approx(0.5**0.5, abs=0.015)
    assert np.corrcoef(rating - latent, latent)[0, 1] == pytest.approx(0, abs=0.02)


def test_the_latent_is_the_rating_of_sure_raters_and_no_rating_without_reliability(
    drawn: pd.DataFrame,
) -> None:
    assert drawn.sure.to_numpy() == pytest.approx(drawn.rating.to_numpy() - 1)
    assert drawn.none.to_numpy() == pytest.approx(np.full(PAIRS, RATING_MEAN - 1))


def test_noisy_raters_err_to_the_sides_that_exist(drawn: pd.DataFrame) -> None:
    assert (drawn.quiet == drawn.grade).all()
    told = [_mean_of_three(grade, 0.8) for grade in (0, 1, 2)]
    shares = pd.crosstab(drawn.grade, drawn.noisy, normalize="index").to_numpy()
    assert shares == pytest.approx(np.array(told), abs=0.02)


def _mean_of_three(grade: int, sd: float) -> list[float]:
    """P(rounded mean of three answers), worked out from the answers of one rater."""

    def below(x: float) -> float:
        return 0.5 * (1 + erf((x - grade) / sd / 2**0.5))

    one = [below(0.5), below(1.5) - below(0.5), 1 - below(1.5)]
    shares = [0.0, 0.0, 0.0]
    for answers in product(range(3), repeat=3):
        shares[round(sum(answers) / 3)] += one[answers[0]] * one[answers[1]] * one[answers[2]]
    return shares
