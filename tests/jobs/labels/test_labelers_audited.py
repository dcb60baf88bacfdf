"""Which labels train: none made since the run date; audited, but those of test queries as given."""

from collections.abc import Callable
from datetime import datetime

from pyspark.sql import DataFrame, SparkSession

from conf.load import ResolvedConf
from features.contracts import LABEL_AUDIT, QUERIES, RELEVANCE_LABELS
from jobs.labels.labelers import labels_in_force
from jobs.platform.runner import open_warehouse

Frame = Callable[..., DataFrame]
MakeConf = Callable[..., ResolvedConf]


def test_labels_made_since_the_run_date_are_left_out(
    spark: SparkSession, make_conf: MakeConf, table_frame: Frame
) -> None:
    warehouse, _ = open_warehouse(spark, make_conf("run_date=2026-03-01"), "test")
    made = {"undated": None, "tonight": datetime(2026, 3, 1), "since": datetime(2026, 3, 2)}
    labels = [{"item_id": item, "source": "human", "labelled_at": at} for item, at in made.items()]
    warehouse.merge(RELEVANCE_LABELS, table_frame(RELEVANCE_LABELS, labels))
    assert {r["item_id"] for r in labels_in_force(warehouse).collect()} == {"undated", "tonight"}


def test_an_audit_changes_no_grade_of_a_test_query(
    spark: SparkSession, make_conf: MakeConf, table_frame: Frame
) -> None:
    conf = make_conf("training_set.audited=true")
    warehouse, _ = open_warehouse(spark, conf, "test")
    buckets = {"train": conf.tree.split.train[0], "test": conf.tree.split.test[0]}
    queries = [{"query_id": q, "query_text": q, "bucket": b} for q, b in buckets.items()]
    warehouse.merge(QUERIES, table_frame(QUERIES, queries))
    pairs = [{"query_id": q, "item_id": "i", "labeler_version": "people"} for q in buckets]
    labels = [p | {"source": "human", "grade": 0, "p_ge_1": 0.0, "p_ge_2": 0.0} for p in pairs]
    warehouse.merge(RELEVANCE_LABELS, table_frame(RELEVANCE_LABELS, labels))
    decided = {"decision": "raised", "flagged_by": "both"}
    audited = [p | {"grade": 0, "audited_grade": 2} | decided for p in pairs]
    warehouse.replace_run(LABEL_AUDIT, table_frame(LABEL_AUDIT, audited))
    grades = {r["query_id"]: r["grade"] for r in labels_in_force(warehouse).collect()}
    assert grades == {"train": 2, "test": 0}
