"""Which rows of a split are judged, shown or pooled, and what each of them is worth."""

import numpy as np

from conf.sections.value import Weights
from model.arrays import Floats, Ints, Mask
from model.experiments.predictions import GRADE, ITEM, JUDGED, LIST, TRUTH, Predictions
from model.spec import RELEVANCE, THRESHOLDS
from model.value.weights import PROBABILITIES

TASKS = tuple(name.removeprefix("p_") for name in PROBABILITIES)


def mark_judged(predictions: Predictions) -> Mask:
    """Mark the rows whose grade counts, [N]: those marked as judged, else every one with a
    relevance label.

    Of several rows of one item in a list the first counts.
    """
    if not predictions.spec.relevance:
        return np.zeros(predictions.rows, bool)
    name = JUDGED if JUDGED in predictions.columns else f"mask_{RELEVANCE}"
    judged = predictions.columns[name] > 0
    return _mark_first_of_pair(predictions, judged) if ITEM in predictions.columns else judged


def pool_grades(predictions: Predictions) -> tuple[Mask, Floats]:
    """Mark one row per item of a list, its judged one where it has one, [N]; and give its grade,
    else -1, [N].

    The pool is what the split's rows hold of the query: shown, judged, or added as assumed.
    """
    judged = mark_judged(predictions)
    grade = np.where(judged, compute_grades(predictions), -1.0)
    if ITEM not in predictions.columns:
        return judged, grade
    pair = number_pairs(predictions)
    other = ~np.isin(pair, pair[judged])
    return judged | _mark_first_of_pair(predictions, other), grade


def pool_planted(predictions: Predictions, weights: Weights) -> tuple[Mask, Floats] | None:
    """Mark one row per item of a query that has a planted outcome, [N]; and give sum_t w_t P_t,
    [N].

    Shown or not: what stands on pages was chosen by the logger, what a night ranks is not. None
    where nothing is planted.
    """
    names = [f"{TRUTH}{task}" for task in TASKS]
    if any(name not in predictions.columns for name in names):
        return None
    planted = np.stack([predictions.columns[name] for name in names])
    complete = np.asarray((planted >= 0).all(axis=0))
    rows = _mark_first_of_pair(predictions, complete) if ITEM in predictions.columns else complete
    return rows, sum_weighted(planted, weights)


def mark_shown(predictions: Predictions) -> Mask:
    """Mark the rows of a page whose labels are known for every task, [N]."""
    masks = [predictions.columns[f"mask_{task}"] > 0 for task in predictions.spec.tasks]
    return np.asarray(np.logical_and.reduce(masks))


def compute_grades(predictions: Predictions) -> Floats:
    """Compute grade, [N]: of the snapshot's column, else the label's expected grade."""
    if GRADE in predictions.columns:
        return predictions.columns[GRADE]
    ge_1, ge_2 = (predictions.columns[f"label_{grade}"] for grade in THRESHOLDS)
    return ge_1 + ge_2


def compute_engagement_gains(predictions: Predictions, weights: Weights) -> Floats:
    """Compute sum_t w_t y_t of click, cart and purchase, [N]."""
    labels = np.stack([predictions.columns[f"label_{task}"] for task in TASKS])
    return sum_weighted(labels, weights)


def sum_weighted(by_task: Floats, weights: Weights) -> Floats:
    """Weigh click, cart and purchase [3, N] and add them up, [N]."""
    click, cart, purchase = by_task
    return np.asarray(
        weights.click * click + weights.cart * cart + weights.purchase * purchase, np.float64
    )


def number_pairs(predictions: Predictions) -> Ints:
    """Give the code of list and item, [N]; a row without an item code stands for itself."""
    if ITEM not in predictions.columns:
        return np.arange(predictions.rows)
    keys = np.stack([predictions.get_codes(LIST), predictions.get_codes(ITEM)], axis=1)
    return np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _mark_first_of_pair(predictions: Predictions, rows: Mask) -> Mask:
    """Mark the first row of each pair, [N]."""
    at = np.flatnonzero(rows)
    _, earliest = np.unique(number_pairs(predictions)[at], return_index=True)
    mask = np.zeros(predictions.rows, bool)
    mask[at[earliest]] = True
    return mask
