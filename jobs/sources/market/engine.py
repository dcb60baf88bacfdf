"""From texts, items and graded pairs to a log and its planted truth: what both front ends share."""

from dataclasses import dataclass
from functools import cached_property

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.load import ResolvedConf
from conf.sections.market import MarketSource
from jobs.sources.base import query_key
from jobs.sources.market.draws import Draws
from jobs.sources.market.logger import model_score, words, words_matched
from jobs.sources.market.pages import impressions, ranked_pages
from jobs.sources.market.shoppers import true_probabilities, with_probabilities
from jobs.sources.market.traffic import searches


@dataclass(frozen=True)
class Market:
    """What a front end brings.

    Attributes:
        texts: one row per query text: text_number (0 .. text_count - 1), query_text.
        text_count: how many texts traffic is drawn over.
        items: one row per item: item_id, title, brand, price, popularity, quality, cheapness.
        pairs: one row per pair that competes for a page: text_number, item_id, grade, relevance
            (double, on the scale of the grades): what shoppers and the logger follow.
    """

    texts: DataFrame
    text_count: int
    items: DataFrame
    pairs: DataFrame


class Engine:
    """The frames of a market under one conf and source; all lazy."""

    def __init__(
        self, spark: SparkSession, conf: ResolvedConf, source: MarketSource, market: Market
    ) -> None:
        """`source` is the section `conf.tree.source`, narrowed by the front end."""
        self._source = source
        self._regions = conf.tree.regions
        self._run_date = conf.run_date
        self._draws = Draws(conf.tree.seed)
        self._spark = spark
        self._market = market

    @cached_property
    def queries(self) -> DataFrame:
        """One row per query: text_number, query_text, region, query_id."""
        regions = F.explode(F.array(*map(F.lit, self._regions))).alias("region")
        return self._market.texts.select("text_number", "query_text", regions).withColumn(
            "query_id", query_key(F.col("query_text"), F.col("region"))
        )

    @cached_property
    def searches(self) -> DataFrame:
        """One row per result page; see `traffic.searches`."""
        return searches(
            self._spark,
            self._source,
            self._regions,
            self._market.text_count,
            self._run_date,
            self._draws,
        )

    @cached_property
    def pairs(self) -> DataFrame:
        """One row per query and competing item, with the planted probabilities of its funnel."""
        items = self._market.items.select(
            "item_id", "brand", "price", "popularity", "quality", "cheapness"
        )
        return (
            self._market.pairs.join(items, on="item_id", how="inner")
            .transform(self._with_words_matched)
            .join(self.queries, on="text_number", how="inner")
            .transform(
                lambda df: with_probabilities(df, self._source.shoppers, self._regions, self._draws)
            )
            .transform(self._with_model_score)
        )

    def _with_words_matched(self, pairs: DataFrame) -> DataFrame:
        """Add words_matched where the logger ranks by it."""
        if self._source.policy.text == 0:
            return pairs
        titles = self._market.items.select("item_id", words("brand", "title").alias("title_words"))
        texts = self._market.texts.select("text_number", words("query_text").alias("query_words"))
        return (
            pairs.join(titles, on="item_id", how="inner")
            .join(texts, on="text_number", how="inner")
            .withColumn("words_matched", words_matched())
            .drop("title_words", "query_words")
        )

    def _with_model_score(self, pairs: DataFrame) -> DataFrame:
        """Add model_score where the logger ranks by it."""
        policy, shoppers = self._source.policy, self._source.shoppers
        if policy.model == 0:
            return pairs
        return pairs.withColumn("model_score", model_score(policy, shoppers, self._draws))

    def impressions(self) -> DataFrame:
        """The log; see `pages.impressions`."""
        shown = ranked_pages(self.searches, self.pairs, self._source, self._draws)
        return impressions(shown, self._source, self._run_date, self._draws)

    def truth(self) -> DataFrame:
        """The planted truth of every pair that may be shown or judged; see `shoppers`."""
        return self.pairs.select(
            "query_id",
            "item_id",
            "region",
            F.col("grade").alias("true_grade"),
            *true_probabilities(),
        )
