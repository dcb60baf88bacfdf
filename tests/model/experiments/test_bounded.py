"""The largest relevance weight that leaves so much engagement, by hand.

North's page turns round at weight .4 / .65 = .615 (.8 + .05 w against .4 + .7 w), south's never.
"""

import numpy as np
import pytest

from conf.sections.experiment import RankingConf
from model.experiments.bounded import BoundedOrder
from model.experiments.evaluation import Evaluation
from model.experiments.ranking import EVERY, Order
from tests.model.experiments.hand_made import CLICKS, CONF, NONE, make_predictions

SECOND = 1 / np.log2(3)


@pytest.fixture
def bounded() -> BoundedOrder:
    order = Order(RankingConf(relevance="picked"), CLICKS, {EVERY: 9.0})
    return BoundedOrder(Evaluation(make_predictions(), NONE, CONF), order, (0.0, 0.5, 1.0, 2.0))


def test_the_most_engagement_is_that_of_the_clicked_order(bounded: BoundedOrder) -> None:
    assert bounded.find_best() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("least", "weight"),
    [
        (0.99, 0.609375),  # .5 leaves it, 1 does not; five halvings: .75 .625 .5625 .59375 .609375
        (0.8, 2.0),  # every weight leaves .815
        (1.5, 0.0),  # none does: the one with the most
    ],
)
def test_the_largest_weight_that_leaves_enough(
    bounded: BoundedOrder, least: float, weight: float
) -> None:
    assert bounded.find_weight(least) == weight


def test_figures_are_those_of_that_weight(bounded: BoundedOrder) -> None:
    found = {f.metric: f.value for f in bounded.build_figures(0.8) if f.region == "all"}
    assert found["bounded.w_relevance"] == 2.0
    assert found["bounded.relevance_judged@10"] == pytest.approx(1.0)
    assert found["bounded.engagement@10"] == pytest.approx((SECOND + 1) / 2)
    assert all(name.startswith("bounded.") for name in found)
    kept = {f.metric: f.value for f in bounded.build_figures(0.99) if f.region == "all"}
    assert kept["bounded.relevance_judged@10"] == pytest.approx((SECOND + 1) / 2)
