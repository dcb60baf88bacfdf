"""The terms of the logger's score."""

from math import hypot

import numpy as np
import pytest

from conf.sections.market import PolicyConf, ShoppersConf
from model.market.draws import Draws
from model.market.logger import WORDS_MEAN, WORDS_SD, score_by_model, score_pairs
from model.market.shoppers import MarketPairs


def test_each_term_has_its_weight() -> None:
    key, numbers = np.array([1], np.uint64), (np.array([x]) for x in (0.5, 1.0, 9.0, 2.0))
    pairs = MarketPairs(key, key, key, np.array([True]), *numbers)
    policy = PolicyConf(popularity=1.0, price=0.5, match=0.4, text=2.0, model=3.0)
    told = 1 + 1 + 0.2 + 2 * (0.75 - WORDS_MEAN) / WORDS_SD - 3
    assert score_pairs(policy, pairs, 0.75, -1.0) == pytest.approx(told)
    assert score_pairs(PolicyConf(), pairs) == pytest.approx(1 + 0.6 * 2 + 0.3 * 0.5)


def test_last_nights_model_is_the_click_logit_with_one_error_a_pair() -> None:
    logits, shoppers, draws = np.array([-2.0, 0.5, 1.0]), ShoppersConf(), Draws(17)
    keys, spread = ("norvel desk", "us", ["i1", "i2", "i3"]), _spread(ShoppersConf())
    seen = logits - shoppers.click_intercept
    exact = score_by_model(PolicyConf(model_error_sd=0.0), shoppers, logits, draws, *keys)
    assert exact == pytest.approx(seen / spread)
    wrong = score_by_model(PolicyConf(model_error_sd=2.0), shoppers, logits, draws, *keys)
    errors = wrong * hypot(spread, 2.0) - seen
    assert errors == pytest.approx(2.0 * draws.draw_normal("last night", *keys))


def _spread(conf: ShoppersConf) -> float:
    """1.2 logits a grade over .7 grades, and the other default effects of spread 1."""
    price = (conf.price_sensitivity_min + conf.price_sensitivity_max) / 2
    return hypot(1.2 * 0.7, 0.5, 0.3, price, conf.brand_taste_sd, conf.pair_noise_sd)
