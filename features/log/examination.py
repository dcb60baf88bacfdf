"""How likely a position is to be examined, estimated from the log of the days before."""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from conf.schema import Conf
from conf.sections.features import LOOK_BACK_DAYS
from features.log.history import MICRO, daily_counts, sum_windows

WINDOW = LOOK_BACK_DAYS
_LEAST = 0.01
"""Least relative examination: clicks are divided by sums of it."""


def with_examination(events: DataFrame, conf: Conf) -> DataFrame:
    """Add `examined` (long, micro): the examination probability of each impression's position.

    The curve of a day uses the WINDOW days before it, so that the sum over any window of days is
    point in time. It is the click rate of a position relative to position 1:
        e_k = (C_k + n * c_1 * k^-p) / ((N_k + n) * c_1),  c_1 = C_1 / N_1,  within [0.01, 1]
    with C_k clicks and N_k impressions at position k, n = features.prior_impressions and
    k^-p the prior curve (p = features.examination_power), which stands alone while c_1 is
    unknown. Each row of C and N is weighted by its inverse propensity (capped) where the log has
    one: then every position is compared on the same mix of items. Without propensities the curve
    is too steep by as much as the logger ranked the more attractive items first.

    Args:
        events: of `effective_events`.
    """
    placed = events.withColumn(
        "position", F.least(F.col("position"), F.lit(conf.features.max_position))
    )
    curve = examination_curve(placed, conf)
    return (
        placed.join(F.broadcast(curve), on=["day", "position"], how="left")
        .withColumn("examined", F.col("impressions") * F.col("examination"))
        .drop("examination")
    )


def examination_curve(events: DataFrame, conf: Conf) -> DataFrame:
    """Return day, position and examination (long, micro) for each day and
    position of the events.
    """
    cap = conf.features.max_inverse_propensity
    weight = F.least(F.coalesce(1 / F.col("propensity"), F.lit(1.0)), F.lit(cap))
    micro = F.round(weight * MICRO).cast("long")
    place = F.struct(
        "position",
        (micro * F.col("impressions")).alias("shown"),
        (micro * F.col("clicks")).alias("clicked"),
    )
    zero = F.lit(0).cast("long")
    # Position 1 has a row on every day, whatever was shown there.
    at_one = F.struct(F.lit(1).alias("position"), zero.alias("shown"), zero.alias("clicked"))
    weighted = events.select("day", F.inline(F.array(place, at_one)))
    daily = daily_counts(weighted, ["position"], ["shown", "clicked"])
    sums = sum_windows(daily, None, ["position"], ["shown", "clicked"], [WINDOW])
    at_top = F.when(F.col("position") == 1, _click_rate())
    return sums.withColumn("top_rate", F.max(at_top).over(Window.partitionBy("day"))).select(
        "day",
        "position",
        F.round(_estimate_examination(conf) * MICRO).cast("long").alias("examination"),
    )


def _click_rate() -> Column:
    shown = F.col(f"shown_{WINDOW}d")
    return F.when(shown > 0, F.col(f"clicked_{WINDOW}d") / shown)


def _estimate_examination(conf: Conf) -> Column:
    strength = conf.features.prior_impressions
    prior = F.pow(F.col("position").cast("double"), F.lit(-conf.features.examination_power))
    top = F.col("top_rate")
    clicks = F.col(f"clicked_{WINDOW}d") / MICRO
    shown = F.col(f"shown_{WINDOW}d") / MICRO
    estimate = (clicks + strength * top * prior) / ((shown + strength) * top)
    relative = F.when(top > 0, estimate).otherwise(prior)
    return F.greatest(F.least(relative, F.lit(1.0)), F.lit(_LEAST))
