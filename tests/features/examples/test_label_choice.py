"""Which label a pair gets, what it weighs, and which impression carries it."""

import datetime as dt
from collections.abc import Callable

import pytest
from pyspark.sql import SparkSession

from conf.load import ResolvedConf
from features.contracts import QUERIES, RELEVANCE_LABELS
from features.examples.label_choice import labelled_pairs, with_label_weight
from features.examples.training_rows import labelled_rows
from tests.features.examples.hand_made import (
    RUN,
    by_id,
    decided,
    frame,
    inputs,
    label,
    query,
    shown,
)

MakeConf = Callable[..., ResolvedConf]


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
