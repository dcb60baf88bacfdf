"""The terms of the logger's score, and the page that they make."""

from math import hypot

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from conf.load import SIMULATED, load_conf
from conf.sections.market import PolicyConf, ShoppersConf
from conf.sections.source import SimulatedSource
from jobs.sources.market.draws import Draws
from jobs.sources.market.engine import Engine, Market
from jobs.sources.market.logger import WORDS_MEAN, WORDS_SD, logger_score
from jobs.sources.market.pages import ranked_pages

SILENT = {"popularity": 0.0, "price": 0.0, "match": 0.0, "drift_sd": 0.0}
ITEMS = [
    ("full", "Norvel Oak Desks", "Norvel"),
    ("half", "Pine desk", None),
    ("none", "Haldora Rug", "Haldora"),
]


def _engine(spark: SparkSession, **policy: float) -> Engine:
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
        "item_id",
        F.lit(1).alias("grade"),
        F.lit(1.0).alias("relevance"),
    )
    return Engine(spark, conf, conf.tree.source, Market(texts, 1, items, pairs))


def test_each_term_has_its_weight(spark: SparkSession) -> None:
    pair = spark.createDataFrame(
        [(1.0, 2.0, 0.5, 0.75, -1.0)],
        "popularity double, cheapness double, relevance double, words_matched double, "
        "model_score double",
    )
    policy = PolicyConf(popularity=1.0, price=0.5, match=0.4, text=2.0, model=3.0)
    row = pair.select(logger_score(policy).alias("all"), logger_score(PolicyConf()).alias("usual"))
    found = row.collect()[0]
    assert found["all"] == pytest.approx(1 + 1 + 0.2 + 2 * (0.75 - WORDS_MEAN) / WORDS_SD - 3)
    assert found["usual"] == pytest.approx(1 + 0.6 * 2 + 0.3 * 0.5)


def test_a_lexical_logger_ranks_by_shared_words_with_exact_propensities(
    spark: SparkSession,
) -> None:
    engine = _engine(spark, text=1.0, exploration=0.3)
    pairs = engine.pairs.persist()
    matched = {row["item_id"]: row["words_matched"] for row in pairs.collect()}
    assert matched == {"full": 1.0, "half": 0.5, "none": 0.0}
    shown = ranked_pages(engine.searches, pairs, engine._source, engine._draws).toPandas()
    told = shown.groupby(["item_id", "position"]).propensity.agg(["first", "nunique", "size"])
    assert told["nunique"].max() == 1
    assert told["first"]["full", 1] == pytest.approx(0.7 + 0.1)
    assert told["first"]["half", 2] == pytest.approx(0.7 + 0.1)
    assert told["first"]["none", 2] == pytest.approx(0.1)
    assert told.groupby("position")["first"].sum().tolist() == pytest.approx([1, 1])
    pages = shown.search_id.nunique()
    assert (told["size"] / pages).to_numpy() == pytest.approx(told["first"].to_numpy(), abs=0.04)


def test_last_nights_model_is_the_click_logit_with_one_error_a_pair(spark: SparkSession) -> None:
    exact = _engine(spark, model=1.0, model_error_sd=0.0).pairs.toPandas()
    wrong = _engine(spark, model=1.0, model_error_sd=2.0).pairs.toPandas()
    spread = _spread(ShoppersConf())
    intercept = ShoppersConf().click_intercept
    seen = (exact.click_logit - intercept) / spread
    assert exact.model_score.to_numpy() == pytest.approx(seen.to_numpy())
    errors = wrong.model_score * hypot(spread, 2.0) - (wrong.click_logit - intercept)
    normal = Draws(17).normal("last night", F.lit("norvel desk"), F.lit("us"), F.col("item_id"))
    ids = spark.createDataFrame([(i,) for i in wrong.item_id], "item_id string")
    drawn = [row[0] for row in ids.select(2.0 * normal).collect()]
    assert errors.tolist() == pytest.approx(drawn)


def _spread(conf: ShoppersConf) -> float:
    """1.2 logits a grade over .7 grades, and the other default effects of spread 1."""
    price = (conf.price_sensitivity_min + conf.price_sensitivity_max) / 2
    return hypot(1.2 * 0.7, 0.5, 0.3, price, conf.brand_taste_sd, conf.pair_noise_sd)
