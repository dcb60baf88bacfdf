"""Fit, gate and labeling end to end on a tiny market whose grades follow the words in common."""

import datetime as dt
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.load import SIMULATED, ConfError, ResolvedConf, load_conf
from features.contracts import (
    CANDIDATES,
    IMPRESSIONS,
    ITEMS,
    LABEL_CHUNKS,
    LABELER_DECISIONS,
    LABELER_QUERIES,
    LABELER_VERSIONS,
    QUARANTINE,
    QUERIES,
    RELEVANCE_LABELS,
    TRAINING_EXAMPLES,
    Table,
)
from jobs import admit_labeler, finetune_labeler, label_pairs, revoke_labeler
from jobs.delta.commits import RivalRunError
from jobs.labels import labeling
from jobs.platform.report import JobReport
from jobs.platform.runner import open_warehouse
from jobs.platform.warehouse import Warehouse
from model.labelers.base import LabelerError

RUN = dt.date(2026, 3, 1)
COLOURS = ("red", "blue", "green", "black")
TYPES = ("drill", "saw", "hammer", "ladder", "rope")
SETTINGS = (
    "regions=[us, uk]",
    "tracking.mlflow=false",
    "labeler.kind=lexical",
    "labeler.lexical.cosine=false",
    "labeler.lexical.min_leaf=5",
    "labeler.lexical.leaves=[4]",
    "labeler.lexical.threads=1",
    "labeler.lexical.rounds=30",
    "labeling.min_pairs=10",
    "labeling.gate.min_segment_pairs=1000",
    "labeling.gate.max_calibration_error=0.5",
    "labeling.chunk_pairs=100",
    "labeling.budget_minutes=null",
    "split.train=[0,1,2,3,4,5]",
    "split.validation=[6,7,8]",
)
MakeFrame = Callable[[Table, list[dict[str, Any]]], DataFrame]


def conf_of(root: Path, *settings: str, dry_run: bool = False) -> ResolvedConf:
    fixed = [f"storage.root={root}", *SETTINGS]
    return load_conf(
        [SIMULATED], settings=[*fixed, *settings], run_date="2026-03-01", dry_run=dry_run
    )


def warehouse_of(spark: SparkSession, root: Path) -> Warehouse:
    return open_warehouse(spark, conf_of(root), "test")[0]


def grade(colour: str, kind: str, item: dict[str, Any]) -> int:
    words = str(item["title"]).split()
    return int(kind in words) * (1 + int(colour in words))


def items() -> list[dict[str, Any]]:
    made = [(c, t) for c in COLOURS for t in TYPES]
    rows = [{"item_id": f"i{n}", "title": f"{c} {t} tool"} for n, (c, t) in enumerate(made)]
    return [*rows, {"item_id": "twin", "title": "red drill tool"}, {"item_id": "blank"}]


def queries() -> list[dict[str, Any]]:
    """20 texts x 2 regions; the last text has no bucket of its own but is never judged."""
    texts = [f"{c} {t}" for c in COLOURS for t in TYPES]
    return [
        {"query_id": f"q{n}_{region}", "query_text": text, "region": region, "bucket": n % 10}
        for n, text in enumerate(texts)
        for region in ("us", "uk")
    ]


def judged() -> list[dict[str, Any]]:
    """Every second item of every query of region us."""
    rows = []
    for query in queries():
        colour, kind = str(query["query_text"]).split()
        for number, item in enumerate(items()[:20]):
            if query["region"] == "us" and (number + query["bucket"]) % 2 == 0:
                found = grade(colour, kind, item)
                rows.append(
                    {
                        "query_id": query["query_id"],
                        "item_id": item["item_id"],
                        "source": "human",
                        "labeler_version": "people",
                        "grade": found,
                        "p_ge_1": float(found >= 1),
                        "p_ge_2": float(found >= 2),
                    }
                )
    return rows


def impressions() -> list[dict[str, Any]]:
    at = dt.datetime(2026, 2, 20, 12)
    return [
        {
            "search_id": f"s{n}",
            "query_id": "q0_us",
            "item_id": f"i{n % 5}",
            "region": "us",
            "position": 1,
            "event_time": at,
            "known_at": at,
            "event_date": at.date(),
            "price": 1.0,
        }
        for n in range(20)
    ]


@pytest.fixture(scope="module")
def fitted(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, JobReport]:
    """A warehouse with a labeler that waits for the gate, and the report of its fit."""
    root = tmp_path_factory.mktemp("labeling") / "warehouse"
    warehouse = warehouse_of(spark, root)
    candidates = [
        {"query_id": q["query_id"], "region": q["region"], "item_id": i["item_id"]}
        for q in queries()
        for i in items()
    ]
    constants = {"run_date": RUN, "from_log": True, "bucket": 0}
    for table, rows in {
        ITEMS: items(),
        QUERIES: queries(),
        IMPRESSIONS: impressions(),
        RELEVANCE_LABELS: judged(),
        CANDIDATES: candidates,
    }.items():
        zeros = {"string": "", "boolean": False, "int": 0}
        filler = {c.name: zeros.get(c.type) if c.required else None for c in table.columns}
        full = [filler | constants | row for row in rows]
        warehouse.merge(table, table.local_frame(spark, full))
    return root, finetune_labeler.JOB.run(spark, conf_of(root))


@pytest.fixture(scope="module")
def admitted(spark: SparkSession, fitted: tuple[Path, JobReport]) -> Path:
    """The warehouse after the gate, nothing labelled yet."""
    root = fitted[0].with_name("admitted")
    shutil.copytree(fitted[0], root)
    admit_labeler.JOB.run(spark, conf_of(root))
    return root


@pytest.fixture
def fresh(admitted: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may change."""
    return Path(shutil.copytree(admitted, tmp_path / "warehouse"))


def model_labels(spark: SparkSession, root: Path) -> DataFrame:
    return warehouse_of(spark, root).read(RELEVANCE_LABELS).where("source = 'model'")


# --- fit ------------------------------------------------------------------------------------------


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


# --- gate -----------------------------------------------------------------------------------------


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


# --- labels ---------------------------------------------------------------------------------------


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
