"""What a result page promises: exact propensities, positions examined, later steps in time."""

import numpy as np
import pandas as pd
import pytest

from conf.sections.market import MarketSource, PolicyConf
from model.market.clicks import compute_examination
from model.market.draws import Draws, Keys
from model.market.pages import Outcomes, Pages, draw_outcomes, draw_pages

DRAWS, DAY = Draws(3), 86_400


def test_propensity_is_the_frequency_of_an_item_at_a_position() -> None:
    shown = _shown(_source(exploration=0.3), 4_000)
    rows = pd.DataFrame(
        {
            "item": shown.choice.ravel(),
            "position": np.tile([1, 2, 3], 4_000),
            "propensity": shown.propensity.ravel(),
        }
    )
    table = rows.groupby(["item", "position"]).propensity.agg(["size", "first", "nunique"])
    assert table["nunique"].max() == 1
    assert table["size"].to_numpy() / 4_000 == pytest.approx(table["first"].to_numpy(), abs=0.03)
    assert table.groupby("position")["first"].sum().tolist() == pytest.approx([1, 1, 1])
    # popularity 3 > 2 > 1 > 0 orders the greedy page; the pool of four is longer than the page
    assert table["first"][3, 1] == pytest.approx(0.3 / 4 + 0.7)
    assert table["first"][0, 1] == pytest.approx(0.3 / 4)


def test_a_short_pool_fills_the_first_places() -> None:
    base = np.array([[1.0, 0.0, np.nan], [0.0, 1.0, 2.0]])
    source = _source(exploration=1e-9)
    shown = draw_pages(base, _items(2, 3), _keys(2), np.array([1, 1]), source, DRAWS)
    assert shown.choice.tolist() == [[0, 1, -1], [2, 1, 0]]


def test_random_pages_show_the_examination_curve() -> None:
    source = _source(exploration=1.0)
    shown = _shown(source, 8_000)
    p_click = np.array([0.2, 0.4, 0.6, 0.8])[shown.choice]
    log = draw_outcomes(
        (p_click, p_click, p_click),
        shown.choice.astype(np.uint64),
        _keys(8_000),
        np.zeros(8_000, np.int64),
        10**9,
        source,
        DRAWS,
    )
    assert log.clicked.mean(axis=0) / 0.5 == pytest.approx(compute_examination(3), abs=0.03)


def test_later_steps_follow_the_page() -> None:
    log, second = _log(cutoff=10**9)
    assert (log.known_second > second).all()
    assert not (log.carted & ~log.clicked).any() and not (log.purchased & ~log.carted).any()
    late = log.known_second - second
    assert (late > DAY).mean() == pytest.approx(0.02, abs=0.008)
    assert late.max() < 3 * DAY + 3_600
    after = (log.purchase_second - second)[log.purchased]
    assert after.min() > 0 and DAY < after.max() < 3 * DAY + 3_600
    assert (log.cart_second < log.purchase_second).all()


def test_what_comes_after_the_cutoff_is_not_known() -> None:
    (soon, _), (later, _) = _log(cutoff=DAY), _log(cutoff=10**9)
    assert (soon.clicked == later.clicked).all()
    assert (soon.carted == (later.carted & (later.cart_second < DAY))).all()
    assert (soon.purchased == (later.purchased & (later.purchase_second < DAY))).all()
    assert (soon.carted != later.carted).any() and (soon.purchased != later.purchased).any()


def _source(exploration: float) -> MarketSource:
    policy = PolicyConf(exploration=exploration, popularity=1, price=0, match=0, drift_sd=0)
    return MarketSource(page_size=3, policy=policy)


def _keys(count: int) -> Keys:
    return np.arange(count, dtype=np.uint64)


def _items(pages: int, width: int) -> Keys:
    return np.broadcast_to(_keys(width), (pages, width))


def _shown(source: MarketSource, pages: int) -> Pages:
    """Pages of one query over a pool of four items with scores 0, 1, 2, 3."""
    base = np.broadcast_to(np.arange(4.0), (pages, 4))
    day = np.zeros(pages, np.int64)
    return draw_pages(base, _items(pages, 4), _keys(pages), day, source, DRAWS)


def _log(cutoff: int) -> tuple[Outcomes, np.ndarray]:
    """4,000 pages of two days, where whatever is examined is clicked, and when they were shown."""
    second = np.arange(4_000) * 30
    sure, likely = np.ones((4_000, 3)), np.full((4_000, 3), 0.9)
    did = draw_outcomes(
        (sure, likely, likely), _items(4_000, 3), _keys(4_000), second, cutoff, _source(1.0), DRAWS
    )
    return did, second[:, None]
