"""The snapshots of the experiments on the chain's own data: Home Depot and the simulated market.

The chain runs up to the training set, without a labeler, in a storage root of its own. That root is
named by everything that its data depend on, so confs that differ in the model share one, and it is
made once.
"""

import shutil
from dataclasses import replace
from pathlib import Path

from pyspark import StorageLevel
from pyspark.sql import SparkSession

from conf.load import ResolvedConf, section_hash
from conf.sections.platform import StorageConf
from features.contracts import MARKET_TRUTH, QUERIES, TEXT_EMBEDDINGS, TEXTS
from features.contracts.training import TASKS
from features.declarations import declare_features
from features.examples.experiment_rows import BLIND, LOGGED, TRUTH, chain_rows
from features.spec import spec_json
from jobs.experiments.snapshot import Contents, name_snapshot_folder, write_experiment_snapshot
from jobs.labels.labelers import read_optional
from jobs.platform.feature_reads import read_examples
from jobs.platform.runner import open_warehouse, run_job
from jobs.platform.warehouse import Warehouse
from jobs.registry import load_job
from jobs.sources.base import load_adapter
from jobs.sources.own import compute_own_fingerprint
from jobs.state.run_state import RunState
from model.files import new_folder

STEPS = (
    "ingest",
    "import_features",
    "import_labels",
    "embed_texts",
    "read_texts",
    "build_candidates",
    "compare_pairs",
    "build_features",
    "build_training_set",
)
_SECTIONS = (
    "run_date",
    "seed",
    "regions",
    "split",
    "source",
    "ingest",
    "labels",
    "encoder",
    "language",
    "features",
    "candidates",
    "training_set",
)


def make_chain_snapshot(spark: SparkSession, conf: ResolvedConf) -> Path:
    """Make the snapshot (train, validation, test) of the conf's source where it is missing; returns
    its folder.

    Raises:
        SourceError: the source cannot be read.
        SnapshotError: no training row.
    """
    rooted = set_root(conf)
    warehouse, _ = open_warehouse(spark, rooted, "experiment")
    folder = name_snapshot_folder(warehouse, (), "chain")
    if folder.exists() or conf.dry_run:
        return folder
    run_steps(warehouse)
    return write_examples(warehouse, folder)


def write_examples(warehouse: Warehouse, folder: Path) -> Path:
    """Write the snapshot of the run's training_examples to the folder and return it."""
    tree = warehouse.conf.tree
    truth = read_optional(warehouse, MARKET_TRUTH)
    examples = read_examples(warehouse)
    rows = chain_rows(examples, warehouse.read(QUERIES), truth).persist(StorageLevel.DISK_ONLY)
    try:
        contents = Contents(
            rows=rows,
            features=spec_json(declare_features(tree)),
            tasks=TASKS,
            regions=tree.regions,
            relevance=True,
            extra=LOGGED if truth is None else LOGGED | TRUTH | BLIND,
            notes={"source": warehouse.conf.source.kind, "chain": str(warehouse.root)},
        )
        return write_experiment_snapshot(warehouse, contents, folder)
    finally:
        rows.unpersist()


def set_root(conf: ResolvedConf) -> ResolvedConf:
    """Give the conf another storage root, that of its data, below its own; tables stand there by
    path."""
    tree = conf.tree.model_dump(mode="json")
    data = [load_adapter(conf.source.kind).fingerprint(conf), compute_own_fingerprint(conf)]
    key = section_hash([*data, *(tree[name] for name in _SECTIONS)])
    root = Path(conf.tree.storage.root).absolute() / "experiments" / "chains" / key
    storage = StorageConf(root=str(root))
    written = {name: section for name, section in conf.written.items() if name != "storage"}
    return replace(conf, tree=conf.tree.model_copy(update={"storage": storage}), written=written)


def run_steps(warehouse: Warehouse) -> None:
    """Run the steps that did not yet finish on this code, conf and data."""
    state = RunState(warehouse)
    borrow_texts(warehouse.root)
    jobs = [load_job(name) for name in STEPS]
    for job in jobs:
        fingerprint = state.fingerprint_step(job, jobs)
        if state.why_run(job, fingerprint, jobs) is not None:
            report = run_job(job, warehouse.spark, warehouse.conf)
            state.record_success(job, fingerprint, report)


def borrow_texts(root: Path) -> None:
    """Take the embeddings and readings that a chain beside this one has made: most texts are the
    same in all."""
    for table in (TEXT_EMBEDDINGS, TEXTS):
        place = Path("tables") / table.name
        lenders = [] if (root / place).exists() else sorted(root.parent.glob(f"*/{place}"))
        if lenders:
            with new_folder(root / place) as new:
                shutil.copytree(lenders[0], new, dirs_exist_ok=True)
