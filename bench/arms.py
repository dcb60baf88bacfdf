"""What model labels bring the ranker: four arms on Home Depot, judged by human grades.

    few      human grades of 2,000 pairs of the training and validation queries; all other grades
             of those queries are hidden
    labelled the same 2,000 fine-tune a labeler, which labels the candidates
    equal    the same labels, people's weighted so that they have as much of the loss as models'
    all      all human grades

Everything else is the same: real text and grades, simulated engagement, assumed grades of fillers.
A ranker is trained on each arm's snapshot with COUNTERPOISE_ARMS_SEEDS seeds (5); it ranks the
judged pairs of the test queries (bucket 6, human grades, which no arm learns from) by its
relevance. NDCG@10 is the mean over queries, averaged over seeds; intervals: 95 %, bootstrap over
queries, paired. COUNTERPOISE_ARMS_KIND names the labeler (ensemble),
COUNTERPOISE_ARMS_MINUTES its time to label (4).
"""

import os
import shutil
import tempfile
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from rich.console import Console

from bench.labels.homedepot_pairs import find_file
from bench.result import Result
from conf.load import ResolvedConf, load_conf
from features.contracts import QUERIES, RELEVANCE_LABELS, TRAINING_EXAMPLES
from features.labels.judged import MODEL_SOURCES
from features.text.texts import text_key
from jobs import admit_labeler, build_training_set, finetune_labeler, label_pairs
from jobs.nightly import Nightly
from jobs.platform.runner import open_warehouse
from jobs.platform.session import get_session
from jobs.registry import CHAIN, load_job
from model.arrays import Floats
from model.evaluation.metrics import compute_exponential_gains, compute_ndcg
from model.feed import open_snapshot
from model.labelers.kinds import ENSEMBLE
from model.serving.artifact import load_model, save_model
from model.training.fit import fit_ranker

SEEDS = int(os.environ.get("COUNTERPOISE_ARMS_SEEDS", "5"))
KIND = os.environ.get("COUNTERPOISE_ARMS_KIND", ENSEMBLE)
MINUTES = float(os.environ.get("COUNTERPOISE_ARMS_MINUTES", "4"))
PAIRS, K, REPLICATES = 2_000, 10, 1_000
"""Pairs with grades of the small arms, cut-off of the NDCG (ranks), bootstrap draws."""
ARMS = ("few", "labelled", "equal", "all")
_CONF = Path(__file__).parents[1] / "conf" / "homedepot.yaml"
_SETTINGS = (
    "tracking.mlflow=false",
    "labels.soft=true",
    f"labeler.kind={KIND}",
    "labeling.min_pairs=50",
    "labeling.max_pairs=50000",
    "labeling.gold_share=0.3",
    "labeling.judged_pairs=true",
    "labeling.gate.min_segment_pairs=100000",
    "labeling.gate.min_qwk=0",
    "labeling.gate.min_exact=0",
    "labeling.gate.min_within_one=0",
    "labeling.gate.min_recall=[0, 0, 0]",
    "labeling.gate.max_calibration_error=1",
    f"labeling.budget_minutes={MINUTES}",
    "labeling.chunk_pairs=10000",
    "trainer.progress=false",
)


def measure() -> list[Result]:
    """Measure every arm: one result per arm, and the distance closed; nothing where the data is
    absent."""
    console = Console()
    if find_file() is None:
        console.print("arms: skipped, no Home Depot pairs under COUNTERPOISE_DATA")
        return []
    with tempfile.TemporaryDirectory(prefix="counterpoise-bench-") as folder:
        root = Path(folder)
        base = _load_conf(root / "base")
        spark = get_session(base.tree)
        _run_chain(spark, base)
        by_arm: dict[str, Floats] = {}
        for arm in ARMS:
            made = root / ("labelled" if arm == "equal" else "base")
            shutil.copytree(made, root / arm, copy_function=os.link)
            conf = _load_conf(root / arm)
            if arm == "equal":
                conf = _load_conf(root / arm, _choose_weight(spark, conf))
            by_arm[arm] = _measure_arm(spark, conf, arm, console)
        return _build_results(by_arm)


def _load_conf(root: Path, *settings: str) -> ResolvedConf:
    fixed = [f"storage.root={root}", "run_date=2026-03-01", *_SETTINGS]
    return load_conf([_CONF], [*fixed, *settings])


def _run_chain(spark: SparkSession, conf: ResolvedConf) -> None:
    """Run the chain up to the features, without a labeler."""
    last = CHAIN.index("build_features") + 1
    names = [
        n for n in CHAIN[:last] if n not in ("finetune_labeler", "admit_labeler", "label_pairs")
    ]
    jobs = [load_job(name) for name in names]
    Nightly(spark, conf, jobs, jobs, console=Console(file=StringIO())).run()


def _measure_arm(spark: SparkSession, conf: ResolvedConf, arm: str, console: Console) -> Floats:
    """Measure NDCG@K of the arm's rankers by query, [queries], as a mean over seeds; queries in a
    fixed order."""
    warehouse, _ = open_warehouse(spark, conf, "bench")
    if arm in ("few", "labelled"):
        labels = warehouse.read(RELEVANCE_LABELS)
        few = _hide_grades(labels, warehouse.read(QUERIES), conf).persist()
        few.count()
        warehouse.replace(RELEVANCE_LABELS, few, "query_id IS NOT NULL")
    if arm == "labelled":
        for job in (finetune_labeler, admit_labeler, label_pairs):
            for note in job.JOB.run(spark, conf).notes:
                console.print(f"{job.__name__}: {note}", markup=False)
    build_training_set.JOB.run(spark, conf)
    examples = warehouse.read_run(TRAINING_EXAMPLES)
    snapshot = open_snapshot(warehouse.snapshot_dir())
    pairs = (
        examples.where("split = 'test' AND label_source = 'human'")
        .orderBy("query_id", "item_id")
        .select("query_id", *snapshot.spec.names, "grade")
        .toPandas()
    )
    values = pairs[snapshot.spec.names].to_numpy(np.float32)
    queries, grades = pairs["query_id"].to_numpy(), pairs["grade"].to_numpy(np.float64)
    scores = [
        _train_ranker(conf, warehouse.root, warehouse.snapshot_dir(), seed, values)
        for seed in range(1, SEEDS + 1)
    ]
    by_seed = [_measure_queries(queries, score, grades) for score in scores]
    words = ", ".join(f"{np.mean(values):.4f}" for values in by_seed)
    console.print(f"{arm}: NDCG@{K} by seed {words}", markup=False)
    return np.asarray(np.mean(by_seed, axis=0), np.float64)


def _train_ranker(
    conf: ResolvedConf, root: Path, snapshot: Path, seed: int, values: NDArray[np.float32]
) -> Floats:
    """Train a ranker with the seed and give its relevance of the test pairs."""
    tree = conf.tree.model_copy(update={"seed": 100 + seed})
    fitted = fit_ranker(open_snapshot(snapshot), tree, root / f"training-{seed}", "", {})
    place = root / "rankers" / str(seed)
    save_model(fitted.artifact, place)
    return np.asarray(load_model(place).predict(values)["relevance"], np.float64)


def _measure_queries(queries: NDArray[np.object_], scores: Floats, grades: Floats) -> Floats:
    """Measure NDCG@K of each query that has one: two judged items, one of them not irrelevant."""
    values = []
    for at in np.split(np.arange(len(queries)), np.flatnonzero(queries[1:] != queries[:-1]) + 1):
        value = (
            compute_ndcg(scores[at], compute_exponential_gains(grades[at]), K)
            if len(at) > 1
            else None
        )
        if value is not None:
            values.append(value)
    return np.asarray(values, np.float64)


def _hide_grades(labels: DataFrame, queries: DataFrame, conf: ResolvedConf) -> DataFrame:
    """Leave out the human labels of training and validation queries, but for those of whole
    queries, chosen by hash, that make PAIRS pairs in a region."""
    buckets = [*conf.tree.split.train, *conf.tree.split.validation]
    texts = queries.where(F.col("bucket").isin(*buckets)).select(
        "query_id", "region", text_key(F.col("query_text")).alias("text")
    )
    human = labels.where("source = 'human'").join(texts, on="query_id", how="inner")
    one = human.where(F.col("region") == conf.tree.regions[0]).groupBy("text").count()
    counted = one.orderBy(F.xxhash64(F.lit("arms"), "text")).limit(PAIRS).collect()
    reached = np.cumsum([row["count"] for row in counted])
    chosen = [row["text"] for row, total in zip(counted, reached, strict=True) if total <= PAIRS]
    hidden = texts.where(~F.col("text").isin(*chosen)).select("query_id")
    return (
        labels.where("source = 'human'")
        .join(hidden, on="query_id", how="left_anti")
        .unionByName(labels.where("source != 'human'"))
    )


def _choose_weight(spark: SparkSession, conf: ResolvedConf) -> str:
    """Choose the weight of people's labels that gives them as much of the training loss as
    models'."""
    examples = open_warehouse(spark, conf, "bench")[0].read_run(TRAINING_EXAMPLES)
    source, weight = F.col("label_source"), F.col("weight_relevance")
    masses = (
        examples.where("split = 'train'")
        .agg(
            F.sum(F.when(source.isin(*MODEL_SOURCES), weight)).alias("models"),
            F.count_if(source == "human").alias("people"),
        )
        .collect()[0]
    )
    return f"training_set.source_weights.human={masses['models'] / masses['people']:.6g}"


def _build_results(by_arm: dict[str, Floats]) -> list[Result]:
    count = len(by_arm["all"])
    draws = np.random.default_rng(17).multinomial(count, np.full(count, 1 / count), REPLICATES)
    drawn = {arm: draws @ ndcg / count for arm, ndcg in by_arm.items()}
    results = [
        Result(f"ranker, {arm}", _format_interval(float(ndcg.mean()), drawn[arm]), "none", True)
        for arm, ndcg in by_arm.items()
    ]
    few, labelled, equal, every = (drawn[arm] for arm in ARMS)
    means = [float(by_arm[arm].mean()) for arm in ARMS]
    gain = _format_interval(means[1] - means[0], labelled - few)
    of_people = _format_interval(means[2] - means[1], equal - labelled)
    distance = _format_interval(means[3] - means[0], every - few)
    closed = (means[1] - means[0]) / (means[3] - means[0])
    share = _format_interval(closed, (labelled - few) / (every - few))
    return [
        *results,
        Result("labelled less few", gain, "none", True),
        Result("equal less labelled", of_people, "none", True),
        Result("all less few", distance, "none", True),
        Result("share of the distance closed", share, "none", True),
    ]


def _format_interval(value: float, replicates: Floats | Sequence[float]) -> str:
    low, high = np.quantile(replicates, (0.025, 0.975))
    return f"{value:.4f} ({low:.4f} to {high:.4f})"
