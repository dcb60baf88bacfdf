"""Planted reading of a result page: which items are examined, and what is clicked there.

position: P(examined at k) = curve(k), each position by itself (the position-based model).
cascade: the shopper goes down from position 1 (Craswell et al. 2008), from k to k + 1 with
    probability curve(k + 1) / curve(k), after a click times 1 - stop_after_click (a click need not
    be the last one, as in the dependent click model, Guo et al. 2009). So curve(k) is
    P(examined at k) where nothing above was clicked.
trust: an examined item that does not attract is clicked all the same with probability
    trust_bias / k, P(click | examined, k) = p + (1 - p) trust_bias / k (trust bias as Agarwal et
    al. 2019 define it; the decay is ours). Such a click leads to no cart. Goes with both models.
"""

from itertools import pairwise

import numpy as np

from conf.sections.market import ClicksConf
from model.arrays import Floats
from model.market.draws import Bools, Draws, Keys

EXAMINATION_POINTS = ((1, 0.310), (2, 0.106), (3, 0.077), (10, 0.027), (25, 0.015))
"""(position, click rate) measured on a public log of hotel searches; only ratios are used."""


def compute_examination(positions: int, power: float = 1.0) -> list[float]:
    """Compute P(examined) at positions 1 .. `positions`, 1 at the first: the measured curve **
    `power`.

    Geometric between the named points, and on by the last segment's rate behind them.
    """
    on_top = EXAMINATION_POINTS[0][1]
    return [float((_interpolate_rate(p) / on_top) ** power) for p in range(1, positions + 1)]


def _interpolate_rate(position: int) -> float:
    segments = list(pairwise(EXAMINATION_POINTS))
    (a, at_a), (b, at_b) = next((s for s in segments if position <= s[1][0]), segments[-1])
    return float(at_a * (at_b / at_a) ** ((position - a) / (b - a)))


def draw_clicks(
    p_click: Floats, conf: ClicksConf, draws: Draws, searches: Keys, items: Keys
) -> tuple[Bools, Bools]:
    """Draw two masks [P, K]: attracted (examined and attracted) and clicked (examined, and
    attracted or trusted).

    Args:
        p_click: of whole pages, [P, K] from position 1.
        searches: keys of the pages, [P, 1].
        items: keys of the items, [P, K].
    """
    places = np.arange(1, p_click.shape[1] + 1)
    attracts = draws.draw_uniform("click", searches, items) < p_click
    inviting = attracts
    if conf.trust_bias:
        inviting = attracts | (
            draws.draw_uniform("trust", searches, items) < conf.trust_bias / places
        )
    curve = compute_examination(len(places), conf.examination_power)
    examined = draws.draw_uniform("examine", searches, items)
    if conf.model == "position":
        seen = examined < curve
    else:
        steps = [after / before for before, after in pairwise(curve)]
        stays = np.where(inviting, 1.0 - conf.stop_after_click, 1.0)
        goes_on = examined < np.array([*steps, 0.0]) * stays
        above = np.hstack([np.ones((len(goes_on), 1), np.bool_), goes_on[:, :-1]])
        seen = np.logical_and.accumulate(above, axis=1)
    return seen & attracts, seen & inviting
