"""Figures and orders of hand-made predictions: two regions, one page of two items in each."""

from pathlib import Path

import numpy as np
import pytest

from conf.sections.experiment import RankingConf
from conf.sections.value import EvaluationConf, ValueConf
from model.experiments.evaluation import Evaluation
from model.experiments.figures import Figure
from model.experiments.predictions import Predictions, load_predictions
from model.experiments.ranking import Ranking
from model.experiments.rows import mark_judged, pool_grades
from tests.model.experiments.hand_made import CLICKS, CONF, NONE, SPEC, make_predictions


def index_figures(figures: list[Figure]) -> dict[tuple[str, str], Figure]:
    return {(f.metric, f.region): f for f in figures}


@pytest.fixture
def predictions() -> Predictions:
    return make_predictions()


def test_figures_by_hand(predictions: Predictions) -> None:
    found = index_figures(Evaluation(predictions, NONE, CONF).build_task_figures())
    second = 1 / np.log2(3)
    assert found["ndcg.click", "all"].value == pytest.approx(1.0)
    assert found["ndcg@10.relevance", "all"].value == pytest.approx(1.0)
    # Cart after click rises in one row of four, purchase after cart in one: 2 of 8 steps.
    assert found["violations.share", "all"].value == pytest.approx(2 / 8)
    assert found["violations.share", "north"].value == pytest.approx(1 / 4)
    assert found["violations.size", "all"].value == pytest.approx((0.2 + 0.2) / 8)
    assert found["auc.click", "north"].value == 1.0
    assert found["truth.error.click", "all"].value == pytest.approx(0.2 / 4)
    assert found["truth.ndcg.click", "north"].value == pytest.approx(1.0)
    assert found["ndcg.purchase", "south"].value == pytest.approx(second)
    assert np.isnan(found["ndcg.purchase", "north"].value)
    assert found["auc.click", "all"].units == 2


def test_orders_by_hand(predictions: Predictions) -> None:
    second = 1 / np.log2(3)
    value = ValueConf(weights=CLICKS, sweep=(0.0, 2.0))
    figures = {}
    for relevance in ("none", "only", "picked"):
        ranking = Ranking(RankingConf(relevance=relevance), value, CONF)
        order = ranking.choose_order(predictions, NONE)
        figures[relevance] = index_figures(
            Evaluation(predictions, NONE, CONF).build_order_figures(order)
        )
    relevance, engagement = "value.relevance_judged@10", "value.engagement@10"
    assert figures["none"][relevance, "all"].value == pytest.approx((second + 1) / 2)
    assert figures["none"][engagement, "all"].value == pytest.approx(1.0)
    assert figures["only"][relevance, "all"].value == pytest.approx(1.0)
    assert figures["only"][engagement, "north"].value == pytest.approx(second)
    assert figures["picked"]["value.w_relevance", "all"].value == 0.0  # 2 would cost engagement


def repeat_north_page(predictions: Predictions, times: int) -> Predictions:
    """North's query with `times` equal pages, south's with its one."""
    rows = np.concatenate([np.tile([0, 1], times), [2, 3]])
    columns = {name: values[rows] for name, values in predictions.columns.items()}
    pages = np.repeat(np.arange(times + 1), 2).astype(np.float64)
    return Predictions(SPEC, columns | {"page_code": pages})


def test_a_query_with_many_pages_counts_once(predictions: Predictions) -> None:
    """Ranked by their relevance, north's pages all have `second` and south's 1."""
    tasks = {"first.p_click": predictions.columns["first.p_ge_1"]}
    turned = Predictions(SPEC, dict(predictions.columns) | tasks)
    many = repeat_north_page(turned, 9)
    second = 1 / np.log2(3)
    found = index_figures(Evaluation(many, NONE, CONF).build_task_figures())
    assert found["ndcg.click", "all"].value == pytest.approx((second + 1) / 2)
    value = ValueConf(weights=CLICKS, sweep=(0.0, 2.0), noise=1e-9)  # the ranker judges the cost
    picked = Ranking(RankingConf(relevance="picked"), value, CONF)
    one, nine = (
        picked.compute_curve(rows, NONE)
        for rows in (predictions, repeat_north_page(predictions, 9))
    )
    assert [point.engagement for point in nine] == pytest.approx([p.engagement for p in one])
    assert [p.engagement_share for p in nine] == pytest.approx([p.engagement_share for p in one])


def test_every_yardstick_has_its_figure(predictions: Predictions) -> None:
    columns = dict(predictions.columns) | {
        "propensity": np.asarray([0.5, 0.5, 0.25, 0.25]),
        "grade": np.asarray([0.0, 2.0, 0.0, 2.0]),
        "p_true_cart": np.zeros(4),
        "p_true_purchase": np.zeros(4),
    }
    planted = Predictions(SPEC, columns)
    ranking = Ranking(RankingConf(relevance="none"), ValueConf(weights=CLICKS), CONF)
    order = ranking.choose_order(planted, NONE)
    conf = CONF.model_copy(update={"examination": (1.0, 0.5)})
    found = index_figures(Evaluation(planted, NONE, conf).build_order_figures(order))
    second = 1 / np.log2(3)
    # The order puts north's click (position 1) and south's (position 2) first: all give 1.
    for name in ("", "_logged", "_debiased", "_off_policy", "_true"):
        assert found[f"value.engagement{name}@10", "all"].value == pytest.approx(1.0)
    assert found["value.engagement_effective", "all"].value == pytest.approx(6**2 / (4 + 16))
    assert found["value.relevance_pooled@10", "all"].value == pytest.approx((second + 1) / 2)
    assert found["value.relevance_judged_distance@10", "north"].value == pytest.approx(-1.0)
    assert found["value.clear_pairs", "all"].value == pytest.approx(0.5)
    only = Ranking(RankingConf(relevance="only"), ValueConf(weights=CLICKS), CONF)
    turned = index_figures(
        Evaluation(planted, NONE, conf).build_order_figures(only.choose_order(planted, NONE))
    )
    assert turned["value.engagement_debiased@10", "all"].value == pytest.approx((second + 2) / 3)
    assert turned["value.engagement_off_policy@10", "all"].value == pytest.approx(
        (2 * second + 4) / 6
    )


def test_the_pick_is_judged_in_the_currency(predictions: Predictions) -> None:
    """Relevance first costs north's click, which weighs 1 of 3 by examination, 1 of 2 as logged."""
    value = ValueConf(weights=CLICKS, sweep=(0.0, 2.0), engagement_loss=0.15, noise=100.0)
    seen = EvaluationConf(currency="debiased", examination=(1.0, 0.5))
    for conf, weight in ((CONF, 0.0), (seen, 2.0)):
        ranking = Ranking(RankingConf(relevance="picked"), value, conf)
        assert ranking.choose_order(predictions, NONE).w_relevance[0] == weight


def test_a_pooled_list_has_an_item_once_and_with_its_grade(predictions: Predictions) -> None:
    columns = dict(predictions.columns) | {
        "judged": np.asarray([0.0, 1.0, 0.0, 0.0]),
        "grade": np.asarray([-1.0, 2.0, -1.0, -1.0]),
        "item_code": np.asarray([0.0, 0.0, 1.0, 1.0]),
    }
    rows, grade = pool_grades(Predictions(SPEC, columns))
    assert rows.tolist() == [False, True, True, False]
    assert grade[rows].tolist() == [2.0, -1.0]


def test_a_region_takes_a_weight_of_its_own_where_it_has_enough_lists(
    predictions: Predictions,
) -> None:
    value = ValueConf(weights=CLICKS, sweep=(0.0, 2.0), min_queries=1)
    conf = RankingConf(relevance="picked", by_region=True, engagement_loss=1.0)
    assert Ranking(conf, value, CONF).choose_order(predictions, NONE).w_relevance == {
        0: 2.0,
        1: 2.0,
        2: 0.0,
    }
    few = value.model_copy(update={"min_queries": 2})
    assert Ranking(conf, few, CONF).choose_order(predictions, NONE).w_relevance == {0: 2.0}


def test_an_item_that_is_judged_twice_in_a_list_counts_once(predictions: Predictions) -> None:
    columns = dict(predictions.columns) | {"item_code": np.asarray([0.0, 0.0, 0.0, 1.0])}
    assert mark_judged(Predictions(SPEC, columns)).tolist() == [True, False, True, True]


def test_predictions_come_back_as_they_were_saved(predictions: Predictions, tmp_path: Path) -> None:
    predictions.save(tmp_path / "p.parquet")
    again = load_predictions(tmp_path / "p.parquet", SPEC)
    assert set(again.columns) == set(predictions.columns)
    assert again.get_codes("unit_code").tolist() == [3, 3, 4, 4]
    assert again.get_probability("p_click") == pytest.approx(predictions.get_probability("p_click"))


def test_the_pooled_truth_ranks_what_was_never_shown(predictions: Predictions) -> None:
    """A row off the pages joins north's list with the best planted outcome and the least score."""
    added: dict[str, float] = {
        "label_click": 0,
        "mask_click": 0,
        "region": 1,
        "list_code": 5,
        "page_code": -1,
    }
    added |= {"unit_code": 3, "item_code": 2, "p_true_click": 0.9, "first.p_click": 0.1}
    columns = {
        name: np.append(values, added.get(name, 0.0))
        for name, values in predictions.columns.items()
    }
    planted = {f"p_true_{task}": np.zeros(5) for task in ("cart", "purchase")}
    more = Predictions(SPEC, columns | planted)
    ranking = Ranking(RankingConf(relevance="none"), ValueConf(weights=CLICKS), CONF)
    found = index_figures(
        Evaluation(more, NONE, CONF).build_order_figures(ranking.choose_order(more, NONE))
    )
    second, third = 1 / np.log2(3), 0.5
    north = (0.7 + 0.5 * second + 0.9 * third) / (0.9 + 0.7 * second + 0.5 * third)
    pooled = found["value.engagement_true_pooled@10", "north"].value
    assert pooled == pytest.approx(north)
    assert found["value.engagement_true@10", "north"].value == 1.0
