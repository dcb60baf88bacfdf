"""Training examples on hand-made rows: masks, windows, the carrier of a label, the split."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from conf.load import ResolvedConf
from features.contracts import (
    IMPRESSIONS,
    LABELER_DECISIONS,
    QUERIES,
    RELEVANCE_LABELS,
    Table,
)
from features.declarations import ITEM_LEVEL, PAIR_LEVEL, QUERY_LEVEL
from features.examples.training_rows import (
    TrainingInputs,
    engagement_labels,
    labelled_pairs,
    labelled_rows,
    shown_rows,
    training_examples,
    with_label_weight,
)
from features.lookup import FeatureTables

RUN = dt.date(2026, 3, 1)
MakeConf = Callable[..., ResolvedConf]


def frame(spark: SparkSession, table: Table, rows: Sequence[dict[str, Any]]) -> DataFrame:
    schema = ", ".join(f"`{c.name}` {c.type}" for c in table.columns)
    return spark.createDataFrame(
        [tuple(r.get(n) for n in table.column_names) for r in rows], schema
    )


def shown(search: str, item: str, days_ago: int, **given: Any) -> dict[str, Any]:
    """An impression at noon, `days_ago` days before the run date, known a minute later."""
    at = dt.datetime(2026, 3, 1, 12) - dt.timedelta(days=days_ago)
    row = {
        "search_id": search,
        "query_id": "q1",
        "item_id": item,
        "region": "us",
        "position": 1,
        "event_time": at,
        "known_at": at + dt.timedelta(minutes=1),
        "event_date": at.date(),
        "price": 1.0,
        "clicked": False,
        "carted": False,
        "purchased": False,
        "dataset": "test",
        "simulated": True,
    }
    return row | given


def query(name: str, bucket: int) -> dict[str, Any]:
    return {
        "query_id": name,
        "query_text": name,
        "region": "us",
        "bucket": bucket,
        "dataset": "test",
        "simulated": True,
    }


def label(query_id: str, item: str, source: str, grade: int, **given: Any) -> dict[str, Any]:
    return {
        "query_id": query_id,
        "item_id": item,
        "source": source,
        "labeler_version": "v1",
        "grade": grade,
        "p_ge_1": float(grade >= 1),
        "p_ge_2": float(grade >= 2),
        "simulated": False,
    } | given


def feature_tables(spark: SparkSession, dates: Sequence[dt.date]) -> FeatureTables:
    """One row a key and day: query_chars, item_log_price and pair_bm25 tell the day of month."""

    def filled(keys: list[tuple[Any, ...]], names: str, features: Any, told: str) -> DataFrame:
        values = {f.name: F.lit(f.default).cast("float") for f in features}
        told_day = {told: F.dayofmonth("as_of_date").cast("float")}
        return spark.createDataFrame(keys, f"as_of_date date, {names}").withColumns(
            values | told_day
        )

    queries, items = ("q1", "q2", "q3"), ("a", "b", "c")
    return FeatureTables(
        filled(
            [(d, q) for d in dates for q in queries], "query_id string", QUERY_LEVEL, "query_chars"
        ),
        filled(
            [(d, i, "us") for d in dates for i in items],
            "item_id string, region string",
            ITEM_LEVEL,
            "item_log_price",
        ),
        filled(
            [(d, q, i) for d in dates for q in queries for i in items],
            "query_id string, item_id string",
            PAIR_LEVEL,
            "pair_bm25",
        ),
    )


def inputs(
    spark: SparkSession,
    impressions: Sequence[dict[str, Any]],
    labels: Sequence[dict[str, Any]] = (),
) -> TrainingInputs:
    dates = [RUN - dt.timedelta(days=d) for d in range(11)]
    return TrainingInputs(
        frame(spark, IMPRESSIONS, impressions),
        frame(spark, QUERIES, [query("q1", 0), query("q2", 8), query("q3", 9), query("q4", 5)]),
        frame(spark, RELEVANCE_LABELS, labels),
        feature_tables(spark, dates),
    )


def decided(spark: SparkSession, *decisions: tuple[str, str]) -> DataFrame:
    """Rows of labeler_decisions: version and decision, in their order."""
    rows = [
        {
            "decision_no": number,
            "labeler_version": version,
            "run_date": RUN,
            "decision": decision,
            "reasons": ["tested"],
            "metrics": "{}",
            "gold_pairs": 1,
            "gold_queries": 1,
        }
        for number, (version, decision) in enumerate(decisions, 1)
    ]
    return LABELER_DECISIONS.local_frame(spark, rows)


def by_id(rows: DataFrame) -> dict[str, Row]:
    found = rows.collect()
    named = {row.example_id: row for row in found}
    assert len(named) == len(found), "an example id occurs twice"
    return named


def test_carts_and_purchases_count_within_the_window_and_young_rows_are_masked(
    spark: SparkSession,
) -> None:
    def late(days_ago: int, by: int) -> dict[str, Any]:
        at = dt.datetime(2026, 3, 1, 12) - dt.timedelta(days=days_ago - by)
        return {"clicked": True, "carted": True, "carted_at": at}

    rows = frame(
        spark,
        IMPRESSIONS,
        [
            shown("at_once", "a", 10, clicked=True, carted=True, purchased=True),
            shown("in_time", "a", 10, **late(10, 3)),
            shown("too_late", "a", 10, **late(10, 4)),
            shown("old", "a", 4),
            shown("young", "a", 3),
            shown("young_cart", "a", 1, clicked=True, carted=True),
            shown("tomorrow", "a", 1, **late(1, 2)),
        ],
    ).withColumn("split", F.lit("train"))
    found = by_id(rows.transform(engagement_labels(3, RUN)))
    labels = {
        name.partition("|")[0]: (r.label_click, r.label_cart, r.mask_cart, r.mask_purchase)
        for name, r in found.items()
    }
    assert labels == {
        "at_once": (1, 1, 1, 1),
        "in_time": (1, 1, 1, 1),
        "too_late": (1, 0, 1, 1),
        "old": (0, 0, 1, 1),
        "young": (0, 0, 0, 0),
        "young_cart": (1, 1, 0, 0),
        "tomorrow": (1, 0, 0, 0),
    }
    assert all(r.mask_click == 1 for r in found.values())
    assert found["at_once|a"].label_purchase == 1


def test_only_days_of_the_window_and_rows_known_before_the_run_date(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    made = inputs(
        spark,
        [
            shown("first", "a", 5),
            shown("before", "a", 6),
            shown("today", "a", 0),
            shown("late", "a", 1, known_at=dt.datetime(2026, 3, 1)),
        ],
    )
    conf = make_conf("features.training_days=5").tree
    assert [row.search_id for row in shown_rows(made, conf, RUN).collect()] == ["first"]
    later = replace(made, examples_from=RUN - dt.timedelta(days=4))
    assert shown_rows(later, conf, RUN).count() == 0


def test_the_latest_impression_carries_the_label_and_unshown_pairs_get_a_row(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    made = inputs(
        spark,
        [
            shown("s1", "a", 9),
            shown("s2", "a", 2),
            shown("s3", "a", 2),
            shown("s4", "b", 2),
            shown("s5", "a", 2, query_id="q2"),
        ],
        [label("q1", "a", "human", 2), label("q1", "c", "human", 1)],
    )
    found = by_id(labelled_rows(made, make_conf().tree, RUN))
    graded = {name: r.grade for name, r in found.items() if r.mask_relevance == 1}
    assert graded == {"s3|a": 2, "q1|c": 1}
    carrier, extra, other = found["s3|a"], found["q1|c"], found["s4|b"]
    assert (carrier.label_ge_1, carrier.label_ge_2, carrier.weight_relevance) == (1, 1, 1)
    assert (extra.label_ge_1, extra.label_ge_2) == (1, 0)
    assert (extra.position, extra.search_id, extra.as_of_date) == (0, None, RUN)
    assert (extra.mask_click, extra.mask_cart, extra.mask_purchase) == (0, 0, 0)
    assert (other.mask_relevance, other.weight_relevance, other.grade) == (0, 0, None)


def test_human_before_llm_before_model_before_assumed_then_the_latest(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    conf = make_conf(
        "training_set.source_weights={human: 1, llm: 0.5, model: 0.375, assumed: 0.25}"
    )
    day = dt.datetime(2026, 2, 1)
    labels = frame(
        spark,
        RELEVANCE_LABELS,
        [
            label("q1", "a", "assumed", 0),
            label("q1", "a", "llm", 1, labelled_at=day),
            label("q1", "a", "human", 2),
            label("q1", "b", "assumed", 0),
            label("q1", "b", "model", 2, labelled_at=day + dt.timedelta(9), labeler_version="v9"),
            label("q1", "d", "assumed", 0),
            label("q1", "d", "model", 2, labeler_version="v9"),
            label("q1", "e", "model", 2, labeler_version="v7"),
            label("q1", "b", "llm", 1, labelled_at=day, p_ge_1=0.75, p_ge_2=0.25),
            label("q1", "b", "llm", 2, labelled_at=day - dt.timedelta(1), labeler_version="v9"),
            label("q1", "c", "assumed", 0),
            label("elsewhere", "c", "human", 0),
        ],
    )
    queries = frame(spark, QUERIES, [query("q1", 0)])
    decisions = decided(spark, ("v1", "admitted"), ("v9", "admitted"), ("v1", "admitted"))
    best = labels.transform(labelled_pairs(queries, conf.tree, decisions))
    rows = best.transform(with_label_weight, conf.tree.training_set).collect()
    best = {r.item_id: (r.label_source, r.grade, r.label_ge_1, r.weight_relevance) for r in rows}
    assert best == {
        "a": ("human", 2, 1, 1),
        "b": ("llm", 1, 0.75, 0.5),
        "c": ("assumed", 0, 0, 0.25),
        "d": ("model", 2, 1, 0.375),
    }, "and e, whose labeler is not admitted, has no label"


def test_labels_of_a_version_count_while_its_last_decision_admits_it(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    conf = make_conf("training_set.version_weights={v2: 0.5}").tree
    labels = frame(
        spark,
        RELEVANCE_LABELS,
        [
            label("q1", "a", "llm", 1, labeler_version="v1"),
            label("q1", "a", "llm", 2, labeler_version="v2"),
            label("q1", "b", "llm", 2, labeler_version="v3"),
            label("q1", "b", "assumed", 0),
            label("q1", "c", "human", 1, labeler_version="people"),
        ],
    )
    queries = frame(spark, QUERIES, [query("q1", 0)])

    def used(*decisions: tuple[str, str]) -> dict[str, tuple[str, float]]:
        made = decided(spark, *decisions) if decisions else None
        best = labels.transform(labelled_pairs(queries, conf, made))
        rows = best.transform(with_label_weight, conf.training_set).collect()
        assert all(row.label_admitted for row in rows)
        return {r.item_id: (r.labeler_version, r.weight_relevance) for r in rows}

    plain = {"b": ("v1", 0.3), "c": ("people", 1.0)}
    assumed = {item: (name, pytest.approx(weight)) for item, (name, weight) in plain.items()}
    first, second = ("v1", "admitted"), ("v2", "admitted")
    assert used() == assumed
    assert used(("v1", "refused"), ("v3", "refused")) == assumed
    assert used(first) == {"a": ("v1", 0.5), **assumed}
    assert used(first, second) == {"a": ("v2", 0.25), **assumed}
    assert used(first, second, ("v2", "revoked")) == {"a": ("v1", 0.5), **assumed}
    assert used(second, first)["a"] == ("v1", 0.5)


def test_features_are_as_of_the_day_and_missing_ones_are_flagged(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    made = inputs(
        spark,
        [shown("s1", "a", 9), shown("s2", "nowhere", 8), shown("s3", "a", 7, region="mars")],
    )
    found = by_id(training_examples(made, make_conf().tree, RUN))
    row = found["s1|a"]
    assert (row.query_chars, row.item_log_price, row.pair_bm25) == (20, 20, 20)
    assert (row.missing_query, row.missing_item, row.missing_query_item) == (0, 0, 0)
    row = found["s2|nowhere"]
    assert (row.missing_query, row.missing_item, row.missing_query_item) == (0, 1, 1)
    assert (row.query_chars, row.item_price_percentile) == (21, 0.5)
    assert found["s3|a"].missing_item == 1


def test_split_by_the_bucket_of_the_query(spark: SparkSession, make_conf: MakeConf) -> None:
    made = inputs(spark, [shown(f"s_{q}", "a", 3, query_id=q) for q in ("q1", "q2", "q3", "q4")])
    conf = make_conf("split.train=[0]", "split.test=[9]")
    splits = {row.query_id: row.split for row in shown_rows(made, conf.tree, RUN).collect()}
    assert splits == {"q1": "train", "q2": "validation", "q3": "test"}
