"""The engine on a market made by hand: what a lexical logger shows."""

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from conf.load import SIMULATED, load_conf
from conf.sections.source import SimulatedSource
from jobs.sources.market.engine import Market, MarketEngine
from udfs.market.world import World

SILENT = {"popularity": 0.0, "price": 0.0, "match": 0.0, "drift_sd": 0.0}
ITEMS = [
    ("full", "Norvel Oak Desks", "Norvel"),
    ("half", "Pine desk", None),
    ("none", "Haldora Rug", "Haldora"),
]


def _engine(spark: SparkSession, **policy: float) -> MarketEngine:
    """One text, three items that are alike but for their words, one region."""
    conf = load_conf(
        [SIMULATED],
        settings=[
            "regions=[us]",
            "source.days=4",
            "source.impressions=4000",
            "source.page_size=2",
            *(f"source.policy.{name}={value}" for name, value in (SILENT | policy).items()),
        ],
    )
    assert isinstance(conf.tree.source, SimulatedSource)
    items = spark.createDataFrame(
        [(*item, 10.0, 0.0, 0.0, 0.0) for item in ITEMS],
        "item_id string, title string, brand string, price double, popularity double, "
        "quality double, cheapness double",
    )
    texts = spark.createDataFrame([(0, "norvel desk")], "text_number long, query_text string")
    pairs = items.select(
        F.lit(0).cast("long").alias("text_number"),
        F.lit("norvel desk").alias("text_key"),
        *items.drop("title").columns,
        F.lit(1.0).alias("relevance"),
    )
    world = World(conf.tree.source, conf.tree.regions, conf.tree.seed, conf.run_date)
    return MarketEngine(spark, world, Market(texts, 1, items, pairs), tasks=2)


def test_a_lexical_logger_ranks_by_shared_words_with_exact_propensities(
    spark: SparkSession,
) -> None:
    engine = _engine(spark, text=1.0, exploration=0.3)
    shown = engine.draw_impressions().toPandas()
    told = shown.groupby(["item_id", "position"]).propensity.agg(["first", "nunique", "size"])
    assert told["nunique"].max() == 1
    assert told["first"]["full", 1] == pytest.approx(0.7 + 0.1)
    assert told["first"]["half", 2] == pytest.approx(0.7 + 0.1)
    assert told["first"]["none", 2] == pytest.approx(0.1)
    assert told.groupby("position")["first"].sum().tolist() == pytest.approx([1, 1])
    pages = shown.search_id.nunique()
    assert (told["size"] / pages).to_numpy() == pytest.approx(told["first"].to_numpy(), abs=0.04)
