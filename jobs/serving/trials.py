"""Trials of weights: their rows, and how they compare with the scores that are served."""

import json
import re
from collections.abc import Mapping
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.errors import UserError
from features.contracts import (
    EXAMPLE_SCORES,
    LABELER_DECISIONS,
    QUERIES,
    WEIGHT_TRIALS,
)
from features.evaluation.names import RELEVANCE_KINDS
from features.evaluation.rankers import model_rankers, predicted_engagement
from features.evaluation.served import graded_rows
from features.evaluation.trial import beside_trial, order_shifts
from features.examples.label_choice import labelled_pairs
from jobs.labels.labelers import read_labels, read_optional
from jobs.platform.warehouse import Warehouse
from jobs.serving.in_force import WeightsInForce
from jobs.serving.paired import Ranked, sum_paired
from model.evaluation.block_sums import ALL
from model.evaluation.bootstrap import BlockBootstrap
from model.evaluation.evaluated import build_ranking_rows
from model.evaluation.metrics import compute_log_discounts

SERVED, TRIAL = "served", "trial"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
Row = dict[str, Any]


class TrialError(UserError, ValueError):
    """A trial has no such name, or none of that name was made; the message says which there are."""


def check_name(name: str) -> str:
    """Check the name of a trial.

    Raises:
        TrialError: it is no name.
    """
    if not _NAME.fullmatch(name):
        raise TrialError(
            f"trial {name!r}: a name has 1 to 40 small letters, digits, - and _, and begins with "
            "a letter or a digit"
        )
    return name


def read_trials(warehouse: Warehouse) -> list[Row]:
    """Read the rows of weight_trials of the run date, by name (as many as people made)."""
    if not warehouse.exists(WEIGHT_TRIALS):
        return []
    rows = warehouse.read_run(WEIGHT_TRIALS).orderBy("trial").collect()
    return [row.asDict() for row in rows]


def find_trial(warehouse: Warehouse, name: str) -> Row:
    """Find one trial of the run date.

    Raises:
        TrialError: there is none of that name.
    """
    by_name = {str(row["trial"]): row for row in read_trials(warehouse)}
    if name not in by_name:
        raise TrialError(
            f"no trial {name!r} of {warehouse.conf.run_date}; there are: "
            f"{', '.join(by_name) or 'none'}; `counterpoise reweight --trial {name} --set "
            "value.weights.relevance=...` makes one"
        )
    return by_name[name]


def compare_trial(
    warehouse: Warehouse,
    scores: DataFrame,
    ranked: DataFrame,
    trial: WeightsInForce,
    served: WeightsInForce,
) -> dict[str, list[Row]]:
    """Hold a trial against the scores: `shifts` by region, and `judged` on validation queries.

    Args:
        scores: rows of SCORES of the run date.
        ranked: rows of SCORE_TRIALS of the trial.
        trial, served: the weights of both.
    """
    tree = warehouse.conf.tree
    both = scores.transform(beside_trial(ranked))
    expected = predicted_engagement(served.by_region, tree.value.weights)
    discounts = compute_log_discounts(tree.evaluation.k).tolist()
    shifts = both.transform(order_shifts(expected, discounts, ALL)).collect()
    return {
        "shifts": sorted((row.asDict() for row in shifts), key=lambda row: row["region"] != ALL),
        "judged": _judge_trial(warehouse, both, trial, served),
    }


def _judge_trial(
    warehouse: Warehouse, both: DataFrame, trial: WeightsInForce, served: WeightsInForce
) -> list[Row]:
    """Build rows as `build_ranking_rows` of model.evaluation does, of the trial less the scores."""
    if not warehouse.exists(EXAMPLE_SCORES):
        warehouse.report.notes.append("no example_scores: not judged by grades and engagement")
        return []
    tree, queries = warehouse.conf.tree, warehouse.read(QUERIES)
    best = labelled_pairs(queries, tree, read_optional(warehouse, LABELER_DECISIONS))
    labels = read_labels(warehouse).transform(best)
    lists = both.transform(graded_rows(labels, queries, tree.split.validation))
    pages = warehouse.read_run(EXAMPLE_SCORES).where("split = 'validation'")
    joint = {
        name: model_rankers(weights.by_region, tree.value.weights)["joint"]
        for name, weights in ((SERVED, served), (TRIAL, trial))
    }
    paired = sum_paired(
        Ranked(lists, {SERVED: F.col("value"), TRIAL: F.col("trial_value")}),
        Ranked(pages, joint),
        queries,
        served.by_region,
        tree,
    )
    e = tree.evaluation
    bootstrap = BlockBootstrap(e.blocks, e.bootstrap, e.confidence, tree.seed)
    wanted = {kind.format(k=e.k) for kind in RELEVANCE_KINDS.values()} | {paired.engagement}
    rows = build_ranking_rows(paired.sums, bootstrap, SERVED)
    return [row for row in rows if row["ranker"] == TRIAL and row["metric"] in wanted]


def format_trial(row: Row) -> list[str]:
    """Format a trial in words: a line of its weights, and one per figure of all regions."""
    figures = json.loads(row["figures"])
    lines = [
        f"trial {row['trial']}: weights {row['weights_version']} against {row['against']}, model "
        f"{row['model_version']}"
    ]
    lines += [f"    {_format_shift(shift)}" for shift in figures["shifts"]]
    return lines + [f"    {_format_judged(j)}" for j in figures["judged"] if j["region"] == ALL]


def _format_shift(shift: Mapping[str, Any]) -> str:
    share = shift["engagement_kept"]
    return (
        f"{shift['region']}: {shift['changed']:.1%} of the top changed, relevance "
        f"{shift['relevance_shift']:+.4f}, expected engagement "
        + (f"x{share:.4f}" if share is not None else "-")
        + f" ({shift['queries']:,} queries)"
    )


def _format_judged(row: Mapping[str, Any]) -> str:
    low, high = row["difference_low"], row["difference_high"]
    ends = f" [{low:+.4f}, {high:+.4f}]" if low is not None and high is not None else ""
    return (
        f"{row['metric']}: {row['difference']:+.4f}{ends} over {row['queries']:,} validation "
        "queries"
    )
