"""Every planted parameter as rows of `market_parameters`."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.load import ResolvedConf
from conf.sections.base import Section
from conf.sections.market import MarketSource
from jobs.sources.market.clicks import examination
from jobs.sources.market.draws import Draws
from jobs.sources.market.shoppers import brand_taste, price_level, price_sensitivity
from jobs.sources.market.traffic import region_shares


class Parameter(NamedTuple):
    """A row: dotted name, value, and what it does."""

    name: str
    value: float
    meaning: str


_SCHEMA = "name string, value double, meaning string"


def parameters(
    spark: SparkSession, conf: ResolvedConf, source: MarketSource, items: DataFrame
) -> DataFrame:
    """One row per parameter: conf, clicks by position, regions, and a region's brand tastes.

    Args:
        items: has brand.
    """
    rows = [*_of_conf(source), *_of_positions(source), *_of_regions(conf, source)]
    known = spark.createDataFrame(rows, _SCHEMA)
    draws = Draws(conf.tree.seed)
    regions = F.explode(F.array(*map(F.lit, conf.tree.regions))).alias("region")
    tastes = items.where(F.col("brand").isNotNull()).select("brand").distinct()
    by_region = tastes.select("brand", regions).select(
        F.concat_ws(".", F.lit("brand_taste"), "region", "brand").alias("name"),
        brand_taste(source.shoppers, draws).alias("value"),
        F.lit("a region's liking of a brand (logit of a click)").alias("meaning"),
    )
    levels = spark.createDataFrame([(r,) for r in conf.tree.regions], "region string").select(
        F.concat_ws(".", F.lit("price_level"), "region").alias("name"),
        price_level(draws).alias("value"),
        F.lit("price shown in a region over the catalogue's (ratio)").alias("meaning"),
    )
    return known.unionByName(levels).unionByName(by_region)


def _of_conf(source: MarketSource) -> Iterator[Parameter]:
    """Numbers of the source's section and of its parts, with their descriptions."""
    yield from _numbers("", source)
    for part in ("policy", "clicks", "shoppers"):
        yield from _numbers(f"{part}.", getattr(source, part))


def _numbers(prefix: str, section: Section) -> Iterator[Parameter]:
    for name, info in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, int | float):
            yield Parameter(f"{prefix}{name}", float(value), info.description or "")


def _of_positions(source: MarketSource) -> Iterator[Parameter]:
    clicks = source.clicks
    cascade = clicks.model == "cascade"
    yield Parameter("clicks.cascade", float(cascade), "1: the click model is cascade, 0: position")
    meaning = "P(examined) at a position" + (", nothing above clicked" if cascade else "")
    curve = examination(source.page_size, clicks.examination_power)
    for position, examined in enumerate(curve, start=1):
        yield Parameter(f"examination.{position}", examined, meaning)
        trust = "P(click) of an examined item that does not attract, at a position"
        yield Parameter(f"trust.{position}", clicks.trust_bias / position, trust)


def _of_regions(conf: ResolvedConf, source: MarketSource) -> Iterator[Parameter]:
    regions: Sequence[str] = conf.tree.regions
    for region, effect in price_sensitivity(source.shoppers, regions).items():
        meaning = "effect of a low price on clicks (logit per sd); half of it on later steps"
        yield Parameter(f"price_sensitivity.{region}", effect, meaning)
    for region, share in region_shares(source, conf.tree.regions).items():
        yield Parameter(f"traffic.{region}", share, "share of the traffic (fraction)")
