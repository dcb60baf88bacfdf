"""Training examples: impressions and labelled pairs, each label with its own mask.

Only what was known before the run date R enters: impressions of the days [R - training_days, R - 1]
that had reached the log by then. A grade is a property of the pair, not an event, so relevance
labels are not cut by time; the snapshot pins the version of their table.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.schema import Conf
from features.contracts.training import TASKS
from features.examples.label_choice import PAIR, labelled_pairs, with_carrier, with_label_weight
from features.examples.negatives import Pools, find_negatives, is_weighted
from features.log.history import visible_log
from features.lookup import FeatureTables, Transform, with_features
from features.own.declared import pack_own_values
from features.split import with_split

_SHOWN_KEY = ["search_id", "item_id"]
_LABEL_COLUMNS = [
    "label_source",
    "grade",
    "labeler_version",
    "label_admitted",
    "label_ge_1",
    "label_ge_2",
    "weight_relevance",
]


@dataclass(frozen=True)
class TrainingInputs:
    """What training examples are made of; the feature tables hold the rows of the run.

    `decisions` are those on labeler versions; None: there are none, and no model label is used.
    `examples_from` is the first day whose impressions are used; None: all of the training days.
    `candidates` are those of the run date, among which negatives are looked for; None: none are.
    """

    impressions: DataFrame
    queries: DataFrame
    labels: DataFrame
    features: FeatureTables
    decisions: DataFrame | None = None
    examples_from: date | None = None
    candidates: DataFrame | None = None


def training_examples(inputs: TrainingInputs, conf: Conf, run_date: date) -> DataFrame:
    """Return one row per impression of the window, and one per labelled pair that it never showed.

    The columns are those of the table, and the flags of `features.lookup.MISSING`.
    """
    rows = labelled_rows(inputs, conf, run_date).transform(with_features(inputs.features))
    return rows.withColumns(
        {"own": pack_own_values(inputs.features.own), "run_date": F.lit(run_date)}
    )


def labelled_rows(inputs: TrainingInputs, conf: Conf, run_date: date) -> DataFrame:
    """Make the training examples, before their features are looked up."""
    shown = shown_rows(inputs, conf, run_date)
    carried = weighted_labels(inputs, shown, conf, run_date).transform(with_carrier(shown))
    on_page = carried.where("search_id IS NOT NULL").select(*_SHOWN_KEY, *_LABEL_COLUMNS)
    unshown = carried.where("search_id IS NULL").transform(_as_unshown(F.lit(run_date)))
    return (
        shown.transform(engagement_labels(conf.training_set.attribution_days, run_date))
        .join(on_page, on=_SHOWN_KEY, how="left")
        .unionByName(unshown)
        .transform(_with_relevance_mask)
    )


def weighted_labels(
    inputs: TrainingInputs, shown: DataFrame, conf: Conf, run_date: date
) -> DataFrame:
    """Return the labels that are trained on and judged by, negatives among them, with their weight;
    one row per query and item.

    Args:
        shown: of `shown_rows`.
    """
    picked = inputs.labels.transform(labelled_pairs(inputs.queries, conf, inputs.decisions))
    weighted = with_label_weight(picked, conf.training_set)
    if inputs.candidates is None or not is_weighted(conf.training_set.negatives):
        return weighted
    pools = Pools(
        labels=inputs.labels,
        log=visible_log(inputs.impressions, run_date),
        shown=shown,
        candidates=inputs.candidates,
        featured=inputs.features.as_of(F.lit(run_date)).query_item,
    )
    return weighted.unionByName(find_negatives(picked, pools, conf))


def shown_rows(inputs: TrainingInputs, conf: Conf, run_date: date) -> DataFrame:
    """Select the impressions of the window that were known before the run date, and add the query's
    split.
    """
    first_day = run_date - timedelta(days=conf.features.training_days)
    since = F.lit(max(first_day, inputs.examples_from or first_day))
    splits = inputs.queries.transform(with_split(conf.split)).select("query_id", "split")
    log = visible_log(inputs.impressions, run_date).where(F.col("event_date") >= since)
    return log.join(splits, on="query_id", how="inner")


def engagement_labels(attribution_days: int, run_date: date) -> Transform:
    """Label click, cart and purchase of an impression, each with its mask; adds the example's keys.

    A cart or purchase counts up to `attribution_days` days after the day of the impression. Before
    those days are over at the run date the label is masked, positive or not: to keep the early
    positives and drop the negatives would raise the rate of the last days to 1.
    """
    settled = F.date_add("event_date", attribution_days) < F.lit(run_date)
    labels = {"label_click": _to_flag(F.col("clicked")), "mask_click": F.lit(1.0)}
    for name, happened, at in (
        ("cart", "carted", "carted_at"),
        ("purchase", "purchased", "purchased_at"),
    ):
        day = F.to_date(F.coalesce(at, "event_time"))
        in_time = F.date_diff(day, "event_date") <= attribution_days
        before_run = day < F.lit(run_date)
        labels[f"label_{name}"] = _to_flag(F.col(happened) & in_time & before_run)
        labels[f"mask_{name}"] = _to_flag(settled)
    floats = {name: column.cast("float") for name, column in labels.items()}
    return lambda df: df.select(
        "split",
        F.concat_ws("|", "search_id", "item_id").alias("example_id"),
        *PAIR,
        "region",
        F.col("event_date").alias("as_of_date"),
        F.col("position").cast("float").alias("position"),
        F.col("simulated").alias("simulated_engagement"),
        "search_id",
        "propensity",
        *(column.alias(name) for name, column in floats.items()),
    )


def _as_unshown(day: Column) -> Transform:
    zero = F.lit(0.0).cast("float")
    masked = [f"{kind}_{task}" for task in TASKS for kind in ("label", "mask")]
    return lambda df: df.select(
        "split",
        F.concat_ws("|", *PAIR).alias("example_id"),
        *PAIR,
        "region",
        day.alias("as_of_date"),
        zero.alias("position"),
        F.lit(False).alias("simulated_engagement"),
        "search_id",
        F.lit(None).cast("double").alias("propensity"),
        *(zero.alias(name) for name in masked),
        *_LABEL_COLUMNS,
    )


def _with_relevance_mask(df: DataFrame) -> DataFrame:
    zero = F.lit(0.0).cast("float")
    mask = {"mask_relevance": _to_flag(F.col("label_source").isNotNull())}
    filled = {
        name: F.coalesce(name, zero) for name in ("label_ge_1", "label_ge_2", "weight_relevance")
    }
    return df.withColumns({**mask, **filled})


def _to_flag(condition: Column) -> Column:
    return F.when(condition, 1.0).otherwise(0.0).cast("float")
