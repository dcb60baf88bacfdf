"""BM25 against hand-worked numbers, and retrieval that survives head terms."""

import math

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession

import features.text.bm25
from conf.schema import Conf
from features.text.bm25 import (
    SCALE,
    build_postings,
    rank_terms,
    retrieve_items,
)
from model.text.comparing import CatalogueFigures, compare_readings
from model.text.reading import Reading

ITEMS = {
    "i1": ["red", "sofa"],
    "i2": ["red", "sofa", "bed", "sofa"],
    "i3": ["red", "lamp"],
    "i4": ["blue", "rug"],
}


def conf_with(**candidates: int) -> Conf:
    return Conf.model_validate({"candidates": candidates})


def expected_weight(term: str, item: str) -> float:
    """The formula of the docstring, in plain Python."""
    n = len(ITEMS)
    df = sum(term in words for words in ITEMS.values())
    average = sum(map(len, ITEMS.values())) / n
    tf, length = ITEMS[item].count(term), len(ITEMS[item])
    idf = math.log(1 + (n - df + 0.5) / (df + 0.5))
    return idf * tf * 2.2 / (tf + 1.2 * (0.25 + 0.75 * length / average))


@pytest.fixture(scope="module")
def postings(spark: SparkSession) -> DataFrame:
    items = spark.createDataFrame(list(ITEMS.items()), "item_id string, tokens array<string>")
    return build_postings(items, Conf()).persist()


def retrieved(
    spark: SparkSession, postings: DataFrame, texts: dict[str, list[str]], conf: Conf
) -> dict[str, set[str]]:
    rows = spark.createDataFrame(list(texts.items()), "text string, terms array<string>")
    found: dict[str, set[str]] = {text: set() for text in texts}
    for row in retrieve_items(rank_terms(rows, postings, conf), postings, conf).collect():
        assert row["item_id"] not in found[row["text"]]
        found[row["text"]].add(row["item_id"])
    return found


def test_postings_hold_the_bm25_weight(postings: DataFrame) -> None:
    rows = {(r["term"], r["item_id"]): r for r in postings.collect()}
    assert set(rows) == {(t, i) for i, words in ITEMS.items() for t in words}
    for (term, item), row in rows.items():
        assert row["weight"] / SCALE == pytest.approx(expected_weight(term, item), abs=1e-6)
    assert rows[("red", "i1")]["df"] == 3


def test_pairs_are_compared_by_the_same_weights(postings: DataFrame) -> None:
    """The index of retrieval and the comparison of pairs are two engines with one formula."""
    by_item = {(r["item_id"], r["term"]): r["weight"] for r in postings.collect()}
    df = {r["term"]: r["df"] for r in postings.collect()}
    names = list(ITEMS)
    items = [Reading(ITEMS[name], "", [], [], []) for name in names]
    asked = Reading(["red", "sofa", "unheard"], "", [], [], [])
    rows = np.arange(len(items))
    average = sum(map(len, ITEMS.values())) / len(ITEMS)
    figures = CatalogueFigures(len(ITEMS), average, df, 1.2, 0.75)
    scores = compare_readings([asked], items, np.zeros_like(rows), rows, figures)[:, 0]
    for name, score in zip(names, scores, strict=True):
        weight = sum(by_item.get((name, term), 0) for term in asked.tokens)
        assert score == pytest.approx(weight / SCALE, abs=3e-6)


def test_retrieval_takes_the_best(spark: SparkSession, postings: DataFrame) -> None:
    texts = {"red sofa": ["red", "sofa"], "blue lamp": ["blue", "lamp"], "none": ["unheard"]}
    assert retrieved(spark, postings, texts, conf_with(retrieved=2)) == {
        "red sofa": {"i1", "i2"},
        "blue lamp": {"i3", "i4"},
        "none": set(),
    }


def test_head_terms_only_rescore(spark: SparkSession, postings: DataFrame) -> None:
    """`red` (df 3) is over the bound; `sofa` alone would take i2, with `red` i1 leads."""
    assert expected_weight("sofa", "i2") > expected_weight("sofa", "i1")
    conf = conf_with(max_postings=2, retrieved=1)
    texts = {"bed lamp": ["bed", "lamp", "red"], "sofa": ["sofa", "red"]}
    assert retrieved(spark, postings, texts, conf) == {"bed lamp": {"i3"}, "sofa": {"i1"}}


def test_a_query_of_head_terms_alone_survives(spark: SparkSession, postings: DataFrame) -> None:
    """The rarest term generates, cut to its heaviest postings: one of i1 and i2 for `sofa`."""
    found = retrieved(spark, postings, {"q": ["red", "sofa"]}, conf_with(max_postings=1))
    heaviest = max(("i1", "i2"), key=lambda item: expected_weight("sofa", item))
    assert found == {"q": {heaviest}}


def test_splitting_a_term_into_chunks_changes_nothing(
    spark: SparkSession, postings: DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features.text.bm25, "ROWS_PER_TASK", 1)
    texts = {"red sofa": ["red", "sofa"], "red": ["red"], "blue": ["blue"]}
    assert retrieved(spark, postings, texts, Conf()) == {
        "red sofa": {"i1", "i2", "i3"},
        "red": {"i1", "i2", "i3"},
        "blue": {"i4"},
    }
