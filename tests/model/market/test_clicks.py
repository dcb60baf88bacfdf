"""What the click models promise, on pages made by hand."""

import numpy as np
import pandas as pd
import pytest

from conf.sections.market import ClicksConf
from model.market.clicks import compute_examination, draw_clicks
from model.market.draws import Draws

PAGES, ITEMS = 6_000, 4


def test_the_power_shapes_the_measured_curve() -> None:
    measured = compute_examination(12)
    assert compute_examination(12, 0.0) == [1.0] * 12
    assert compute_examination(12, 0.5) == pytest.approx([p**0.5 for p in measured])
    assert compute_examination(12, 1.5) == pytest.approx([p**1.5 for p in measured])


def test_by_default_the_measured_curve_is_examined_and_nobody_trusts() -> None:
    rows = _clicks(ClicksConf(), p_click=0.6)
    assert _rates(rows, "clicked") == pytest.approx(
        [0.6 * e for e in compute_examination(ITEMS)], abs=0.02
    )
    assert (rows.clicked == rows.attracted).all()


def test_trust_is_clicked_at_the_top_and_not_taken_for_attraction() -> None:
    conf = ClicksConf(examination_power=0.5, trust_bias=0.4)
    rows = _clicks(conf, p_click=0.1)
    curve = compute_examination(ITEMS, 0.5)
    told = [e * (0.1 + 0.9 * 0.4 / k) for k, e in enumerate(curve, start=1)]
    assert _rates(rows, "clicked") == pytest.approx(told, abs=0.02)
    assert _rates(rows, "attracted") == pytest.approx([0.1 * e for e in curve], abs=0.015)
    assert not (rows.attracted & ~rows.clicked).any()


def test_a_cascade_goes_on_as_the_curve_says_and_stops_after_clicks() -> None:
    conf = ClicksConf(model="cascade", examination_power=0.5, stop_after_click=0.75)
    rows = _clicks(conf, p_click=0.4)
    # every item clicked so far lets a quarter on: 1 - .4 * .75 = .7 of the shoppers, each time
    told = [0.4 * e * 0.7**k for k, e in enumerate(compute_examination(ITEMS, 0.5))]
    assert _rates(rows, "clicked") == pytest.approx(told, abs=0.02)


def test_a_cascade_that_always_stops_has_one_click_the_first_that_invites() -> None:
    conf = ClicksConf(model="cascade", examination_power=0.0, stop_after_click=1.0)
    rows = _clicks(conf, p_click=0.5)
    assert rows.groupby("search_id").clicked.sum().max() == 1
    assert _rates(rows, "clicked") == pytest.approx(
        [0.5 ** (k + 1) for k in range(ITEMS)], abs=0.02
    )


def _clicks(conf: ClicksConf, p_click: float) -> pd.DataFrame:
    """Pages of equal items, one row per item shown."""
    searches = np.arange(PAGES, dtype=np.uint64)[:, None]
    items = np.broadcast_to(np.arange(ITEMS, dtype=np.uint64), (PAGES, ITEMS))
    attracted, clicked = draw_clicks(
        np.full((PAGES, ITEMS), p_click), conf, Draws(5), searches, items
    )
    search, place = np.indices((PAGES, ITEMS))
    columns = {"search_id": search, "position": place + 1}
    columns |= {"attracted": attracted, "clicked": clicked}
    return pd.DataFrame({name: values.ravel() for name, values in columns.items()})


def _rates(rows: pd.DataFrame, column: str) -> list[float]:
    return [float(x) for x in rows.groupby("position")[column].mean()]
