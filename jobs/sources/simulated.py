"""The simulated market: nothing is read, all is drawn from conf `seed`.

Items have a type, brand, colour, size, material and written titles; queries name a type and up to
three attributes, with synonyms and typos; grades follow from the attributes, and what raters say
of them may be noisy. Impressions, judgments and grades are marked simulated. The planted truth goes
to `market_truth` and `market_parameters`, which no feature or trainer reads.
"""

from datetime import timedelta

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.load import ResolvedConf
from conf.sections.source import SimulatedSource
from features.contracts import MARKET_PARAMETERS, MARKET_TRUTH
from jobs.platform.plans import keep
from jobs.sources.base import RawFrames, SourceError
from jobs.sources.market import MARKET_VERSION
from jobs.sources.market.catalogue import catalogue
from jobs.sources.market.draws import Draws
from jobs.sources.market.engine import Engine, Market
from jobs.sources.market.intents import intents
from jobs.sources.market.offers import on_shelf
from jobs.sources.market.parameters import parameters
from jobs.sources.market.pools import pools
from jobs.sources.market.raters import rated_grade

DATASET = "simulated"


def read(spark: SparkSession, conf: ResolvedConf) -> RawFrames:
    """The market of conf `source` and `seed` as the log of the days before the run date knows it.

    Items, queries and the pairs that compete are kept on the workers' disks: impressions,
    judgments and truth all start from them.

    Raises:
        SourceError: conf `source` is of another kind.
    """
    source, draws = _source(conf), Draws(conf.tree.seed)
    first = conf.run_date - timedelta(days=source.days)
    items = keep(catalogue(spark, source, draws, first))
    wanted = keep(intents(spark, source, draws))
    pairs = pools(wanted, items, source, draws)
    market = Market(
        texts=wanted.select("text_number", "query_text"),
        text_count=source.queries,
        items=items,
        pairs=keep(pairs.withColumn("relevance", F.col("grade").cast("double"))),
    )
    engine = Engine(spark, conf, source, market)
    return RawFrames(
        items=_marked(on_shelf(items)),
        queries=_marked(engine.queries.select("query_id", "query_text", "region")),
        impressions=_marked(engine.impressions()),
        judgments=_marked(_judgments(engine, market, source, draws)),
        extras={
            MARKET_TRUTH: engine.truth(),
            MARKET_PARAMETERS: parameters(spark, conf, source, items),
        },
    )


def fingerprint(conf: ResolvedConf) -> str:
    """The version of the market's code: all else is in conf."""
    return f"market {MARKET_VERSION}"


def _source(conf: ResolvedConf) -> SimulatedSource:
    source = conf.source
    if not isinstance(source, SimulatedSource):
        raise SourceError(f"source.kind is {source.kind}; set it to simulated")
    return source


def _judgments(engine: Engine, market: Market, source: SimulatedSource, draws: Draws) -> DataFrame:
    """Raters' grades of part of the pools of part of the texts, in every region with traffic."""
    text, item = F.col("text_number"), F.col("item_id")
    pool = source.pool_matches + source.pool_popular + source.pool_misfits
    is_judged = (draws.uniform("judged", text) < source.judged_share) & (
        draws.uniform("judged", text, item) < source.judged_items / pool
    )
    searched = engine.searches.select("text_number", "region").distinct()
    queries = engine.queries.join(searched, on=["text_number", "region"], how="left_semi")
    rated = rated_grade(F.col("grade"), source.rater_noise_sd, draws, text, item)
    return (
        market.pairs.where(is_judged)
        .withColumn("grade", rated)
        .join(queries, on="text_number", how="inner")
        .select("query_id", "item_id", F.lit("human").alias("source"), "grade")
    )


def _marked(df: DataFrame) -> DataFrame:
    return df.withColumns({"dataset": F.lit(DATASET), "simulated": F.lit(True)})
