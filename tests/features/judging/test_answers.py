"""Raters' rows that break a rule, and how the answers of a pair become a grade."""

from collections import Counter
from collections.abc import Callable
from datetime import date

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.sections.audit import JudgingConf
from conf.sections.ingest import LabelsConf
from features.contracts import JUDGMENT_SAMPLE, QUERIES, RATER_ANSWERS, RESOLVED_JUDGMENTS
from features.judging.answers import checked_answers, judged_labels, pair_code, resolve_answers

RUN = date(2026, 3, 1)
TableFrame = Callable[..., DataFrame]


def test_each_broken_row_has_its_reason(spark: SparkSession, table_frame: TableFrame) -> None:
    sample = table_frame(JUDGMENT_SAMPLE, [{"query_id": "q", "item_id": i} for i in "abc"])
    coded = sample.select("item_id", pair_code(F.col("query_id"), F.col("item_id")).alias("code"))
    code = {row["item_id"]: row["code"] for row in coded.collect()}
    rows = [
        (code["a"], "ann", "2", None),
        (f" {code['a'].upper()} ", "bob", " 1.0 ", None),
        (code["b"], "ann", "1.5", None),
        (code["b"], "bob", "3", None),
        (code["b"], "cid", "", None),
        (code["b"], " ", "1", None),
        ("0" * 16, "ann", "1", None),
        (code["c"], "ann", "1", None),
        (code["c"], "ann", "2", None),
        (code["c"], "bob", "0", None),
        (code["c"], "bob", "0", None),
        (None, None, None, "a line, torn"),
    ]
    raw = spark.createDataFrame(rows, "pair string, rater string, grade string, _malformed string")
    found = checked_answers(raw, sample, RUN, "judging").collect()
    passed = {(r["item_id"], r["rater"]): r["grade"] for r in found if r["_rule"] is None}
    assert passed == {("a", "ann"): 2, ("a", "bob"): 1, ("c", "bob"): 0}
    assert Counter(r["_rule"] for r in found if r["_rule"] is not None) == {
        "grade_in_range": 2,
        "no_answer": 1,
        "no_rater": 1,
        "unknown_pair": 1,
        "repeated": 1,
        "answers_differ": 2,
        "malformed_line": 1,
    }
    torn = next(r for r in found if r["_rule"] == "malformed_line")
    assert torn["_raw_row"] == "a line, torn"


ANSWERS = {
    "one": [2],
    "two": [1, 2],
    "apart": [0, 2],
    "tie": [0, 0, 2, 2],
    "most": [0, 2, 2],
    "low": [0, 1, 2, 2, 0],
}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("median", {"two": 1, "apart": 0, "tie": 0, "most": 2, "low": 1}),
        ("majority", {"two": 1, "apart": 0, "tie": 0, "most": 2, "low": 0}),
        ("drop_spread", {"two": 1, "apart": None, "tie": None, "most": None, "low": None}),
    ],
)
def test_rules_of_resolution(
    table_frame: TableFrame, rule: str, expected: dict[str, int | None]
) -> None:
    rows = [
        {"query_id": "q", "item_id": item, "rater": f"r{n}", "grade": grade}
        for item, grades in ANSWERS.items()
        for n, grade in enumerate(grades)
    ]
    conf = JudgingConf.model_validate({"rule": rule})
    found = {
        r["item_id"]: r for r in resolve_answers(table_frame(RATER_ANSWERS, rows), conf).collect()
    }
    assert {i: r["grade"] for i, r in found.items()} == {**expected, "one": None}
    assert found["one"]["outcome"] == "too few raters"
    assert (found["low"]["spread"], found["low"]["mean_grade"], found["low"]["raters"]) == (
        2,
        1.0,
        5,
    )


def test_a_grade_holds_for_the_text_in_every_region(table_frame: TableFrame) -> None:
    queries = table_frame(
        QUERIES,
        [
            {"query_id": "u", "query_text": "Red hose"},
            {"query_id": "f", "query_text": "red hose "},
            {"query_id": "x", "query_text": "lamp"},
        ],
    )
    rows = [
        {"query_id": "u", "item_id": "i", "grade": 1, "mean_grade": 1.25, "outcome": "resolved"},
        {"query_id": "x", "item_id": "i", "grade": None, "outcome": "spread"},
    ]
    judgments = table_frame(RESOLVED_JUDGMENTS, rows)
    for soft, second in ((False, 0.0), (True, 0.25)):
        found = judged_labels(judgments, queries, RUN, LabelsConf(soft=soft)).collect()
        assert sorted(r["query_id"] for r in found) == ["f", "u"]
        assert {(r["grade"], r["p_ge_1"], r["p_ge_2"]) for r in found} == {(1, 1.0, second)}
        assert {(r["source"], r["labeler_version"]) for r in found} == {
            ("human", "judging-2026-03-01")
        }
