"""What model labels bring the ranker: five arms on Home Depot, judged by human grades.

    few        human grades of 2,000 pairs of the training and validation queries; all other grades
               of those queries are hidden
    labelled   the same 2,000 fine-tune a labeler, which labels the candidates
    equal      the same labels, people's weighted so that they have as much of the loss as models'
    pretrained two trainings: the first on the labels of labelled (people's weigh 0), the second,
               which begins with its weights, on those of few; both standardise inputs by the
               second's snapshot
    all        all human grades

Everything else is the same (but that pretrained is trained twice as long, on engagement, too): real
text and grades, simulated engagement, assumed grades of fillers.
A ranker is trained on each arm's snapshot with COUNTERPOISE_ARMS_SEEDS seeds (5); it ranks the
candidates of the test queries (bucket 6, human grades, which no arm learns from) by its relevance.
`bench.arm_lists` says on which lists it is judged. COUNTERPOISE_ARMS_KIND names the labeler
(ensemble), COUNTERPOISE_ARMS_MINUTES its time to label (4).
"""

import os
import shutil
import tempfile
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import numpy as np
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from rich.console import Console

from bench.arm_lists import (
    ARMS,
    EQUAL,
    FEW,
    LABELLED,
    PRETRAINED,
    WIDTH,
    JudgedLists,
    K,
    Sums,
    average_seeds,
    build_results,
    build_table,
    describe_means,
    read_lists,
)
from bench.labels.homedepot_pairs import find_file
from bench.result import Result
from conf.load import ResolvedConf, load_conf
from conf.schema import Conf
from features.contracts import QUERIES, RELEVANCE_LABELS, TRAINING_EXAMPLES
from features.labels.judged import MODEL_SOURCES
from features.text.texts import text_key
from jobs import admit_labeler, build_training_set, finetune_labeler, label_pairs
from jobs.nightly import Nightly
from jobs.platform.runner import open_warehouse
from jobs.platform.session import get_session
from jobs.registry import CHAIN, load_job
from model.arrays import Floats
from model.feed import open_snapshot
from model.labelers.kinds import ENSEMBLE
from model.serving.artifact import load_model, save_model
from model.standardise import measure_inputs
from model.training.fit import fit_ranker

SEEDS = int(os.environ.get("COUNTERPOISE_ARMS_SEEDS", "5"))
KIND = os.environ.get("COUNTERPOISE_ARMS_KIND", ENSEMBLE)
MINUTES = float(os.environ.get("COUNTERPOISE_ARMS_MINUTES", "4"))
PAIRS = 2_000
"""Pairs with grades of the small arms."""
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
    """Measure every arm and print a table of them; the results compare some. Nothing where the
    data is absent."""
    console = Console()
    if find_file() is None:
        console.print("arms: skipped, no Home Depot pairs under COUNTERPOISE_DATA")
        return []
    with tempfile.TemporaryDirectory(prefix="counterpoise-bench-") as folder:
        root = Path(folder)
        base = _load_conf(root / "base")
        spark = get_session(base.tree)
        _run_chain(spark, base)
        lists = read_lists(open_warehouse(spark, base, "bench")[0], base)
        snapshots: dict[str, Path] = {}
        by_arm: dict[str, Sums] = {}
        for arm in ARMS:
            conf = _copy_tables(spark, root, arm)
            snapshots[arm] = _build_snapshot(spark, conf, arm, console)
            steps = [snapshots[arm], *([snapshots[FEW]] if arm == PRETRAINED else [])]
            by_seed = []
            for seed in range(1, SEEDS + 1):
                tree = conf.tree.model_copy(update={"seed": 100 + seed})
                place = train_in_turn(tree, root / "rankers" / arm / str(seed), steps)
                by_seed.append(lists.judge(_predict_relevance(place, lists)))
                console.print(f"{arm}, seed {seed}: NDCG@{K} {describe_means(by_seed[-1])}")
            by_arm[arm] = average_seeds(by_seed)
        Console(width=WIDTH).print(build_table(by_arm))
        return build_results(by_arm)


def _copy_tables(spark: SparkSession, root: Path, arm: str) -> ResolvedConf:
    """Copy the tables that an arm begins with to its folder, and give its conf."""
    made = root / (LABELLED if arm in (EQUAL, PRETRAINED) else "base")
    shutil.copytree(made, root / arm, copy_function=os.link)
    if arm == PRETRAINED:
        return _load_conf(root / arm, "training_set.source_weights.human=0")
    conf = _load_conf(root / arm)
    return _load_conf(root / arm, _choose_weight(spark, conf)) if arm == EQUAL else conf


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


def _build_snapshot(spark: SparkSession, conf: ResolvedConf, arm: str, console: Console) -> Path:
    """Build an arm's labels and the snapshot that it is trained on; gives its folder."""
    warehouse, _ = open_warehouse(spark, conf, "bench")
    if arm in (FEW, LABELLED):
        labels = warehouse.read(RELEVANCE_LABELS)
        few = _hide_grades(labels, warehouse.read(QUERIES), conf).persist()
        few.count()
        warehouse.replace(RELEVANCE_LABELS, few, "query_id IS NOT NULL")
    if arm == LABELLED:
        for job in (finetune_labeler, admit_labeler, label_pairs):
            for note in job.JOB.run(spark, conf).notes:
                console.print(f"{job.__name__}: {note}", markup=False)
    build_training_set.JOB.run(spark, conf)
    return warehouse.snapshot_dir()


def train_in_turn(conf: Conf, folder: Path, snapshots: Sequence[Path]) -> Path:
    """Train a ranker on one snapshot after the other, each from the weights of the one before.

    The inputs of the last snapshot standardise all of them, and its labels fit the line of the fit
    features.

    Returns:
        The directory of the last ranker.
    """
    scale, place = measure_inputs(open_snapshot(snapshots[-1])), None
    for step, snapshot in enumerate(snapshots, start=1):
        scratch = folder / f"training-{step}"
        fitted = fit_ranker(open_snapshot(snapshot), conf, scratch, "", {}, place, scale)
        place = folder / f"ranker-{step}"
        save_model(fitted.artifact, place)
    assert place is not None
    return place


def _predict_relevance(place: Path, lists: JudgedLists) -> Floats:
    """Predict the relevance of the candidates, [N], by a saved ranker."""
    return load_model(place, lists.names).predict(lists.values)["relevance"].astype(np.float64)


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
