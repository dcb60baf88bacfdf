"""Rankers, gains and lists as columns and rows of Spark, by hand."""

from collections.abc import Callable

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.sections.value import Weights
from features.contracts import EXAMPLE_SCORES, QUERIES
from features.evaluation.lists import (
    engagement_gains,
    examination_at_position,
    relevance_gains,
    select_pages,
    with_block,
)
from features.evaluation.rankers import logged_ranker, model_rankers, sweep_rankers
from features.evaluation.weighed import weighed_gains

Frame = Callable[..., DataFrame]


def test_rankers_by_hand(table_frame: Frame) -> None:
    row = {"p_click": 0.5, "p_cart": 0.25, "p_purchase": 0.125, "relevance": 1.0, "position": 3.0}
    frame = table_frame(EXAMPLE_SCORES, [row | {"region": "us"}, row | {"region": "de"}])
    weights = {"de": Weights(click=1, cart=0, purchase=0, relevance=2)}
    default = Weights(click=0, cart=2, purchase=4, relevance=1)
    columns = model_rankers(weights, default) | logged_ranker()
    columns |= sweep_rankers(weights, default, [0.0, 0.5])
    us, de = frame.select(*(c.alias(n) for n, c in columns.items())).collect()
    assert (us["engagement_only"], us["joint"], us["0.5"]) == (1.0, 1.5, 1.25)
    assert (de["engagement_only"], de["joint"], de["0.5"]) == (0.5, 1.5, 0.75)
    assert (us["relevance_only"], us["logged"], us["0"]) == (0.5, -3.0, 1.0)


def test_gains_by_hand(table_frame: Frame) -> None:
    known = {"mask_click": 1.0, "mask_cart": 1.0, "mask_purchase": 1.0, "label_click": 1.0}
    frame = table_frame(
        EXAMPLE_SCORES,
        [
            known | {"position": 1.0, "label_cart": 1.0, "propensity": 0.5},
            known | {"position": 2.0, "mask_purchase": 0.0},
            known | {"position": 9.0, "propensity": 0.01},
        ],
    )
    weights = Weights(click=1, cart=2, purchase=4)
    gains = engagement_gains({}, weights)
    gains |= weighed_gains({}, weights, examination_at_position([1.0, 0.5, 0.25]), 10.0)
    rows = frame.select(*(c.alias(n) for n, c in gains.items())).collect()
    assert [r["combined"] for r in rows] == [3.0, None, 1.0]
    assert [r["debiased"] for r in rows] == [3.0, None, 4.0]
    assert [r["off_policy"] for r in rows] == [6.0, None, 10.0]
    assert [r["purchase"] for r in rows] == [0.0, None, 0.0]


def test_pages_and_gains_of_grades(table_frame: Frame) -> None:
    frame = table_frame(
        EXAMPLE_SCORES,
        [
            {"item_id": "a", "query_id": "q", "grade": 2},
            {"item_id": "c", "query_id": "q", "search_id": "s"},
        ],
    )
    assert [(r["item_id"], r["unit"]) for r in select_pages(frame).collect()] == [("c", "s")]
    graded, other = frame.select(*relevance_gains(F.col("grade")).values()).collect()
    assert (tuple(graded), tuple(other)) == ((3.0, 2.0), (None, None))


def test_regions_of_one_text_share_a_block(table_frame: Frame) -> None:
    queries = table_frame(
        QUERIES,
        [
            {"query_id": f"{text.strip().lower()}|{region}", "query_text": text}
            for text, region in [(" Drill", "us"), ("drill ", "uk"), ("saw", "us")]
        ],
    )
    rows = queries.select("query_id").transform(with_block(queries, 17, 1_000)).collect()
    block = {r["query_id"]: r["block"] for r in rows}
    assert block["drill|us"] == block["drill|uk"] != block["saw|us"]
