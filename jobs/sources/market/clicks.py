"""Planted reading of a result page: which items are examined, and what is clicked there.

position: P(examined at k) = curve(k), each position by itself (the position-based model).
cascade: the shopper goes down from position 1 (Craswell et al. 2008), from k to k + 1 with
    probability curve(k + 1) / curve(k), after a click times 1 - stop_after_click (a click need not
    be the last one, as in the dependent click model, Guo et al. 2009). So curve(k) is
    P(examined at k) where nothing above was clicked.
trust: an examined item that does not attract is clicked all the same with probability
    trust_bias / k, P(click | examined, k) = p + (1 - p) trust_bias / k (trust bias as Agarwal et
    al. 2019 define it; the decay is ours). Such a click leads to no cart. Goes with both models.
"""

from itertools import pairwise

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from conf.sections.market import ClicksConf
from jobs.sources.market.draws import Draws, lookup

EXAMINATION_POINTS = ((1, 0.310), (2, 0.106), (3, 0.077), (10, 0.027), (25, 0.015))
"""(position, click rate) measured on a public log of hotel searches; only ratios are used."""


def examination(positions: int, power: float = 1.0) -> list[float]:
    """P(examined) at positions 1 .. `positions`, 1 at the first: the measured curve ** `power`.

    Geometric between the named points, and on by the last segment's rate behind them.
    """
    first = EXAMINATION_POINTS[0][1]
    return [float((_examined_at(p) / first) ** power) for p in range(1, positions + 1)]


def _examined_at(position: int) -> float:
    segments = list(pairwise(EXAMINATION_POINTS))
    (a, at_a), (b, at_b) = next((s for s in segments if position <= s[1][0]), segments[-1])
    return float(at_a * (at_b / at_a) ** ((position - a) / (b - a)))


def with_clicks(shown: DataFrame, conf: ClicksConf, page_size: int, draws: Draws) -> DataFrame:
    """Add attracted, clicked: examined and attracted, and examined and attracted or trusted.

    Args:
        shown: whole pages, one row per item shown: search_id, item_id, position, p_click.
    """
    page = (F.col("search_id"), F.col("item_id"))
    attracts = draws.uniform("click", *page) < F.col("p_click")
    trusts = draws.uniform("trust", *page) < F.lit(conf.trust_bias) / F.col("position")
    curve = examination(page_size, conf.examination_power)
    return (
        shown.withColumns({"attracts": attracts, "inviting": attracts | trusts})
        .withColumn("examined", _examined(conf, curve, draws))
        .withColumn("attracted", F.col("examined") & F.col("attracts"))
        .withColumn("clicked", F.col("examined") & F.col("inviting"))
        .drop("attracts", "inviting", "examined")
    )


def _examined(conf: ClicksConf, curve: list[float], draws: Draws) -> Column:
    page = (F.col("search_id"), F.col("item_id"))
    place = F.col("position") - 1
    if conf.model == "position":
        return draws.uniform("examine", *page) < lookup(curve, place)
    steps = [after / before for before, after in pairwise(curve)]
    stays = F.when(F.col("inviting"), 1.0 - conf.stop_after_click).otherwise(1.0)
    goes_on = draws.uniform("examine", *page) < lookup([*steps, 0.0], place) * stays
    above = (
        Window.partitionBy("search_id")
        .orderBy("position")
        .rowsBetween(Window.unboundedPreceding, -1)
    )
    return F.coalesce(F.bool_and(goes_on).over(above), F.lit(True))
