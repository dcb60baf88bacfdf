"""Every planted parameter as rows of `market_parameters`."""

from collections.abc import Iterator
from typing import NamedTuple

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.sections.base import Section
from conf.sections.market import MarketSource
from model.market.clicks import compute_examination
from model.market.draws import as_keys
from model.market.shoppers import draw_price_level, spread_sensitivity
from model.market.traffic import compute_region_shares
from udfs.market.rows import TASTES, taste_rows
from udfs.market.world import World


class Parameter(NamedTuple):
    """A row: dotted name, value, and what it does."""

    name: str
    value: float
    meaning: str


def list_parameters(spark: SparkSession, world: World[MarketSource], items: DataFrame) -> DataFrame:
    """List one row per parameter: conf, clicks by position, regions, and a region's brand tastes.

    Args:
        spark: the session.
        world: that the market is drawn in.
        items: has brand.
    """
    rows = [*_of_conf(world.source), *_of_positions(world.source), *_of_regions(world)]
    brands = items.where(F.col("brand").isNotNull()).select("brand").distinct()
    tastes = brands.mapInPandas(world.map_batches(taste_rows), TASTES)
    return spark.createDataFrame(rows, TASTES).unionByName(tastes)


def _of_conf(source: MarketSource) -> Iterator[Parameter]:
    """List the numbers of the source's section and of its parts, with their descriptions."""
    yield from _list_numbers("", source)
    for part in ("policy", "clicks", "shoppers"):
        yield from _list_numbers(f"{part}.", getattr(source, part))


def _list_numbers(prefix: str, section: Section) -> Iterator[Parameter]:
    for name, info in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, int | float):
            yield Parameter(f"{prefix}{name}", float(value), info.description or "")


def _of_positions(source: MarketSource) -> Iterator[Parameter]:
    clicks = source.clicks
    cascade = clicks.model == "cascade"
    yield Parameter("clicks.cascade", float(cascade), "1: the click model is cascade, 0: position")
    meaning = "P(examined) at a position" + (", nothing above clicked" if cascade else "")
    curve = compute_examination(source.page_size, clicks.examination_power)
    for position, examined in enumerate(curve, start=1):
        yield Parameter(f"examination.{position}", examined, meaning)
        trust = "P(click) of an examined item that does not attract, at a position"
        yield Parameter(f"trust.{position}", clicks.trust_bias / position, trust)


def _of_regions(world: World[MarketSource]) -> Iterator[Parameter]:
    regions = world.regions
    for region, effect in spread_sensitivity(world.source.shoppers, regions).items():
        meaning = "effect of a low price on clicks (logit per sd); half of it on later steps"
        yield Parameter(f"price_sensitivity.{region}", effect, meaning)
    for region, share in compute_region_shares(world.source, regions).items():
        yield Parameter(f"traffic.{region}", share, "share of the traffic (fraction)")
    levels = draw_price_level(world.draws, as_keys(regions)).tolist()
    for region, level in zip(regions, levels, strict=True):
        meaning = "price shown in a region over the catalogue's (ratio)"
        yield Parameter(f"price_level.{region}", level, meaning)
