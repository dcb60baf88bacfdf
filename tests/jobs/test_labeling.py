"""Labeling end to end on a tiny market: each pair once, after kills, in budget, by new versions."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.load import ConfError
from features.contracts import (
    CANDIDATES,
    LABEL_CHUNKS,
    LABELER_DECISIONS,
    QUARANTINE,
    QUERIES,
    RELEVANCE_LABELS,
    TRAINING_EXAMPLES,
)
from jobs import admit_labeler, finetune_labeler, label_pairs, revoke_labeler
from jobs.delta.commits import RivalRunError
from jobs.labels import labeling
from tests.jobs.labeling_market import RUN, conf_of, model_labels, warehouse_of


def test_every_candidate_is_labelled_once_and_nothing_is_lost(
    spark: SparkSession, fresh: Path
) -> None:
    report = label_pairs.JOB.run(spark, conf_of(fresh))
    labels = model_labels(spark, fresh)
    # 40 queries x 22 items, less 200 judged pairs and 40 without a text
    assert labels.count() == 40 * 22 - 200 - 40
    assert labels.select("query_id", "item_id").distinct().count() == labels.count()
    # texts: 20 x 20, less what only judged region us holds: none, region uk shares all texts
    assert report.details["text_pairs"] == 400
    assert report.details["pairs_per_second"] > 0
    assert report.details["labels"] == 640
    count = next(c for c in report.counts if c.table == RELEVANCE_LABELS.name)
    assert (count.rows_in, count.rows_out, count.rows_quarantined) == (680, 640, 40)
    warehouse = warehouse_of(spark, fresh)
    bad = warehouse.read(QUARANTINE).collect()
    assert {r.reason for r in bad} == {"the item has no text"}
    chunks = warehouse.read(LABEL_CHUNKS).orderBy("labels_version").collect()
    assert len(chunks) >= 4
    assert sum(r.labels for r in chunks) == 640
    twins = (
        labels.where("item_id IN ('twin', 'i0')")
        .groupBy("query_id")
        .agg(F.countDistinct("p_ge_1", "p_ge_2").alias("answers"), F.count("*").alias("n"))
    )
    assert {r.answers for r in twins.where("n = 2").collect()} == {1}

    again = label_pairs.JOB.run(spark, conf_of(fresh))
    assert model_labels(spark, fresh).count() == 640
    assert again.details["labels"] == 0
    assert warehouse.read(QUARANTINE).count() == 40


def test_a_run_killed_twice_goes_on_and_never_labels_twice(
    spark: SparkSession, fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first kill falls between the labels of a chunk and its figures, the second before the
    labels of the next chunk."""

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    def after(chunks: int, method: str) -> int:
        real, seen = getattr(labeling.Chunks, method), []

        def counted(self: Any, *given: Any) -> Any:
            seen.append(1)
            return killed() if len(seen) > chunks else real(self, *given)

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(labeling.Chunks, method, counted)
            label_pairs.JOB.run(spark, conf_of(fresh))
        return model_labels(spark, fresh).count()

    first = after(2, "_sum_figures")
    second = after(2, "_refuse_rival")
    assert 0 < first < second < 640
    label_pairs.JOB.run(spark, conf_of(fresh))
    labels = model_labels(spark, fresh)
    assert labels.count() == 640
    assert labels.select("query_id", "item_id").distinct().count() == 640


def test_most_shown_first_within_the_budget_of_pairs(spark: SparkSession, fresh: Path) -> None:
    report = label_pairs.JOB.run(
        spark, conf_of(fresh, "labeling.budget_pairs=5", "labeling.judged_pairs=true")
    )
    labels = {(r.query_id, r.item_id) for r in model_labels(spark, fresh).collect()}
    shown = {("q0_us", f"i{n}") for n in range(5)}
    assert shown <= labels
    assert report.details["text_pairs"] == 5
    # region uk shares the texts, and the twin of i0 too
    assert len(labels) == 12
    assert report.details["waiting"] == 840 - 12


def test_a_label_of_the_same_texts_is_copied(spark: SparkSession, fresh: Path) -> None:
    judged_too = "labeling.judged_pairs=true"
    label_pairs.JOB.run(spark, conf_of(fresh, judged_too, "labeling.budget_pairs=5"))
    warehouse = warehouse_of(spark, fresh)
    before = model_labels(spark, fresh).where("query_id = 'q0_uk' AND item_id = 'i0'").collect()
    new = {"query_id": "q0_xx", "query_text": "Red Drill ", "region": "us", "dataset": ""}
    more = [{**new, "bucket": 0, "simulated": False}]
    warehouse.merge(QUERIES, QUERIES.local_frame(spark, more))
    candidate = {"query_id": "q0_xx", "region": "us", "item_id": "i0", "run_date": RUN}
    flags = {"from_log": True, "from_judgment": False, "from_retrieval": False}
    warehouse.merge(CANDIDATES, CANDIDATES.local_frame(spark, [{**candidate, **flags}]))
    label_pairs.JOB.run(spark, conf_of(fresh, judged_too, "labeling.budget_pairs=1"))
    (copied,) = model_labels(spark, fresh).where("query_id = 'q0_xx'").collect()
    assert (copied.p_ge_1, copied.grade) == (before[0].p_ge_1, before[0].grade)


def test_a_rival_run_is_refused(spark: SparkSession, fresh: Path) -> None:
    warehouse = warehouse_of(spark, fresh)
    rows = model_labels(spark, fresh).limit(0)
    warehouse.append(RELEVANCE_LABELS, rows, "a run", 0)
    with pytest.raises(RivalRunError, match="relevance_labels: another run wrote the same part"):
        warehouse.append(RELEVANCE_LABELS, rows, "a run", 0)


def test_a_new_version_labels_all_or_only_what_was_in_doubt(
    spark: SparkSession, fresh: Path
) -> None:
    label_pairs.JOB.run(spark, conf_of(fresh))
    other = "labeler.lexical.learning_rate=0.04", "labeling.gate.min_exact=0.0"
    finetune_labeler.JOB.run(spark, conf_of(fresh, *other))
    admit_labeler.JOB.run(spark, conf_of(fresh, *other))
    (decision,) = (
        warehouse_of(spark, fresh).read(LABELER_DECISIONS).where("decision_no = 2").collect()
    )
    assert decision.decision == "admitted"
    assert decision.compared_with is not None
    dry = label_pairs.JOB.run(spark, conf_of(fresh, *other, dry_run=True))
    assert dry.counts[0].rows_out == 680
    doubt, doubtful = _half_in_doubt(model_labels(spark, fresh))
    differing = conf_of(fresh, *other, "labeling.relabel=differing", f"labeling.doubt={doubt}")
    some = label_pairs.JOB.run(spark, differing)
    labels = model_labels(spark, fresh)
    by_version = {
        r.labeler_version: r["count"] for r in labels.groupBy("labeler_version").count().collect()
    }
    assert len(by_version) == 2
    assert max(by_version.values()) == 640
    assert 0 < some.details["labels"] == doubtful < 640
    assert sorted(by_version.values())[0] == some.details["labels"]
    # Revoked, the older one labels again, and both stay readable.
    report = revoke_labeler.JOB.run(spark, conf_of(fresh, "labeling.revoke_reason=tested"))
    assert "labels from now on" in report.notes[0]
    assert model_labels(spark, fresh).count() == sum(by_version.values())
    with pytest.raises(ConfError, match="is not admitted"):
        revoke_labeler.JOB.run(spark, conf_of(fresh, f"labeling.revoke={decision.labeler_version}"))


def _half_in_doubt(labels: DataFrame) -> tuple[float, int]:
    """An entropy between two of those of the labels, and how many lie above it."""
    rows = labels.select("p_ge_1", "p_ge_2").toPandas().to_numpy()
    masses = np.stack([1 - rows[:, 0], rows[:, 0] - rows[:, 1], rows[:, 1]], axis=1)
    entropy = np.sort(-(masses * np.log(np.maximum(masses, 1e-300))).sum(axis=1))
    gap = 100 + int(np.argmax(np.diff(entropy[100:-100])))
    return float(entropy[gap : gap + 2].mean()), len(entropy) - gap - 1


def test_a_label_of_a_version_that_is_not_admitted_cannot_be_written(
    tiny_run: Any, spark: SparkSession
) -> None:
    """The table itself refuses it, whatever the code before it let pass."""
    from jobs import build_training_set

    build_training_set.JOB.run(spark, tiny_run.conf())
    warehouse = tiny_run.warehouse()
    row = warehouse.read_run(TRAINING_EXAMPLES).limit(1)
    for admits in (F.lit(False), F.lit(None).cast("boolean")):
        leaked = row.withColumns({"label_source": F.lit("llm"), "label_admitted": admits})
        with pytest.raises(PySparkException, match="labeler_admitted"):
            warehouse.replace_run(TRAINING_EXAMPLES, leaked)
    build_training_set.JOB.run(spark, tiny_run.conf())
