"""Fillers never fit: not by a shared word, not by type, not by being judged."""

from datetime import date

import pytest
from pyspark.sql import DataFrame, SparkSession

from conf.sections.source import HomeDepotSource
from jobs.sources.market.fillers import draw_fillers
from udfs.market.world import World

ITEMS = [
    ("word", "Ferro Brackets", "thing", 9.0),
    ("type", "Ferro Angle", "angle", 8.0),
    ("judged", "Ferro Corner", "corner", 7.0),
    ("misfit", "Garden Hose", "hose", 1.0),
]


def _fillers(spark: SparkSession, items: list[tuple[str, str, str, float]]) -> DataFrame:
    source = HomeDepotSource(path="unused", fillers=4, filler_groups=1)
    texts = spark.createDataFrame([(0, "wall bracket")], "text_number long, query_text string")
    judged = spark.createDataFrame(
        [(0, "judged"), (0, "other angle")], "text_number long, item_id string"
    )
    shelf = spark.createDataFrame(
        [(*item, 0.0) for item in [*items, ("other angle", "Nook", "angle", -9.0)]],
        "item_id string, title string, item_type string, popularity double, cheapness double",
    )
    return draw_fillers(texts, judged, shelf, World(source, ("us",), 1, date(2026, 3, 1)))


def test_the_most_popular_item_that_does_not_fit_is_drawn_once(spark: SparkSession) -> None:
    rows = [tuple(row) for row in _fillers(spark, ITEMS).collect()]
    assert rows == [(0, "misfit", 0)]


@pytest.mark.parametrize("left", [0, 1])
def test_without_a_misfit_there_is_no_filler(spark: SparkSession, left: int) -> None:
    assert _fillers(spark, [ITEMS[left]]).count() == 0
