"""A trial of weights leaves the scores alone; adopted, its weights are in force."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from conf.load import ResolvedConf
from features.contracts import (
    EXAMPLE_SCORES,
    QUERIES,
    RELEVANCE_LABELS,
    SCORE_TRIALS,
    SCORES,
    VALUE_WEIGHTS,
    WEIGHT_DECISIONS,
    WEIGHT_TRIALS,
)
from jobs import admit_model, adopt_weights, evaluate, reweight, score_catalog
from jobs.command.arguments import parser_of
from jobs.platform.job import Job
from jobs.platform.report import JobReport
from jobs.platform.runner import open_warehouse
from jobs.platform.warehouse import Warehouse
from jobs.serving.deciders import DeciderError
from jobs.serving.in_force import find_weights_in_force
from jobs.serving.trials import TrialError

MakeConf = Callable[..., ResolvedConf]
SETTINGS = ("regions=[us, fr]", "evaluation.k=1", "evaluation.blocks=20", "evaluation.bootstrap=20")
FIT_UP = (*SETTINGS, "value.weights.relevance=5")


def _pair(query: str, item: str, relevance: float, click: float, rank: int) -> dict[str, Any]:
    return {
        "query_id": query,
        "region": query[:2],
        "item_id": item,
        "relevance": relevance,
        "p_click": click,
        "value": click,
        "rank": rank,
        "model_version": "m1",
        "weights_version": "w1",
    }


def _write(warehouse: Warehouse, table_frame: Callable[..., DataFrame]) -> None:
    """Two queries a region; us: a popular misfit before a fitting item, fr: the order is right."""
    pairs = [_pair(q, "misfit", 0.2, 0.8, 1) for q in ("us0", "us1")]
    pairs += [_pair(q, "fit", 1.8, 0.4, 2) for q in ("us0", "us1")]
    pairs += [_pair(q, "fit", 1.8, 0.8, 1) for q in ("fr0", "fr1")]
    warehouse.replace_run(SCORES, table_frame(SCORES, pairs))
    names = ["us0", "us1", "fr0", "fr1"]
    queries = [{"query_id": n, "query_text": n, "region": n[:2], "bucket": 8} for n in names]
    warehouse.merge(QUERIES, table_frame(QUERIES, queries))
    graded = [
        {"query_id": q, "item_id": item, "source": "human", "grade": grade, "labeler_version": "v"}
        for q in ("us0", "us1")
        for item, grade in (("fit", 2), ("misfit", 0))
    ]
    warehouse.merge(RELEVANCE_LABELS, table_frame(RELEVANCE_LABELS, graded))
    shown = [
        _pair(q, item, r, click, 1)
        | {"example_id": q + item, "search_id": q, "split": "validation", "position": place}
        | {"label_click": float(item == "misfit"), "propensity": 0.5}
        | {"mask_click": 1.0, "mask_cart": 1.0, "mask_purchase": 1.0}
        for q in ("us0", "us1")
        for item, r, click, place in (("misfit", 0.2, 0.8, 1.0), ("fit", 1.8, 0.4, 2.0))
    ]
    warehouse.replace_run(EXAMPLE_SCORES, table_frame(EXAMPLE_SCORES, shown))


def _do(job: Job, spark: SparkSession, conf: ResolvedConf, *argv: str) -> JobReport:
    """The job as its command line asks for it."""
    assert job.bind is not None
    return replace(job, work=job.bind(parser_of(job.name).parse_args(argv))).run(spark, conf)


def test_a_trial_is_compared_adopted_reverted_and_dropped(
    spark: SparkSession, make_conf: MakeConf, table_frame: Callable[..., DataFrame]
) -> None:
    conf = make_conf(*SETTINGS)
    warehouse, _ = open_warehouse(spark, conf, "test")
    _write(warehouse, table_frame)
    version = warehouse.read_version(SCORES)
    tuned = {"region": "us", "w_click": 0.2, "w_relevance": 0.0, "weights_version": "t"}
    warehouse.replace_run(VALUE_WEIGHTS, table_frame(VALUE_WEIGHTS, [tuned]))

    report = _do(reweight.JOB, spark, make_conf(*FIT_UP), "--trial", "fit-up")

    assert warehouse.read_version(SCORES) == version, "a trial wrote the scores that are served"
    ranks = {(r.query_id, r.item_id): r["rank"] for r in warehouse.read(SCORE_TRIALS).collect()}
    assert ranks["us0", "fit"] == 1 and ranks["us0", "misfit"] == 2 and ranks["fr1", "fit"] == 1
    row = warehouse.read(WEIGHT_TRIALS).collect()[0]
    figures = json.loads(row["figures"])
    by_region = {shift["region"]: shift for shift in figures["shifts"]}
    assert by_region["us"]["changed"] == 1.0 and by_region["fr"]["changed"] == 0.0
    assert by_region["us"]["relevance_shift"] == pytest.approx(1.6)
    assert by_region["all"]["relevance_shift"] == pytest.approx(0.8)
    assert by_region["us"]["engagement_kept"] == pytest.approx(0.5)
    judged = {j["metric"]: j for j in figures["judged"] if j["region"] == "all"}
    assert judged["relevance_ndcg@1_exp"]["difference"] == 1.0
    assert judged["engagement_debiased@1"]["difference"] <= 0.0
    assert report.notes[-1].strip() in " ".join(_do(reweight.JOB, spark, conf, "--list").notes)

    assert find_weights_in_force(warehouse).version == "t"
    _do(adopt_weights.JOB, spark, conf, "--trial", "fit-up", "--by", "Ada", "--why", "misfits")
    found = find_weights_in_force(warehouse)
    assert (found.version, found.table.get_region("us").relevance) == (row["weights_version"], 5.0)
    assert "adopted by Ada from 2026-03-01 on: misfits" in warehouse.report.notes[-1]
    earlier, _ = open_warehouse(spark, make_conf(*SETTINGS, "run_date=2026-02-28"), "test")
    assert find_weights_in_force(earlier).version != row["weights_version"]

    _do(adopt_weights.JOB, spark, conf, "--back-to-tuned", "--by", "Bo", "--why", "sold less")
    assert find_weights_in_force(warehouse).version == "t"
    again = ("--version", row["weights_version"], "--by", "Ada", "--why", "it was the sale")
    _do(adopt_weights.JOB, spark, conf, *again)
    assert find_weights_in_force(warehouse).version == row["weights_version"]
    decisions = warehouse.read(WEIGHT_DECISIONS).orderBy("decision_no").collect()
    assert [d["decision"] for d in decisions] == ["adopted", "tuned", "adopted"]
    assert _do(adopt_weights.JOB, spark, conf, "--list").notes[1].startswith("2: tuned")

    _do(reweight.JOB, spark, conf, "--drop", "fit-up")
    assert warehouse.read(SCORE_TRIALS).count() == warehouse.read(WEIGHT_TRIALS).count() == 0
    with pytest.raises(TrialError, match="no trial 'fit-up' of 2026-03-01; there are: none"):
        _do(adopt_weights.JOB, spark, conf, "--trial", "fit-up", "--by", "Ada", "--why", "misfits")


def test_a_night_sees_that_the_weights_in_force_changed() -> None:
    """A step is skipped by what it reads."""
    for job in (score_catalog.JOB, evaluate.JOB):
        assert WEIGHT_DECISIONS in job.reads and WEIGHT_DECISIONS in job.may_lack


@pytest.mark.parametrize("name", ["", "Up", "a b", "a'b", "-a", "x" * 41])
def test_a_trial_needs_a_plain_name(name: str) -> None:
    with pytest.raises(TrialError, match="1 to 40 small letters"):
        reweight.try_weights(name)


def test_a_decision_needs_who_and_why() -> None:
    asked = ["--trial", "a", "--by", "Ada"]
    for job, argv in ((adopt_weights.JOB, asked), (admit_model.JOB, ["--rollback", "--why", "x"])):
        assert job.bind is not None
        with pytest.raises(DeciderError, match="--by WHO --why TEXT"):
            job.bind(parser_of(job.name).parse_args(argv))
