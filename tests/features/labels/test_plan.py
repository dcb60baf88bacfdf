"""What is labelled, in what order, and how answers fan out."""

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from features.contracts import CANDIDATES, ITEMS, QUERIES, RELEVANCE_LABELS, Table
from features.labels.plan import (
    add_pair_texts,
    known_answers,
    label_rows,
    plan_chunks,
    quarantine_rows,
    rank_sizes,
    select_certain,
    text_pairs,
    wanted_pairs,
    with_chunk,
    with_vectors,
)
from features.text.texts import text_hash

RUN = dt.date(2026, 3, 1)
sizes = st.dictionaries(st.integers(0, 1000), st.integers(1, 500), min_size=1, max_size=20)


@given(sizes, st.integers(1, 300))
def test_a_plan_loses_nothing_and_keeps_the_order(ranks: dict[int, int], chunk: int) -> None:
    plan = plan_chunks(ranks, chunk)
    assert sum(plan.sizes) == sum(ranks.values())
    assert max(plan.sizes) <= chunk
    assert [step.shown for step in plan.steps] == sorted(ranks, reverse=True)
    firsts = [step.first_chunk for step in plan.steps]
    assert firsts == sorted(firsts)
    assert plan.steps[-1].first_chunk + plan.steps[-1].parts == len(plan.sizes)


def test_a_plan_by_hand() -> None:
    plan = plan_chunks({9: 3, 5: 4, 2: 25, 0: 4}, 10)
    assert [(s.shown, s.first_chunk, s.parts) for s in plan.steps] == [
        (9, 0, 1),
        (5, 0, 1),
        (2, 1, 3),
        (0, 4, 1),
    ] or plan.sizes == (7, 9, 8, 8, 4)
    assert plan.sizes[0] == 7
    assert plan.cut_to_budget(16).sizes == plan.sizes[:2]
    assert plan.cut_to_budget(1).sizes == plan.sizes[:1]
    assert plan.cut_to_budget(None) is plan


@pytest.fixture
def market(spark: SparkSession, table_frame: Any) -> dict[str, DataFrame]:
    """Query "drill" in two regions, an empty one, one that is unknown; two items of one text."""

    def of(table: Table, rows: list[dict[str, Any]]) -> DataFrame:
        frame: DataFrame = table_frame(table, rows)
        return frame

    queries = [
        {"query_id": "us", "query_text": " Drill", "region": "us"},
        {"query_id": "uk", "query_text": "drill", "region": "uk"},
        {"query_id": "none", "query_text": "  "},
    ]
    items = [
        {"item_id": "a", "title": "Red drill", "brand": "Acme"},
        {"item_id": "b", "title": "ACME  red drill"},
        {"item_id": "c", "title": "Saw"},
        {"item_id": "d", "title": " "},
    ]
    pairs = [("us", i) for i in "abcdx"] + [("uk", "a"), ("uk", "c"), ("none", "a")]
    shown = [("us", "a", 3), ("uk", "a", 2), ("us", "c", 1), ("us", "c", 1)]
    return {
        "queries": of(QUERIES, queries),
        "items": of(ITEMS, items),
        "candidates": of(CANDIDATES, [{"query_id": q, "item_id": i} for q, i in pairs]),
        "shown": spark.createDataFrame(shown, "query_id string, item_id string, shown long"),
    }


def test_texts_are_read_once_and_pairs_without_text_have_a_reason(
    market: dict[str, DataFrame],
) -> None:
    wanted = wanted_pairs(market["candidates"], None, [])
    pairs = add_pair_texts(wanted, market["queries"], market["items"], market["shown"]).persist()
    reasons = {
        (r.query_id, r.item_id): r.reason for r in pairs.where("reason IS NOT NULL").collect()
    }
    assert reasons == {
        ("us", "d"): "the item has no text",
        ("us", "x"): "the item is not in table items",
        ("none", "a"): "the query has no text",
    }
    texts = text_pairs(pairs.where("reason IS NULL"))
    found = {r.item_key: (r["rank"], [tuple(m) for m in r.members]) for r in texts.collect()}
    assert found == {
        "acme red drill": (5, [("uk", "a"), ("us", "a"), ("us", "b")]),
        "saw": (2, [("uk", "c"), ("us", "c")]),
    }
    assert rank_sizes(texts) == {5: 1, 2: 1}
    plan = plan_chunks({5: 1, 2: 1}, 1)
    chunks = {r.item_key: r.chunk for r in with_chunk(texts, plan, 7).collect()}
    assert chunks == {"acme red drill": 0, "saw": 1}
    bad = quarantine_rows(pairs.where("reason IS NOT NULL"), "rule", "v1", RUN).collect()
    assert {r.raw_row for r in bad} == {
        '{"query_id":"us","item_id":"d"}',
        '{"query_id":"us","item_id":"x"}',
        '{"query_id":"none","item_id":"a"}',
    }
    pairs.unpersist()


def test_stored_vectors_are_found_whatever_the_spelling_of_the_text(spark: SparkSession) -> None:
    texts = spark.createDataFrame(
        [("Red  drill", "ACME saw"), ("rope", "acme saw")], "query_text string, item_text string"
    )
    stored = spark.createDataFrame(
        [("red drill", [1.0]), ("acme saw", [2.0])], "t string, e array<float>"
    )
    vectors = stored.select(text_hash(F.col("t")).alias("text_hash"), F.col("e").alias("embedding"))
    found = {
        r.query_text: (r.query_vector, r.item_vector)
        for r in with_vectors(texts, vectors).collect()
    }
    assert found == {"Red  drill": ([1.0], [2.0]), "rope": (None, [2.0])}
    nothing = with_vectors(texts, None)
    assert nothing.columns == ["query_text", "item_text", "query_vector", "item_vector"]
    assert nothing.where("query_vector IS NULL AND item_vector IS NULL").count() == 2


def test_what_has_a_label_is_not_wanted_and_its_answer_is_known(
    market: dict[str, DataFrame], table_frame: Any
) -> None:
    made = {"source": "llm", "labeler_version": "v1"}
    labels = table_frame(
        RELEVANCE_LABELS,
        [
            {"query_id": "us", "item_id": "a", "grade": 2, "p_ge_1": 0.9, "p_ge_2": 0.8, **made},
            {"query_id": "uk", "item_id": "c", "source": "human"},
        ],
    )
    human, model = labels.where("source = 'human'"), labels.where("source = 'llm'")
    wanted = wanted_pairs(market["candidates"], human, [model])
    left = {(r.query_id, r.item_id) for r in wanted.collect()}
    assert ("us", "a") not in left
    assert ("uk", "c") not in left
    assert len(left) == 6
    pairs = add_pair_texts(wanted, market["queries"], market["items"], market["shown"])
    known = known_answers(model, pairs, market["queries"], market["items"]).collect()
    assert [(r.text_key, r.item_key, r.p_ge_1, r.grade) for r in known] == [
        ("drill", "acme red drill", 0.9, 2)
    ]


def test_answers_become_rows_of_every_pair_that_shares_the_texts(spark: SparkSession) -> None:
    answered = spark.createDataFrame(
        [([("q1", "a"), ("q2", "a")], 0.9, 0.25, 1)],
        "members array<struct<query_id: string, item_id: string>>, p_ge_1 double, p_ge_2 double, "
        "grade int",
    )
    rows = label_rows(answered, "model", "v1", None, RUN, True).orderBy("query_id").collect()
    assert [(r.query_id, r.item_id, r.p_ge_2, r.source) for r in rows] == [
        ("q1", "a", 0.25, "model"),
        ("q2", "a", 0.25, "model"),
    ]
    assert rows[0].labelled_at == dt.datetime(2026, 3, 1)
    assert rows[0].simulated


def test_doubtful_labels_are_those_of_high_entropy(spark: SparkSession) -> None:
    rows = [("sure", 1.0, 1.0), ("doubt", 0.66, 0.33), ("even", 1.0, 0.5)]
    labels = spark.createDataFrame(rows, "item_id string, p_ge_1 double, p_ge_2 double")
    # entropies 0, about ln 3 = 1.10, ln 2 = 0.69
    assert {r.item_id for r in select_certain(labels, 0.8).collect()} == {"sure", "even"}
    assert {r.item_id for r in select_certain(labels, 0.5).collect()} == {"sure"}
