"""Raters: what they say of a planted relevance, and what may lie behind what they said."""

from math import sqrt

import numpy as np
from numpy.typing import ArrayLike

from model.arrays import Floats, Ints
from model.market.draws import Draws

RATERS = 3
"""Raters of a pair, as many as behind most mean ratings of Home Depot."""
RATING_MEAN, RATING_SD = 2.38, 0.53
"""Mean and spread of Home Depot's 51,970 mean ratings, on their scale of 1 to 3."""


def draw_rated_grade(grade: Ints, noise_sd: float, draws: Draws, *keys: ArrayLike) -> Ints:
    """Draw the rounded mean of three raters' grades (0 to 2); the grade itself without noise.

    Each rater sees the grade with a normal error of her own and names the nearest grade.
    """
    if noise_sd == 0:
        return grade
    errors = (draws.draw_normal(f"rater/{n}", *keys) for n in range(RATERS))
    named = [np.clip(np.rint(grade + noise_sd * error), 0, 2) for error in errors]
    return np.asarray(np.rint(np.mean(named, axis=0)), np.int64)


def draw_latent_relevance(
    rating: Floats, reliability: float, draws: Draws, *keys: ArrayLike
) -> Floats:
    """Draw a relevance (on the scale of the grades, not bounded) behind a mean rating of 1 to 3.

    Model (classical test theory): rating = relevance + error, both normal, the error independent
    of the relevance, Var(relevance) = r Var(rating), r the reliability. Then the relevance given
    the rating is normal with mean m + r (rating - m) and variance r (1 - r) Var(rating), and this
    is a draw from it. So rating - relevance has no correlation with the relevance, and what
    follows the relevance says of the rating what the relevance says (correlation sqrt(r)) and
    nothing of the raters' error. The draw knows the rating only, no text: what a text says of
    a rating beyond this relevance is therefore more than what it would for real shoppers.
    """
    shrunk = RATING_MEAN + reliability * (rating - RATING_MEAN)
    spread = RATING_SD * sqrt(reliability * (1 - reliability))
    return shrunk + spread * draws.draw_normal("latent relevance", *keys) - 1.0
