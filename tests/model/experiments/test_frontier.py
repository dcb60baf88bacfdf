"""Two trainings at the same engagement, by hand.

North's page turns round, for the better, at weight .4 / .65 = .615 (.8 + .05 w against .4 + .7 w);
south's, for the worse, at .7 / .85 = .82 (.9 + .05 w against .2 + .9 w).
"""

from dataclasses import replace

import numpy as np
import pytest

from conf.sections.experiment import RankingConf
from model.experiments.evaluation import Evaluation
from model.experiments.frontier import Frontier, compare_at_equal_engagement
from model.experiments.predictions import Predictions
from model.experiments.ranking import EVERY, Order
from tests.model.experiments.hand_made import CLICKS, CONF, NONE, SPEC, make_predictions

PICKED = RankingConf(relevance="picked")
SWEEP = (0.0, 0.5, 0.75, 1.0, 2.0)


def make_frontier(changes: dict[str, list[float]], planted: bool = True) -> Frontier:
    """The orders of hand-made predictions; without planted truth engagement is that of the log."""
    columns = dict(make_predictions().columns)
    given = {"p_true_cart": [0.0] * 4, "p_true_purchase": [0.0] * 4} if planted else {}
    for name, values in (given | changes).items():
        kinds = ("first.", "logged.") if name in SPEC.outputs else ("",)
        columns |= {f"{kind}{name}": np.asarray(values) for kind in kinds}
    evaluation = Evaluation(Predictions(SPEC, columns), NONE, CONF)
    return Frontier(evaluation, Order(PICKED, CLICKS, {EVERY: 9.0}), SWEEP)


TURNING = {
    "p_click": [0.8, 0.4, 0.2, 0.9],
    "p_ge_1": [0.1, 0.9, 0.9, 0.1],
    "p_ge_2": [0.0, 0.5, 0.9, 0.0],
    "p_true_click": [0.5, 0.7, 0.2, 0.6],
}


def compute_ndcg(first: float, second: float) -> float:
    """NDCG of two items with these gains, in this order."""
    best, worst = max(first, second), min(first, second)
    return (first + second / np.log2(3)) / (best + worst / np.log2(3))


def test_engagement_is_that_of_the_planted_truth() -> None:
    swept = make_frontier(TURNING).swept
    turned = [compute_ndcg(0.5, 0.7), 1.0], [compute_ndcg(0.2, 0.6), 1.0]
    assert swept[0.0] == swept[0.5] == pytest.approx((turned[0][0] + 1) / 2)
    assert swept[0.75] == pytest.approx(1.0)
    assert swept[1.0] == swept[2.0] == pytest.approx((1 + turned[1][0]) / 2)


def test_engagement_is_that_of_the_currency_where_nothing_is_planted() -> None:
    swept = make_frontier(TURNING, planted=False).swept
    second = 1 / np.log2(3)  # north's click is its first row, south's its second
    assert swept[0.0] == pytest.approx(1.0)
    assert swept[0.75] == pytest.approx((second + 1) / 2)
    assert swept[2.0] == pytest.approx(second)


@pytest.mark.parametrize(
    ("least", "weight"),
    [
        # .75 leaves it, 0 and 1 do not: .875 .8125 .84375 .828125 .8203125
        (0.99, 0.8203125),
        (0.5, 2.0),  # every weight does
    ],
)
def test_the_largest_weight_that_leaves_enough(least: float, weight: float) -> None:
    frontier = make_frontier(TURNING)
    assert frontier.find_best() == pytest.approx(1.0)
    assert frontier.find_weight(least) == weight


def test_both_are_held_to_what_the_weaker_reaches() -> None:
    """The weaker, a coin in the north, has at best .5 (.905 + 1): there ours may take any weight
    that leaves as much."""
    ours = make_frontier(TURNING)
    weaker = make_frontier(TURNING | {"p_ge_1": [0.0] * 4, "p_ge_2": [0.0] * 4})
    assert weaker.find_best() == ours.swept[0.0] < ours.find_best()
    found = {
        f.metric: f.value
        for f in compare_at_equal_engagement(ours, weaker, 0.01)
        if f.region == "all"
    }
    bound = weaker.find_best() * 0.99
    ours_then, theirs = (
        {f.metric: f.value for f in one.build_figures(bound) if f.region == "all"}
        for one in (ours, weaker)
    )
    judged = "relevance_judged@10"
    assert found[f"equal_engagement.{judged}"] == pytest.approx(
        ours_then[f"value.{judged}"] - theirs[f"value.{judged}"]
    )
    assert found[f"equal_engagement.{judged}"] != pytest.approx(0.0)
    back = compare_at_equal_engagement(weaker, ours, 0.01)
    turned = {f.metric: -f.value for f in back if f.region == "all"}
    assert turned == pytest.approx(found)
    assert compare_at_equal_engagement(ours, replace(ours), 0.01)[0].value == 0.0
