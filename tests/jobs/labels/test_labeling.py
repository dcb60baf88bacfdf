"""The pace of a labeling run, and the stored vectors that it reads."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from conf.load import ResolvedConf
from conf.sections.language import read_english
from features.contracts import LABEL_CHUNKS, RELEVANCE_LABELS, TEXT_EMBEDDINGS, Table
from features.text.texts import text_hash
from jobs import label_pairs
from jobs.delta.history import Written
from jobs.labels import labeling
from jobs.labels.labelers import labeler_dir
from jobs.labels.labeling import Chunks, Pace, Totals
from jobs.platform.report import JobReport
from jobs.platform.runner import open_warehouse
from model.labelers.base import Pairs, Targets
from model.labelers.build import build_labeler
from model.labelers.deployed import Deployed, Deployment, save_deployed
from model.labelers.lexical.inputs import LexicalInputs
from model.text.encoder import find_encoder

AHEAD, ASIDE = np.eye(2, dtype=np.float32)
THIRDS = (1 / 3, 1 / 3, 1 / 3)


def test_the_pace_stops_before_a_chunk_that_would_end_too_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [100.0]
    monkeypatch.setattr(labeling.time, "monotonic", lambda: clock[0])
    pace = Pace((10, 10, 10), 1.0)
    clock[0] = 125.0
    assert "10 of 30 pairs of texts, 0/s, 0:00:50 left" in pace.count_chunk(10)
    assert pace.rate == pytest.approx(0.4)
    assert pace.allows_chunk(10)
    clock[0] = 151.0
    pace.count_chunk(10)
    assert not pace.allows_chunk(10)
    assert pace.left == 10 and pace.rate == pytest.approx(20 / 51)
    assert Pace((10,), None).allows_chunk(10)


def test_the_first_chunk_is_begun_however_short_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(labeling.time, "monotonic", lambda: clock[0])
    pace = Pace((10, 10), 1e-9)
    clock[0] = 900.0
    assert pace.allows_chunk(10)
    pace.count_chunk(10)
    assert not pace.allows_chunk(10)


@pytest.mark.parametrize(("labels", "due", "warned"), [(0, 5, True), (0, 0, False), (3, 5, False)])
def test_no_label_where_some_were_due_is_a_warning(labels: int, due: int, warned: bool) -> None:
    totals, report = Totals(), JobReport("label_pairs", "2026-03-01", "")
    totals.counts["labels"] = labels
    label_pairs._warn_of_none(report, totals, due)
    assert bool(report.warnings) == warned


def test_a_chunk_whose_run_was_killed_after_its_labels_gets_its_row(
    spark: SparkSession, make_conf: Callable[..., ResolvedConf], monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse, _ = open_warehouse(spark, make_conf(), "label_pairs")
    version = {"labeler_version": "v1", "kind": "lexical", "prompt_hash": None, "simulated": True}
    chunks = Chunks(warehouse, version, print)
    answered = spark.createDataFrame(
        [([("q1", "i1"), ("q1", "i2")], 0.9, 0.8, 2, None, False)],
        "members array<struct<query_id: string, item_id: string>>, p_ge_1 float, p_ge_2 float, "
        "grade int, reason string, suspected boolean",
    )
    warehouse.create(RELEVANCE_LABELS)
    warehouse.read(RELEVANCE_LABELS)

    append = warehouse.append

    def append_until_killed(table: Table, *rest: Any) -> Written:
        if table is LABEL_CHUNKS:
            raise KeyboardInterrupt
        return append(table, *rest)

    monkeypatch.setattr(warehouse, "append", append_until_killed)
    with pytest.raises(KeyboardInterrupt):
        chunks.commit(answered, Totals())
    monkeypatch.undo()
    assert not warehouse.exists(LABEL_CHUNKS)

    chunks.complete_chunks()
    chunks.complete_chunks()
    row = warehouse.read(LABEL_CHUNKS).collect()[0]
    assert warehouse.read(LABEL_CHUNKS).count() == 1
    assert (row.text_pairs, row.labels, row.grade_2, row.refused) == (1, 2, 2, 0)
    assert row.labels_version == warehouse.read_version(RELEVANCE_LABELS)


def planted(pairs: int) -> tuple[Pairs, Targets, dict[str, np.ndarray]]:
    """Pairs without a word in common, whose vectors alone tell the grade."""
    grades = np.arange(pairs) % 3
    queries, items = ([f"{word}{n}" for n in range(pairs)] for word in ("ask", "buy"))
    half = (AHEAD + ASIDE) / np.sqrt(np.float32(2))
    vectors = dict(zip(items, (np.stack([ASIDE, half, AHEAD])[g] for g in grades), strict=True))
    return (
        Pairs(queries, items),
        Targets.from_grades(grades),
        vectors | dict.fromkeys(queries, AHEAD),
    )


def test_a_chunk_is_read_with_the_stored_vectors_of_the_labelers_encoder(
    spark: SparkSession, make_conf: Callable[..., ResolvedConf], tiny_encoder: str
) -> None:
    conf = make_conf(
        "labeler.kind=lexical",
        "labeler.lexical.graded=false",
        "labeler.lexical.rounds=200",
        "labeler.lexical.min_leaf=5",
        "labeler.lexical.threads=1",
        f"encoder.path={tiny_encoder}",
        "labeling.partitions=2",
    )
    encoder = conf.tree.encoder
    pairs, targets, vectors = planted(240)
    LexicalInputs.fit(pairs, encoder, read_english()).add_vectors(vectors)
    labeler = build_labeler(conf.tree)
    labeler.fit(pairs, targets, (pairs, targets))
    deployed = Deployed(labeler, Deployment(THIRDS, THIRDS))
    warehouse, _ = open_warehouse(spark, conf, "test")
    save_deployed(deployed, labeler_dir(warehouse, deployed.version), {})
    rows = [("red sofa", "Blue Lamp"), ("red sofa", "Green Rug")]
    texts = spark.createDataFrame(
        [(*row, row[0], row[1].lower(), [row[1]]) for row in rows],
        "query_text string, item_text string, text_key string, item_key string, "
        "members array<string>",
    )
    chunks = Chunks(warehouse, {"labeler_version": deployed.version}, print)

    def said() -> dict[str, float]:
        rows = chunks._answer_texts(texts).collect()
        assert len(rows) == 2
        return {row.members[0]: row.p_ge_2 for row in rows}

    without = said()
    right, other = find_encoder(encoder).version, "another encoder"
    stored = [("red sofa", AHEAD), ("blue lamp", AHEAD), ("green rug", ASIDE)]
    known = [(text, right, vector.tolist()) for text, vector in stored]
    known += [(text, other, [0.0, -1.0]) for text, _ in stored]
    frame = spark.createDataFrame(known, "t string, encoder_version string, embedding array<float>")
    dated = frame.withColumn("run_date", F.lit(warehouse.conf.run_date))
    warehouse.merge(TEXT_EMBEDDINGS, dated.withColumn("text_hash", text_hash(F.col("t"))).drop("t"))
    found = said()
    assert found["Blue Lamp"] > 0.9 and found["Green Rug"] < 0.1
    assert without != found and set(without) == set(found)
