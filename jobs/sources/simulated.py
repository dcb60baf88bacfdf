"""The simulated market: nothing is read, all is drawn from conf `seed`.

Items have a type, brand, colour, size, material and written titles; queries name a type and up to
three attributes, with synonyms and typos; grades follow from the attributes, and what raters say
of them may be noisy. Impressions, judgments and grades are marked simulated. The planted truth goes
to `market_truth` and `market_parameters`, which no feature or trainer reads.
"""

from typing import TYPE_CHECKING

from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from conf.load import ResolvedConf
from conf.sections.source import SimulatedSource
from features.contracts import MARKET_PARAMETERS, MARKET_TRUTH
from features.text.texts import text_key
from jobs.platform.plans import keep_frame
from jobs.sources.base import RawFrames, require_section
from jobs.sources.market import MARKET_VERSION
from model.market.vocabulary import MODIFIERS

if TYPE_CHECKING:
    from jobs.sources.market.engine import Market, MarketEngine

DATASET = "simulated"
_MAX_WORDS = 5
"""Words of the longest query; a text that its modifiers make longer falls out."""


def read(spark: SparkSession, conf: ResolvedConf) -> RawFrames:
    """Draw the market of conf `source` and `seed`, its log as known on the eve of the run date.

    Texts and the pairs that compete are kept on the workers' disks: impressions, judgments and
    truth all start from them.

    Raises:
        SourceError: conf `source` is of another kind.
    """
    # These load pandas, which a night that asks for the fingerprint alone does without.
    from jobs.sources.market.engine import Market, MarketEngine
    from jobs.sources.market.parameters import list_parameters
    from udfs.market.rows import ITEMS, PAIRS, QUERY_TEXTS, item_rows, pair_rows, text_rows
    from udfs.market.world import World

    source = require_section(conf, SimulatedSource)
    world = World(source, conf.tree.regions, conf.tree.seed, conf.run_date)
    tasks = conf.tree.spark.shuffle_partitions
    items = spark.range(source.items).mapInPandas(world.map_batches(item_rows), ITEMS)
    typed = spark.range(source.queries).mapInPandas(world.map_batches(text_rows), QUERY_TEXTS)
    texts = keep_frame(keep_distinct_texts(typed))
    # A shard's catalogue is drawn once per task that meets it, so its texts come together.
    by_shard = texts.repartition(tasks, "shard", F.pmod("text_number", F.lit(tasks)))
    pairs = by_shard.sortWithinPartitions("shard").mapInPandas(world.map_batches(pair_rows), PAIRS)
    market = Market(texts, source.queries, items, keep_frame(pairs))
    engine = MarketEngine(spark, world, market, tasks)
    return RawFrames(
        items=_mark_rows(items),
        queries=_mark_rows(engine.queries.select("query_id", "query_text", "region")),
        impressions=_mark_rows(engine.draw_impressions()),
        judgments=_mark_rows(_select_judgments(engine, market)),
        extras={
            MARKET_TRUTH: engine.draw_truth(),
            MARKET_PARAMETERS: list_parameters(spark, world, items),
        },
    )


def fingerprint(conf: ResolvedConf) -> str:
    """Return the version of the market's code: all else is in conf."""
    return f"market {MARKET_VERSION}"


def keep_distinct_texts(typed: DataFrame) -> DataFrame:
    """Return text_number, shard, query_text and text_key of texts as typed, each text once.

    Modifiers come before a text that another query has already; what is still equal, or too long
    then, falls out.
    """
    same = Window.partitionBy(text_key(F.col("typed"))).orderBy("text_number")
    count = len(MODIFIERS)
    words = F.array(*map(F.lit, MODIFIERS))
    turn = F.col("again")
    inner = F.when(turn > 0, F.get(words, (turn - 1) % count))
    outer = F.when(turn > count, F.get(words, F.floor((turn - 1) / count).cast("int") - 1))
    return (
        typed.withColumn("again", F.row_number().over(same) - 1)
        .where(turn <= count * (count + 1))
        .withColumn("query_text", F.concat_ws(" ", outer, inner, "typed"))
        .where(F.size(F.split("query_text", " ")) <= _MAX_WORDS)
        .select(
            "text_number",
            "shard",
            "query_text",
            text_key(F.col("query_text")).alias("text_key"),
        )
    )


def _select_judgments(engine: "MarketEngine", market: "Market") -> DataFrame:
    """Select raters' grades of part of the pools of part of the texts, in every region with
    traffic.
    """
    searched = engine.searches.select("text_number", "region").distinct()
    queries = engine.queries.join(searched, on=["text_number", "region"], how="left_semi")
    return (
        market.pairs.where(F.col("judged_grade").isNotNull())
        .join(queries, on="text_number", how="inner")
        .select(
            "query_id",
            "item_id",
            F.lit("human").alias("source"),
            F.col("judged_grade").alias("grade"),
        )
    )


def _mark_rows(df: DataFrame) -> DataFrame:
    return df.withColumns({"dataset": F.lit(DATASET), "simulated": F.lit(True)})
