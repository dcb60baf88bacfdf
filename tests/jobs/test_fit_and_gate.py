"""Fit and gate of a labeler end to end on a tiny market whose grades follow the words in common."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from features.contracts import (
    LABELER_DECISIONS,
    LABELER_QUERIES,
    LABELER_VERSIONS,
    RELEVANCE_LABELS,
)
from jobs import admit_labeler, finetune_labeler, label_pairs, revoke_labeler
from jobs.platform.report import JobReport
from model.labelers.base import LabelerError
from tests.jobs.labeling_market import conf_of, model_labels, queries, warehouse_of


def test_a_fit_leaves_a_version_and_the_texts_it_saw(
    spark: SparkSession, fitted: tuple[Path, JobReport]
) -> None:
    root, report = fitted
    warehouse = warehouse_of(spark, root)
    (row,) = warehouse.read(LABELER_VERSIONS).collect()
    # 12 of the 20 texts train, with 10 judged items each
    assert row.fit_pairs == 120
    assert row.kind == "lexical"
    assert not row.simulated
    assert sum(row.fitted_mix) == pytest.approx(1.0)
    assert (root / row.folder / "labeler.json").is_file()
    seen = {
        r.role: r["count"]
        for r in warehouse.read(LABELER_QUERIES).groupBy("role").count().collect()
    }
    assert seen["fit"] == 12
    assert 1 <= seen["choose"] < 6
    assert report.details["pairs"]["fit"] == [96, 12, 12]
    assert sum(report.details["pairs"]["gold"]) + sum(report.details["pairs"]["choose"]) == 60


def test_an_equal_fit_is_not_made_twice(
    spark: SparkSession, fitted: tuple[Path, JobReport]
) -> None:
    report = finetune_labeler.JOB.run(spark, conf_of(fitted[0]))
    assert "waits for admit_labeler" in report.notes[0]
    assert report.counts == []
    dry = finetune_labeler.JOB.run(
        spark, conf_of(fitted[0], "labeler.lexical.rounds=50", dry_run=True)
    )
    assert "would fit lexical" in dry.notes[0]


def test_pairs_assumed_irrelevant_are_fitted_on_too(
    spark: SparkSession, fitted: tuple[Path, JobReport], tmp_path: Path
) -> None:
    """Those of training queries that nobody graded, as many as the share asks for."""
    root = tmp_path / "warehouse"
    shutil.copytree(fitted[0], root)
    assumed = {"source": "assumed", "grade": 0, "p_ge_1": 0.0, "p_ge_2": 0.0}
    columns = RELEVANCE_LABELS.columns
    blank = {c.name: {"string": "", "boolean": False}.get(c.type) for c in columns if c.required}
    rows = [
        {c.name: None for c in columns}
        | blank
        | assumed
        | {"query_id": q["query_id"], "item_id": item}
        for q in queries()
        for item in ("i0", "i1", "i2", "i3")
        if q["region"] == "us"
    ]
    warehouse_of(spark, root).merge(RELEVANCE_LABELS, RELEVANCE_LABELS.local_frame(spark, rows))
    report = finetune_labeler.JOB.run(spark, conf_of(root, "labeling.assumed_share=1"))
    graded = sum(report.details["pairs"]["fit"])
    versions = warehouse_of(spark, root).read(LABELER_VERSIONS).orderBy("fit_pairs").collect()
    # Half of the four items of each of 12 training texts are graded: 24 pairs are not.
    assert [row["fit_pairs"] for row in versions] == [graded, graded + 24]
    assert versions[0]["fitted_mix"] == versions[1]["fitted_mix"]
    assert "24 of them assumed irrelevant" in " ".join(report.notes)
    without = finetune_labeler.JOB.run(spark, conf_of(root, "labeling.assumed_share=0"))
    assert "assumed" not in " ".join(without.notes)


def test_too_few_grades_are_said_or_an_error(
    spark: SparkSession, fitted: tuple[Path, JobReport]
) -> None:
    report = finetune_labeler.JOB.run(spark, conf_of(fitted[0], "labeling.min_pairs=1000"))
    assert "the pairs to fit on are 120 pairs of texts" in report.notes[0]
    strict = conf_of(fitted[0], "labeling.min_pairs=1000", "labeling.required=true")
    with pytest.raises(LabelerError, match="min_pairs asks for 1000"):
        finetune_labeler.JOB.run(spark, strict)
    off = finetune_labeler.JOB.run(spark, conf_of(fitted[0], "labeling.enabled=false"))
    assert off.notes == ["labeling.enabled is false: no labeler is fitted"]


def test_the_gate_admits_and_says_on_what(spark: SparkSession, admitted: Path) -> None:
    (row,) = warehouse_of(spark, admitted).read(LABELER_DECISIONS).collect()
    figures = json.loads(row.metrics)
    assert (row.decision, row.decision_no, row.reasons) == ("admitted", 1, [])
    assert row.gold_pairs == 10 * row.gold_queries
    assert figures["within_one"] >= 0.95
    again = admit_labeler.JOB.run(spark, conf_of(admitted))
    assert "no labeler version waits for a decision" in again.notes[0]


def test_a_refused_version_labels_nothing_and_says_so(
    spark: SparkSession, fitted: tuple[Path, JobReport], tmp_path: Path
) -> None:
    root = Path(shutil.copytree(fitted[0], tmp_path / "warehouse"))
    strict = "labeling.gate.min_exact=1.0", "labeling.gate.max_calibration_error=0.0"
    report = admit_labeler.JOB.run(spark, conf_of(root, *strict))
    (row,) = warehouse_of(spark, root).read(LABELER_DECISIONS).collect()
    assert row.decision == "refused"
    assert any("ece_ge_1" in reason for reason in row.reasons)
    assert any("refused on" in note for note in report.notes)
    labelled = label_pairs.JOB.run(spark, conf_of(root))
    assert labelled.notes == ["no labeler version is admitted: nothing is labelled"]
    assert model_labels(spark, root).count() == 0
    assert "was refused or revoked" in finetune_labeler.JOB.run(spark, conf_of(root)).notes[0]


def test_a_gold_set_that_was_fitted_on_is_an_error(
    spark: SparkSession, fitted: tuple[Path, JobReport]
) -> None:
    wider = conf_of(fitted[0], "labeling.gold_share=0.999")
    with pytest.raises(LabelerError, match="query texts of the gold set were used to fit"):
        admit_labeler.JOB.run(spark, wider)


def test_a_revocation_while_the_gate_judges_is_kept_and_judged_anew(
    spark: SparkSession, fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The version that the candidate is compared with is revoked while the gate is at it."""
    other = conf_of(fresh, "labeler.lexical.learning_rate=0.04", "labeling.gate.min_exact=0.0")
    finetune_labeler.JOB.run(spark, other)
    (first,) = warehouse_of(spark, fresh).read(LABELER_DECISIONS).collect()
    real, judged = admit_labeler.judge_version, []

    def judge(*given: Any) -> Any:
        if not judged:
            revoke_labeler.JOB.run(spark, conf_of(fresh, "labeling.revoke_reason=tested"))
        judged.append(real(*given).compared_with)
        return real(*given)

    monkeypatch.setattr(admit_labeler, "judge_version", judge)
    admit_labeler.JOB.run(spark, other)
    rows = warehouse_of(spark, fresh).read(LABELER_DECISIONS).orderBy("decision_no").collect()
    assert [row.decision for row in rows] == ["admitted", "revoked", "admitted"]
    assert rows[1].labeler_version == first.labeler_version != rows[2].labeler_version
    assert judged == [first.labeler_version, None]
    assert rows[2].compared_with is None
