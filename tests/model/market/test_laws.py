"""Laws that the parameters of a simulated log promise."""

from datetime import date
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from conf.sections.market import MarketSource, ShoppersConf
from model.market.catalogue import ATTRIBUTES
from model.market.clicks import compute_examination
from model.market.draws import Draws, Keys, as_keys, choose_index, draw_zipf_ranks
from model.market.pools import count_mismatches
from model.market.shoppers import MarketPairs, compute_funnel, spread_sensitivity
from model.market.traffic import WEEKDAY_TRAFFIC, compute_region_shares, count_slots, draw_searches

DRAWS = Draws(3)
RUN_DATE = date(2026, 3, 1)


def test_examination_passes_the_measured_points_and_is_geometric_between() -> None:
    curve = compute_examination(25)
    assert curve[0] == 1.0
    assert curve[1] == pytest.approx(0.106 / 0.310)
    assert curve[2] == pytest.approx(0.077 / 0.310)
    assert curve[9] == pytest.approx(0.027 / 0.310)
    assert curve[24] == pytest.approx(0.015 / 0.310)
    steps = [b / a for a, b in pairwise(curve[2:10])]
    assert steps == pytest.approx([(0.027 / 0.077) ** (1 / 7)] * 7)


def test_examination_falls_on_behind_the_last_point() -> None:
    curve = compute_examination(40)
    assert all(a > b > 0 for a, b in pairwise(curve))


def test_price_sensitivity_is_spread_evenly() -> None:
    conf = ShoppersConf(price_sensitivity_min=0.2, price_sensitivity_max=0.6)
    assert spread_sensitivity(conf, ("a", "b", "c")) == pytest.approx(
        {"a": 0.2, "b": 0.4, "c": 0.6}
    )
    assert spread_sensitivity(conf, ("a",)) == {"a": 0.2}


def test_region_shares_follow_the_skew() -> None:
    shares = compute_region_shares(MarketSource(region_skew=1.0), ("a", "b"))
    assert shares == pytest.approx({"a": 2 / 3, "b": 1 / 3})


def test_weekday_traffic_keeps_the_number_of_pages() -> None:
    assert sum(WEEKDAY_TRAFFIC) == pytest.approx(7)


def test_draws_have_their_moments_and_depend_on_seed_purpose_and_key() -> None:
    key = np.arange(40_000)
    drawn = pd.DataFrame(
        {
            "u": DRAWS.draw_uniform("u", key),
            "other_purpose": DRAWS.draw_uniform("other", key),
            "other_seed": Draws(4).draw_uniform("u", key),
            "next_key": DRAWS.draw_uniform("u", key + 1),
            "second_key": DRAWS.draw_uniform("u", key, 1),
        }
    )
    assert drawn.u.min() > 0 and drawn.u.max() < 1
    assert drawn.u.mean() == pytest.approx(0.5, abs=0.006)
    assert drawn.corr().abs().to_numpy()[0, 1:].max() < 0.02
    normal = DRAWS.draw_normal("n", key)
    assert normal.mean() == pytest.approx(0, abs=0.02) and normal.std() == pytest.approx(
        1, abs=0.02
    )
    assert np.unique(DRAWS.draw_below(3, "b", key)).tolist() == [0, 1, 2]
    assert (choose_index([3, 1], DRAWS.draw_uniform("c", key)) == 0).mean() == pytest.approx(
        0.75, abs=0.01
    )


def test_a_draw_is_the_same_in_any_batch_and_of_text_as_of_its_key() -> None:
    key = np.arange(100)
    whole = DRAWS.draw_uniform("u", key[:, None], ["a", "b"])
    assert whole.shape == (100, 2)
    assert (whole[40:] == DRAWS.draw_uniform("u", key[40:, None], as_keys(["a", "b"]))).all()
    assert DRAWS.draw_uniform("u", 7, "b") == whole[7, 1]


@pytest.mark.parametrize("exponent", [0.0, 0.9, 1.0])
def test_zipf_head_has_its_share(exponent: float) -> None:
    ranks = draw_zipf_ranks(DRAWS.draw_uniform("z", np.arange(40_000)), 500, exponent)

    def integral(x: float) -> float:
        return float(np.log(x) if exponent == 1.0 else (x ** (1 - exponent) - 1) / (1 - exponent))

    assert ranks.min() == 0 and ranks.max() <= 499
    for head in (1, 10, 100):
        share = integral(head + 1) / integral(501)
        assert (ranks < head).mean() == pytest.approx(share, abs=0.012)


def test_an_item_misses_the_named_attributes_that_it_does_not_have() -> None:
    assert len(ATTRIBUTES) == 4
    item = np.array([5, 3, 2, 8])
    wants = [[-1, -1, -1, -1], [5, 3, 2, 8], [5, -1, 2, 9], [0, 3, -1, 9], [6, 4, 3, 9]]
    assert count_mismatches(np.array(wants), item).tolist() == [0, 0, 1, 2, 4]


def test_probabilities_are_the_planted_logits() -> None:
    conf = ShoppersConf(
        click_intercept=-1.0,
        cart_intercept=0.0,
        purchase_intercept=0.0,
        relevance_strength=0.5,
        popularity=0.4,
        quality=0.2,
        price_sensitivity_min=0.1,
        price_sensitivity_max=0.3,
        brand_taste_sd=0.0,
        pair_noise_sd=0.0,
    )
    told = compute_funnel(
        _pairs([2.0, 0.0], [1.0, 0.0], [2.0, 0.0], [3.0, 0.0]), conf, ("a", "b"), DRAWS
    )
    click = _sigmoid(-1 + 0.5 + 0.4 + 0.4 + 0.3 * 3)
    later = _sigmoid(0.5 + 0.4 + 0.5 * 0.3 * 3)
    found = [told.p_click[1, 0], told.p_cart[1, 0], told.p_purchase[1, 0]]
    assert found == pytest.approx([click, later, later])
    assert told.p_click[0, 1] == pytest.approx(_sigmoid(-1.5))


def test_tastes_belong_to_region_and_brand_and_noise_to_text_and_item() -> None:
    zeros = dict.fromkeys(ShoppersConf.model_fields, 0.0)
    pairs = _pairs([1.0] * 3, [0.0] * 3, [0.0] * 3, [0.0] * 3)
    tastes = compute_funnel(
        pairs, ShoppersConf(**zeros | {"brand_taste_sd": 1.0}), ("a", "b"), DRAWS
    )
    assert (tastes.click_logit[:, 1] == 0).all()  # no brand
    assert tastes.click_logit[0, 0] == tastes.click_logit[0, 2] != tastes.click_logit[1, 0]
    noise = compute_funnel(pairs, ShoppersConf(**zeros | {"pair_noise_sd": 1.0}), ("a", "b"), DRAWS)
    assert (noise.click_logit[0] == noise.click_logit[1]).all()
    assert len(set(noise.click_logit[0])) == 3


def test_searches_fall_on_their_days_and_regions() -> None:
    source = MarketSource(days=14, impressions=12_000, page_size=6, region_skew=1.0)
    slot = np.arange(count_slots(source))
    found = draw_searches(slot, source, ("a", "b"), 50, RUN_DATE, DRAWS)
    assert len(found) == pytest.approx(2_000, abs=14)
    assert found.search_id.is_unique
    assert (found.region == "a").mean() == pytest.approx(2 / 3, abs=0.06)
    day = pd.to_datetime(found.event_second, unit="s").dt.date
    assert (day == pd.to_datetime(found.day, unit="D").dt.date).all()
    assert (day.astype(str).str.replace("-", "") == found.search_id.str[:8]).all()
    assert day.min() == date(2026, 2, 15) and day.max() == date(2026, 2, 28)
    parts = [
        draw_searches(s, source, ("a", "b"), 50, RUN_DATE, DRAWS) for s in np.split(slot, [7, 900])
    ]
    assert pd.concat(parts, ignore_index=True).equals(found)
    later = draw_searches(slot, source, ("a", "b"), 50, date(2026, 3, 2), DRAWS)
    assert (
        found[day > date(2026, 2, 15)]
        .reset_index(drop=True)
        .equals(later[later.search_id < "20260301"].reset_index(drop=True))
    )


def _sigmoid(x: float) -> float:
    return float(1 / (1 + np.exp(-x)))


def _keys(count: int) -> Keys:
    return np.arange(count, dtype=np.uint64)


def _pairs(
    relevance: list[float], popularity: list[float], quality: list[float], cheapness: list[float]
) -> MarketPairs:
    """Pairs of one text with items of one brand, the second without a brand."""
    count = len(relevance)
    numbers = (np.array(values) for values in (relevance, popularity, quality, cheapness))
    has_brand = np.arange(count) != 1
    return MarketPairs(
        np.zeros(count, np.uint64), _keys(count), np.full(count, 9, np.uint64), has_brand, *numbers
    )
