"""A labeler reads graded pairs again: one of a directory, or labelers fitted out of fold."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pyspark.sql import DataFrame

from conf.load import ResolvedConf
from features.audit.evidence import UNIT
from features.audit.reading import pairs_to_fit, texts_to_read
from model.labelers.base import Labeler, Pairs, Targets
from model.labelers.build import build_labeler
from model.labelers.out_of_fold import FoldLabelers, fit_out_of_fold
from model.labelers.store import read_description
from udfs.reread import READ_COLUMNS, reader


@dataclass(frozen=True)
class Reading:
    """What a model said of units (see `features.audit.reading.with_reading`).

    `held_out`: it never saw the grades that it read again.
    """

    read: DataFrame
    held_out: bool


def read_again(tested: DataFrame, items: DataFrame, conf: ResolvedConf, folder: Path) -> Reading:
    """Read the units of conf `audit.reread.scope` again; lazy, but for the fitting.

    Args:
        tested: units with `contradicts`.
        folder: where labelers that are fitted here are kept, readable by the workers.

    Raises:
        LabelerError: the directory is no labeler, or the grades are too few to fit one.
    """
    settings = conf.tree.audit.reread
    asked = texts_to_read(tested, items, settings, conf.tree.seed)
    if settings.labeler is None:
        labelers = _fitted(tested, items, conf, folder)
    else:
        version = str(read_description(Path(settings.labeler))["version"])
        folds = range(settings.folds)
        labelers = FoldLabelers(
            dict.fromkeys(folds, settings.labeler), dict.fromkeys(folds, version), {}
        )
    kept = ", ".join(f"{name} {kind}" for name, kind in asked.dtypes if "_text" not in name)
    parts = conf.tree.spark.shuffle_partitions
    read = asked.repartition(parts, *UNIT).mapInPandas(
        reader(labelers.folders, labelers.versions, parts), f"{kept}, {READ_COLUMNS}"
    )
    return Reading(read, settings.labeler is None or settings.held_out)


def _fitted(tested: DataFrame, items: DataFrame, conf: ResolvedConf, folder: Path) -> FoldLabelers:
    """The labelers of the folds, fitted on the driver; the pairs are bounded by conf."""
    given = pairs_to_fit(tested, items, conf.tree.audit.reread, conf.tree.seed).toPandas()
    return fit_out_of_fold(
        Pairs(given["query_text"].tolist(), given["item_text"].tolist()),
        Targets.of_grades(given["grade"].to_numpy(np.int64)),
        given["fold"].to_numpy(np.int64),
        given["validates"].to_numpy(bool),
        lambda: _new_labeler(conf),
        folder,
    )


def _new_labeler(conf: ResolvedConf) -> Labeler:
    kind = conf.tree.audit.reread.kind
    labeler = conf.tree.labeler.model_copy(update={"kind": kind})
    return build_labeler(conf.tree.model_copy(update={"labeler": labeler}))
