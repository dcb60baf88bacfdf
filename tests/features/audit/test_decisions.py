"""Every path from evidence to decision, and the audited view of the labels."""

from collections.abc import Callable
from datetime import date

import pytest
from pyspark.sql import DataFrame, SparkSession

from conf.sections.audit import AuditConf
from features.audit.decisions import audited_labels, latest_audit, with_decisions
from features.contracts import LABEL_AUDIT, RELEVANCE_LABELS

TableFrame = Callable[..., DataFrame]
Case = tuple[int, int, float | None, tuple[float, float] | None, float | None, float]
CASES: dict[str, tuple[Case, str, str, int]] = {
    # grade, contradicts, p_value, model p_ge, type share, votes -> path, flagged_by, audited grade
    "not tested": ((1, 0, None, None, None, 0.0), "untested", "none", 1),
    "tested only": ((1, 0, 0.4, None, None, 0.0), "consistent", "none", 1),
    "read only": ((1, 0, None, (0.9, 0.1), None, 0.0), "consistent", "none", 1),
    "no model": ((1, 1, 0.001, None, 0.9, 9.0), "unread", "engagement", 1),
    "model agrees": ((1, 1, 0.001, (0.9, 0.1), 0.9, 9.0), "model_agrees", "engagement", 1),
    "same way": ((0, 1, 0.001, (0.9, 0.8), 0.0, 9.0), "model_and_engagement", "engagement", 2),
    "other way": ((1, 1, 0.001, (0.1, 0.0), 0.01, 9.0), "taxonomy_lower", "engagement", 0),
    "fits": ((1, 1, 0.001, (0.1, 0.0), 0.5, 9.0), "taxonomy_higher", "engagement", 1),
    "between": ((1, 1, 0.001, (0.1, 0.0), 0.1, 9.0), "taxonomy_unknown", "engagement", 1),
    "few votes": ((1, 1, 0.001, (0.1, 0.0), 0.5, 1.0), "taxonomy_unknown", "engagement", 1),
    "no type": ((1, 1, 0.001, (0.1, 0.0), None, 9.0), "taxonomy_unknown", "engagement", 1),
    "model alone": ((2, 0, None, (0.1, 0.01), 0.0, 9.0), "taxonomy_lower", "model", 0),
    "both": ((2, -1, 0.001, (0.1, 0.01), 0.5, 9.0), "model_and_engagement", "both", 0),
}
SCHEMA = (
    "name string, grade int, contradicts int, p_value double, model_p_ge_1 double, "
    "model_p_ge_2 double, model_grade int, type_share double, type_votes double"
)


def decided(spark: SparkSession, conf: AuditConf) -> dict[str, tuple[str, str, int, str]]:
    rows = []
    for name, ((grade, way, p, said, share, votes), *_) in CASES.items():
        first, second = said if said else (None, None)
        masses = [1 - first, first - second, second] if said else []
        model = masses.index(max(masses)) if said else None
        rows.append((name, grade, way, p, first, second, model, share, votes))
    found = with_decisions(spark.createDataFrame(rows, SCHEMA), conf).collect()
    return {
        r["name"]: (r["path"], r["flagged_by"], r["audited_grade"], r["decision"]) for r in found
    }


def test_each_path(spark: SparkSession) -> None:
    found = decided(spark, AuditConf())
    for name, ((grade, *_), path, flagged_by, audited) in CASES.items():
        word = "raised" if audited > grade else "lowered" if audited < grade else "kept"
        assert found[name] == (path, flagged_by, audited, word), name


def test_the_taxonomy_decides_alone_where_conf_says_so(spark: SparkSession) -> None:
    found = decided(spark, AuditConf(agreeing=False))
    assert found["same way"] == ("taxonomy_lower", "engagement", 0, "kept")
    assert found["both"] == ("taxonomy_higher", "both", 2, "kept")


def test_the_view_replaces_what_the_latest_audit_changed(
    table_frame: TableFrame, spark: SparkSession
) -> None:
    label = {"source": "human", "labeler_version": "shop", "p_ge_1": 1.0, "p_ge_2": 0.5}
    labels = table_frame(
        RELEVANCE_LABELS,
        [
            {**label, "query_id": "q", "item_id": "lowered", "grade": 2},
            {**label, "query_id": "q", "item_id": "kept", "grade": 2},
            {**label, "query_id": "q", "item_id": "corrected", "grade": 1},
            {**label, "query_id": "q", "item_id": "lowered", "grade": 2, "source": "llm"},
        ],
    )
    row = {"query_id": "q", "labeler_version": "shop", "grade": 2, "audited_grade": 0}
    audit = table_frame(
        LABEL_AUDIT,
        [
            {**row, "item_id": "lowered", "run_date": date(2026, 3, 1)},
            {**row, "item_id": "corrected", "run_date": date(2026, 3, 1)},
            {**row, "item_id": "kept", "run_date": date(2026, 2, 1)},
            {**row, "item_id": "kept", "run_date": date(2026, 3, 1), "audited_grade": 2},
            {**row, "item_id": "kept", "run_date": date(2026, 3, 9)},
        ],
    )
    view = audited_labels(labels, latest_audit(audit, date(2026, 3, 1)))
    found = {
        (r["item_id"], r["source"]): (r["grade"], r["p_ge_1"], r["p_ge_2"], r["original_grade"])
        for r in view.collect()
    }
    assert found == {
        ("lowered", "human"): (0, 0.0, 0.0, 2),
        ("kept", "human"): (2, 1.0, 0.5, 2),
        ("corrected", "human"): (1, 1.0, 0.5, 1),
        ("lowered", "llm"): (2, 1.0, 0.5, 2),
    }
    assert view.columns == [*labels.columns, "original_grade"]


def test_bounds_of_the_type_share_must_not_cross() -> None:
    with pytest.raises(ValueError, match="misfit_to must lie below fits_from"):
        AuditConf.model_validate({"taxonomy": {"misfit_to": 0.3, "fits_from": 0.2}})
