"""From texts, items and graded pairs to a log and its planted truth: what both front ends share."""

from dataclasses import dataclass
from functools import cached_property, partial

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.sections.language import read_english
from conf.sections.market import MarketSource
from jobs.sources.base import query_key
from model.market.traffic import count_slots
from udfs.market.log import LOG, log_rows
from udfs.market.rows import SEARCHES, TRUTH, search_rows, truth_rows
from udfs.market.world import World
from udfs.read_texts import split_udf


@dataclass(frozen=True)
class Market:
    """What a front end brings.

    Attributes:
        texts: one row per query text: text_number (0 .. text_count - 1), query_text.
        text_count: how many texts traffic is drawn over.
        items: one row per item: item_id, title, brand.
        pairs: one row per pair that competes for a page, with the columns of
            `udfs.market.rows.PAIRS` (judged_grade aside); shoppers and the logger follow its
            relevance.
    """

    texts: DataFrame
    text_count: int
    items: DataFrame
    pairs: DataFrame


class MarketEngine:
    """The frames of a market in a world; all lazy."""

    def __init__(
        self, spark: SparkSession, world: World[MarketSource], market: Market, tasks: int
    ) -> None:
        """The log is drawn in `tasks` tasks (count)."""
        self._spark, self._world, self._market, self._tasks = spark, world, market, tasks

    @cached_property
    def queries(self) -> DataFrame:
        """One row per query: text_number, query_text, region, query_id."""
        regions = F.explode(F.array(*map(F.lit, self._world.regions))).alias("region")
        return self._market.texts.select("text_number", "query_text", regions).withColumn(
            "query_id", query_key(F.col("query_text"), F.col("region"))
        )

    @cached_property
    def searches(self) -> DataFrame:
        """One row per result page; see `model.market.traffic.draw_searches`."""
        rows = partial(search_rows, text_count=self._market.text_count)
        numbers = self._spark.range(count_slots(self._world.source))
        return numbers.mapInPandas(self._world.map_batches(rows), SEARCHES)

    def draw_impressions(self) -> DataFrame:
        """Draw the log of the days before the run date as it is known then, one row
        per item shown.
        """
        pools = self._market.pairs.transform(self._with_words_matched)
        stream = (
            pools.unionByName(self.searches, allowMissingColumns=True)
            .repartition(self._tasks, "text_number")
            .sortWithinPartitions("text_number", "search_id", "item_id")
        )
        return stream.mapInPandas(partial(log_rows, self._world), LOG)

    def draw_truth(self) -> DataFrame:
        """Work out the planted truth of every pair that may be shown or judged; see
        `model.market`.
        """
        return self._market.pairs.mapInPandas(self._world.map_batches(truth_rows), TRUTH)

    def _with_words_matched(self, pairs: DataFrame) -> DataFrame:
        """Add words_matched, the share of a text's words (fraction), where the logger ranks by it:
        what a lexical logger sees of a fit."""
        if self._world.source.policy.text == 0:
            return pairs
        titles = self._market.items.select("item_id", _split_words("brand", "title").alias("title"))
        texts = self._market.texts.select("text_number", _split_words("query_text").alias("asked"))
        shared = F.size(F.array_intersect("asked", "title"))
        return (
            pairs.join(titles, on="item_id", how="inner")
            .join(texts, on="text_number", how="inner")
            .withColumn("words_matched", shared / F.greatest(F.size("asked"), F.lit(1)))
            .drop("title", "asked")
        )


def _split_words(*texts: str) -> Column:
    """Split the text columns into their different tokens (array<string>)."""
    split = split_udf(read_english())  # the market's texts are English
    return F.array_distinct(split(F.concat_ws(" ", *texts)))
