"""Judges labeler versions on the gold set, on the driver."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from features.contracts import IMPRESSIONS, ITEMS, LABELER_QUERIES, QUERIES
from features.labels.pairs import GOLD, TEXT_PAIR, graded_pairs, sampled, shown_queries
from jobs.labels.labeler_fit import grades_of, pairs_of, production_weights
from jobs.labels.labelers import Row, labeler_dir, labels_in_force
from jobs.platform.warehouse import Warehouse
from model.labelers.base import LabelerError
from model.labelers.deployed import Deployed, load_deployed
from model.labelers.gate.gate import Graded, Verdict, judge, require_unseen
from model.labelers.gate.gold import Gold


@dataclass(frozen=True)
class Judged:
    """A verdict, and the version that was compared with (None: none, or not comparable)."""

    verdict: Verdict
    compared_with: str | None
    pairs: int
    queries: int


def gold_rows(warehouse: Warehouse) -> pd.DataFrame:
    """The gold pairs with texts, grade, region and times the query was shown, bounded by conf.

    A pair that several regions share is one row per region: its grades may differ.
    """
    tree, run_date = warehouse.conf.tree, warehouse.conf.run_date
    queries = warehouse.read(QUERIES)
    graded = graded_pairs(labels_in_force(warehouse), queries, warehouse.read(ITEMS), tree)
    shown = shown_queries(warehouse.read(IMPRESSIONS), queries, run_date)
    gold = graded.where(F.col("role") == GOLD).join(shown, on="text_key", how="left")
    columns = (*TEXT_PAIR, "region", "query_text", "item_text", "grade", "p_ge_1", "p_ge_2")
    rows: DataFrame = gold.select(*columns, F.coalesce("shown", F.lit(0)).alias("shown"))
    return sampled(rows, tree.labeling.max_judging_pairs, tree.seed).toPandas()


def judge_version(
    warehouse: Warehouse, rows: pd.DataFrame, version: str, admitted: Row | None
) -> Judged:
    """Judge a version on gold rows, against the admitted one where that is possible.

    Raises:
        LabelerError: the gold set has texts that the version was fitted on, or lacks a grade; or
            the directory is damaged.
    """
    tree = warehouse.conf.tree
    keys = set(rows["text_key"])
    require_unseen(keys, _seen(warehouse, version, keys))
    deployed = load_deployed(labeler_dir(warehouse, version))
    gold = _gold(rows, production_weights(deployed.deployment, rows, tree))
    reference = None if admitted is None else _reference(warehouse, admitted, gold, keys)
    verdict = judge(gold, _graded(deployed, gold), reference, tree.labeling.gate, tree.seed)
    compared = admitted["labeler_version"] if admitted and reference is not None else None
    return Judged(verdict, compared, len(rows), len(keys))


def _reference(warehouse: Warehouse, admitted: Row, gold: Gold, keys: set[str]) -> Graded | None:
    """What the admitted version says; None, and a note, where it cannot be asked fairly."""
    version = str(admitted["labeler_version"])
    try:
        require_unseen(keys, _seen(warehouse, version, keys))
        return _graded(load_deployed(labeler_dir(warehouse, version)), gold)
    except LabelerError as error:
        warehouse.report.notes.append(f"not compared with the admitted version: {error}")
        return None


def _graded(deployed: Deployed, gold: Gold) -> Graded:
    p = deployed.predict(gold.pairs)
    return Graded(p, deployed.deployment.grades(p))


def _seen(warehouse: Warehouse, version: str, keys: set[str]) -> list[str]:
    """Which of the gold texts the version was fitted or chosen on."""
    seen = warehouse.read(LABELER_QUERIES).where(F.col("labeler_version") == version)
    gold = warehouse.spark.createDataFrame([(key,) for key in sorted(keys)], "text_key string")
    return [row["text_key"] for row in seen.join(gold, on="text_key", how="left_semi").collect()]


def _gold(rows: pd.DataFrame, weight: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]") -> Gold:
    return Gold(
        pairs=pairs_of(rows),
        grades=grades_of(rows),
        queries=rows["text_key"].to_numpy(np.str_),
        regions=rows["region"].to_numpy(np.str_),
        shown=rows["shown"].to_numpy(np.float64),
        weight=weight,
    )
