"""sample_for_judgment and import_judgments end to end, each run twice."""

import csv
from collections.abc import Callable
from datetime import datetime

import pytest
from pyspark.sql import DataFrame, SparkSession
from sklearn.metrics import cohen_kappa_score

import jobs.import_judgments
import jobs.import_labels
import jobs.sample_for_judgment
from conf.load import ResolvedConf
from features.contracts import (
    IMPRESSIONS,
    ITEMS,
    JUDGMENT_SAMPLE,
    JUDGMENTS,
    LABEL_AUDIT,
    QUARANTINE,
    QUERIES,
    RATER_ANSWERS,
    RELEVANCE_LABELS,
    RESOLVED_JUDGMENTS,
)
from jobs.import_judgments import AnswersError, compute_rater_kappa
from jobs.platform.runner import open_warehouse
from jobs.platform.warehouse import Warehouse

TableFrame = Callable[..., DataFrame]
MakeConf = Callable[..., ResolvedConf]
BUDGET = 10
SETTINGS = (f"judging.budget={BUDGET}", "judging.contradicted_share=0.2", "regions=[us, fr]")


@pytest.fixture
def judged(spark: SparkSession, make_conf: MakeConf, table_frame: TableFrame) -> Warehouse:
    """4 texts in 2 regions, 6 items; half of the pairs have a model's label, half a human one."""
    warehouse, _ = open_warehouse(spark, make_conf(*SETTINGS), "test")
    texts = ("hose", "lamp", "red garden hose", "small desk lamp")
    regions = ("us", "fr")
    queries = [
        {"query_id": f"{r}:{t}", "query_text": t, "region": r} for t in texts for r in regions
    ]
    items = [{"item_id": f"i{n}", "title": f"Item <{n}>"} for n in range(6)]
    labels = [_label(q["query_id"], n) for q in queries for n in range(6)]
    at = datetime(2026, 2, 20)
    shown = [
        {"search_id": f"s{n}", "query_id": "us:hose", "item_id": "i0", "event_time": at,
         "known_at": at, "position": 1, "price": 1.0}
        for n in range(3)
    ]  # fmt: skip
    flagged = [
        {"query_id": f"{r}:lamp", "item_id": "i0", "labeler_version": "shop", "grade": 0,
         "decision": "kept", "path": "taxonomy_unknown", "flagged_by": "engagement",
         "q_value": 0.01}
        for r in regions
    ]  # fmt: skip
    warehouse.merge(QUERIES, table_frame(QUERIES, queries))
    warehouse.merge(ITEMS, table_frame(ITEMS, items))
    warehouse.merge(RELEVANCE_LABELS, table_frame(RELEVANCE_LABELS, labels))
    warehouse.replace(IMPRESSIONS, table_frame(IMPRESSIONS, shown, event_date=at.date()), "true")
    warehouse.replace_run(LABEL_AUDIT, table_frame(LABEL_AUDIT, flagged))
    return warehouse


def _label(query_id: str, item: int) -> dict[str, object]:
    label = {"query_id": query_id, "item_id": f"i{item}", "grade": item % 3}
    if item < 3:
        hard = {"p_ge_1": float(item % 3 >= 1), "p_ge_2": float(item % 3 >= 2)}
        return {**label, **hard, "source": "human", "labeler_version": "shop"}
    soft = {"p_ge_1": 0.2 * item - 0.1, "p_ge_2": 0.1}
    return {**label, **soft, "source": "llm", "labeler_version": "v1"}


def write_answers(warehouse: Warehouse, name: str, rows: list[tuple[str, str, str]]) -> None:
    path = warehouse.judging_dir() / "answers" / f"{name}.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerows([("pair", "rater", "grade"), *rows])


def test_from_sample_to_labels(spark: SparkSession, judged: Warehouse, make_conf: MakeConf) -> None:
    conf = make_conf(*SETTINGS)
    for _ in range(2):
        report = jobs.sample_for_judgment.JOB.run(spark, conf)
        sample = judged.read(JUDGMENT_SAMPLE).toPandas()
        assert len(sample) == BUDGET
    texts = sample["query_id"].str[3:]
    assert not (texts + sample["item_id"]).duplicated().any()
    assert report.details["by_reason"]["contradicted"] == 1
    assert report.details["by_reason"]["uncertain"] == 5
    assert set(sample.loc[sample["reason"] == "uncertain", "item_id"]) <= {"i3", "i4", "i5"}
    page = (judged.judging_dir() / "sheet.html").read_text(encoding="utf-8")
    assert "Item &lt;" in page and "Item <" not in page
    with (judged.judging_dir() / "pairs.csv").open(encoding="utf-8") as file:
        codes = [row["pair"] for row in csv.DictReader(file)]
    assert len(codes) == BUDGET
    with pytest.raises(AnswersError, match="put the raters' CSV files into"):
        jobs.import_judgments.JOB.run(spark, conf)
    write_answers(judged, "ann", [(code, "ann", "2") for code in codes])
    write_answers(judged, "bob", [*((code, "bob", "2") for code in codes[:4]), ("x", "bob", "7")])
    write_answers(judged, "cid", [(code, "cid", "1") for code in codes[:2]])
    for _ in range(2):
        report = jobs.import_judgments.JOB.run(spark, conf)
        _check_import(judged, report.details)
    counts = {c.table: (c.rows_in, c.rows_out, c.rows_quarantined) for c in report.counts}
    assert counts[RATER_ANSWERS.name] == (17, 16, 1)
    _source_is_imported_again(spark, judged, conf)


def _check_import(judged: Warehouse, details: dict[str, object]) -> None:
    assert judged.read(RATER_ANSWERS).count() == 16
    assert details["quarantined"] == {"unknown_pair": 1}
    assert details["outcomes"] == {"resolved": 4, "too few raters": 6}
    broken = judged.read(QUARANTINE).collect()
    assert [(r["table_name"], r["rule"]) for r in broken] == [("rater_answers", "unknown_pair")]
    resolved = judged.read(RESOLVED_JUDGMENTS).where("outcome = 'resolved'").collect()
    assert [r["grade"] for r in resolved] == [2, 2, 2, 2]
    labels = judged.read(RELEVANCE_LABELS).where("labeler_version = 'judging-2026-03-01'")
    assert labels.count() == 2 * len(resolved)
    assert judged.read(RELEVANCE_LABELS).where("labeler_version = 'shop'").count() == 24


def _source_is_imported_again(spark: SparkSession, judged: Warehouse, conf: ResolvedConf) -> None:
    """import_labels prunes what its judgments no longer have, and leaves the raters' labels."""
    one = judged.read(RELEVANCE_LABELS).where("query_id = 'us:hose' AND item_id = 'i0'").limit(1)
    judgment = one.selectExpr(
        "query_id", "item_id", "'human' AS source", "1 AS grade", "NULL AS rating",
        "NULL AS judged_at", "'shop' AS dataset", "false AS simulated"
    )  # fmt: skip
    judged.merge(JUDGMENTS, judgment)
    jobs.import_labels.JOB.run(spark, conf)
    left = judged.read(RELEVANCE_LABELS).groupBy("labeler_version").count().collect()
    assert {r["labeler_version"]: r["count"] for r in left} == {
        "shop": 1,
        "v1": 24,
        "judging-2026-03-01": 8,
    }


def test_kappa_of_two_raters_is_that_of_scikit_learn() -> None:
    assert compute_rater_kappa({(0, 0): 1, (0, 1): 1, (1, 1): 1, (2, 0): 1, (2, 2): 2}) == (
        pytest.approx(
            cohen_kappa_score([0, 0, 1, 2, 2, 2], [0, 1, 1, 0, 2, 2], weights="quadratic")
        )
    )
    assert compute_rater_kappa({}) is None
    assert compute_rater_kappa({(1, 1): 9}) is None
