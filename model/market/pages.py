"""Result pages by the logging policy, and what shoppers did on them."""

from typing import NamedTuple

import numpy as np

from conf.sections.market import MarketSource
from model.arrays import Floats, Ints
from model.market.clicks import draw_clicks
from model.market.draws import Bools, Draws, Keys

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
"""Seconds of each."""


class Pages(NamedTuple):
    """Pages shown, each field [P, K] by page and place.

    Attributes:
        choice: place of the item in the page's pool, -1 behind the last item of a short pool.
        propensity: P(this item at this position), given query, region and day.
    """

    choice: Ints
    propensity: Floats


class Outcomes(NamedTuple):
    """What became of pages shown, each field [P, K]; times in seconds since 1970.

    carted and purchased are what came before the cutoff; their times are those of all.
    """

    clicked: Bools
    carted: Bools
    purchased: Bools
    known_second: Ints
    cart_second: Ints
    purchase_second: Ints


def draw_pages(
    base: Floats, items: Keys, searches: Keys, day: Ints, source: MarketSource, draws: Draws
) -> Pages:
    """Draw which items of its pool each page shows.

    With probability `exploration` a page shows its pool in a uniformly random order, else in the
    order of the day's scores. So, given query, region and day, the propensity is exact:
    exploration / |pool| + (1 - exploration) * [the day's order puts the item at this position].

    Args:
        base: the logger's score of the page's pool before the day's drift, [P, W], nan behind the
            last item.
        items: their keys, [P, W].
        searches: keys of the pages, [P].
        day: of the pages, [P].
        source: page size and policy.
        draws: of the market's seed.
    """
    explores = draws.draw_uniform("explore", searches) < source.policy.exploration
    score = base + source.policy.drift_sd * draws.draw_normal("drift", items, day[:, None])
    by_score = np.argsort(-score, axis=1, kind="stable")  # nan comes last
    chance = np.where(np.isnan(base), np.inf, draws.draw_uniform("order", searches[:, None], items))
    drawn = np.argsort(chance, axis=1)
    shown = np.where(explores[:, None], drawn, by_score)[:, : source.page_size]
    size = (~np.isnan(base)).sum(axis=1, keepdims=True)
    is_best = shown == by_score[:, : source.page_size]
    exploration = source.policy.exploration
    propensity = exploration / size + np.where(is_best, 1.0 - exploration, 0.0)
    return Pages(np.where(np.arange(shown.shape[1]) < size, shown, -1), propensity)


def draw_outcomes(
    chances: tuple[Floats, Floats, Floats],
    items: Keys,
    searches: Keys,
    event_second: Ints,
    cutoff: int,
    source: MarketSource,
    draws: Draws,
) -> Outcomes:
    """Draw what shoppers did on the pages, as the log before `cutoff` knows it.

    Clicks follow the click model (`model.market.clicks`); carts and purchases may come up to three
    days later, and are in the log only if they came before the cutoff.

    Args:
        chances: p_click, p_cart, p_purchase of the items shown, each [P, K].
        items: their keys, [P, K].
        searches: keys of the pages, [P].
        event_second: when each was shown, [P].
        cutoff: seconds since 1970.
        source: clicks, late and delayed shares.
        draws: of the market's seed.
    """
    page, shown_at = (searches[:, None], items), event_second[:, None]
    attracted, clicked = draw_clicks(chances[0], source.clicks, draws, *page)
    carted = attracted & (draws.draw_uniform("cart", *page) < chances[1])
    purchased = carted & (draws.draw_uniform("purchase", *page) < chances[2])
    cart = shown_at + _draw_delay("cart", page, source, draws)
    purchase = cart + _draw_delay("purchase", page, source, draws)
    late = draws.draw_uniform("late", *page) < source.late_share
    seconds_late = np.where(late, _DAY + draws.draw_below(2 * _DAY, "days late", *page), 0)
    soon = _MINUTE + draws.draw_below(14 * _MINUTE, "known", searches)[:, None]
    carted, purchased = carted & (cart < cutoff), purchased & (purchase < cutoff)
    return Outcomes(clicked, carted, purchased, shown_at + soon + seconds_late, cart, purchase)


def _draw_delay(step: str, page: tuple[Keys, Keys], source: MarketSource, draws: Draws) -> Ints:
    """Draw the seconds from the step before: within 30 minutes, or now and then up to a day and a
    half."""
    delayed = draws.draw_uniform(f"{step}/delayed", *page) < source.delayed_share
    longest = np.where(delayed, 36 * _HOUR, 30 * _MINUTE)
    return 10 + draws.draw_below(longest, f"{step}/delay", *page)
