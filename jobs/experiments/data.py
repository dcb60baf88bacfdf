"""The data of the experiments: one snapshot each, with a test split, made once and reused."""

from pathlib import Path

from pyspark.sql import SparkSession

from conf.load import ResolvedConf
from jobs.experiments.chain_data import chain_snapshot
from jobs.experiments.trivago_data import DATASET as TRIVAGO
from jobs.experiments.trivago_data import trivago_snapshot

__all__ = ["chain_snapshot", "experiment_snapshot", "trivago_snapshot"]


def experiment_snapshot(spark: SparkSession, conf: ResolvedConf) -> Path:
    """Folder of the snapshot of the conf's source, made where it is not there yet.

    It is a snapshot as `build_training_set` writes it (`open_snapshot` reads it), and has besides:
    a split `test`; the columns list_code, page_code, item_code, unit_code, judged and grade (see
    `features.examples.experiment_rows`); on a simulated market p_true_<task> and p_blind_<task>
    of click, cart and purchase. The manifest's `columns` says what each means. All is float32.

    The session logs of kind trivago have the tasks engaged and clickout and no relevance labels;
    every other source goes through the chain up to the training set, without a labeler.
    """
    make = trivago_snapshot if conf.source.kind == TRIVAGO else chain_snapshot
    return make(spark, conf)
