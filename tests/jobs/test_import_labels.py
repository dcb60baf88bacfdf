"""Labels follow their judgments and leave those of other sources alone."""

from collections.abc import Callable
from datetime import datetime

import pytest
from pyspark.sql import DataFrame, SparkSession

from conf.load import ConfError, ResolvedConf
from conf.sections.ingest import LabelsConf
from features.contracts import JUDGMENTS, RELEVANCE_LABELS
from features.labels.judged import labels_from_judgments
from jobs.import_labels import JOB
from jobs.platform.runner import open_warehouse

MakeConf = Callable[..., ResolvedConf]
Judged = tuple[str, str, str, int, float | None]


def judgments(spark: SparkSession, rows: list[Judged]) -> DataFrame:
    full = [(*row, datetime(2026, 1, 1), "shop", row[2] == "assumed") for row in rows]
    schema = ", ".join(f"{c.name} {c.type}" for c in JUDGMENTS.columns)
    return spark.createDataFrame(full, schema)


def labels(df: DataFrame) -> dict[tuple[str, str, str], tuple[int, float, float]]:
    return {
        (r["query_id"], r["item_id"], r["source"]): (r["grade"], r["p_ge_1"], r["p_ge_2"])
        for r in df.collect()
    }


def test_hard_and_soft_probabilities(spark: SparkSession) -> None:
    rated = [("q", str(i), "human", g, r) for i, (g, r) in enumerate(RATINGS)]
    hard = labels(labels_from_judgments(judgments(spark, rated), LabelsConf()))
    soft = labels(labels_from_judgments(judgments(spark, rated), LabelsConf(soft=True)))
    assert [hard["q", str(i), "human"][1:] for i in range(len(RATINGS))] == [
        (float(g >= 1), float(g >= 2)) for g, _ in RATINGS
    ]
    expected = [(0.0, 0.0), (0.25, 0.0), (1.0, 0.0), (1.0, 0.5), (1.0, 1.0), (1.0, 1.0), (1.0, 0.0)]
    assert [soft["q", str(i), "human"][1:] for i in range(len(RATINGS))] == expected


RATINGS = [(0, 1.0), (0, 1.25), (1, 2.0), (2, 2.5), (2, 3.0), (2, 9.0), (1, None)]


def test_label_follows_its_judgment(spark: SparkSession, make_conf: MakeConf) -> None:
    conf = make_conf()
    warehouse, _ = open_warehouse(spark, conf, "test")
    first: list[Judged] = [
        ("q", "a", "human", 2, None),
        ("q", "b", "human", 1, None),
        ("q", "c", "assumed", 0, None),
    ]
    warehouse.merge(JUDGMENTS, judgments(spark, first))
    JOB.run(spark, conf)
    model = warehouse.read(RELEVANCE_LABELS).where("item_id = 'a'").selectExpr(
        "query_id", "item_id", "'llm' as source", "'v1' as labeler_version", "grade", "p_ge_1",
        "p_ge_2", "'h' as prompt_hash", "labelled_at", "simulated"
    )  # fmt: skip
    warehouse.merge(RELEVANCE_LABELS, model)
    corrected: list[Judged] = [("q", "a", "human", 0, None), ("q", "c", "assumed", 0, None)]
    warehouse.merge(JUDGMENTS, judgments(spark, corrected), prune="true")
    expected = {
        ("q", "a", "human"): (0, 0.0, 0.0),
        ("q", "c", "assumed"): (0, 0.0, 0.0),
        ("q", "a", "llm"): (2, 1.0, 1.0),
    }
    for _ in range(2):
        report = JOB.run(spark, conf)
        assert labels(warehouse.read(RELEVANCE_LABELS)) == expected
        assert [(c.rows_in, c.rows_out) for c in report.counts] == [(2, 2)]


def test_rating_range_must_ascend(make_conf: MakeConf) -> None:
    with pytest.raises(ConfError, match=r"rating_range 3.0, 1.0 must ascend"):
        make_conf("labels.rating_range=[3, 1]")
