"""Reference metrics in numpy: ranking quality, discrimination, calibration.

The Spark versions in `features.evaluation` are tested against these.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from model.arrays import Floats

_TINY = 1e-7
"""Distance that a probability keeps from 0 and 1: one sure error costs 16 nats, not infinitely
many."""


def compute_log_discounts(k: int) -> Floats:
    """Compute the discounts 1 / log2(rank + 1) of DCG, [k] (Järvelin and Kekäläinen 2002)."""
    return np.asarray(1.0 / np.log2(np.arange(2, k + 2)), dtype=np.float64)


def compute_exponential_gains(grades: Floats) -> Floats:
    """Compute 2^grade - 1, the gain of relevance NDCG (Burges et al. 2005)."""
    return np.asarray(np.exp2(grades) - 1.0, dtype=np.float64)


def average_discounts(scores: Floats, discounts: Floats) -> Floats:
    """Average the discount of each item over all orders of its ties, [N].

    Items of equal score share the mean discount of the ranks that they fill together (McSherry
    and Najork 2008), so that no figure depends on the order of the input.

    Args:
        scores: [N], higher is better.
        discounts: [k] by rank; ranks beyond k count nothing.
    """
    cumulative = np.concatenate([[0.0], np.cumsum(discounts)])
    bottom = rankdata(-scores, method="max").astype(np.int64)
    top = rankdata(-scores, method="min").astype(np.int64)
    k = len(discounts)
    filled = cumulative[np.minimum(bottom, k)] - cumulative[np.minimum(top - 1, k)]
    return np.asarray(filled / (bottom - top + 1), dtype=np.float64)


def compute_dcg(scores: Floats, gains: Floats, discounts: Floats) -> float:
    """Sum gain x expected discount over the items of one list, [N] each."""
    return float(np.sum(gains * average_discounts(scores, discounts)))


def compute_ndcg(scores: Floats, gains: Floats, k: int) -> float | None:
    """Compute NDCG@k of one list of N items; None where it says nothing.

    That is where fewer than two items stand in the list, or none has a positive gain.
    """
    discounts = compute_log_discounts(k)
    ideal = float(np.sum(np.sort(gains)[::-1][:k] * discounts[: len(gains)]))
    if len(gains) < 2 or ideal <= 0:
        return None
    return compute_dcg(scores, gains, discounts) / ideal


def compute_auc(scores: Floats, labels: Floats) -> float:
    """Compute the area under the ROC curve, ties counted half; nan without both classes. [N]."""
    positives = labels > 0.5
    n_pos, n_neg = int(positives.sum()), int((~positives).sum())
    if n_pos == 0 or n_neg == 0:
        return float("nan")
    rank_sum = float(rankdata(scores)[positives].sum())
    return (rank_sum - n_pos * (n_pos + 1) / 2) / (n_pos * n_neg)


def compute_histogram_auc(positives: NDArray[Any], negatives: NDArray[Any]) -> Floats:
    """Compute the AUC of binned scores, a bin taken as one tie.

    Args:
        positives, negatives: [..., bins] counts, bins by ascending score.

    Returns:
        [...], nan where a class is absent.
    """
    pos, neg = np.asarray(positives, np.float64), np.asarray(negatives, np.float64)
    below = np.cumsum(neg, axis=-1) - neg
    wins = np.sum(pos * (below + neg / 2), axis=-1)
    pairs = pos.sum(axis=-1) * neg.sum(axis=-1)
    return divide_sums(wins, pairs)


def compute_log_losses(probabilities: Floats, labels: Floats) -> Floats:
    """Compute the binary cross-entropy (nats) of each row, [N]; probabilities stay 1e-7 away from 0
    and 1."""
    p = np.clip(probabilities, _TINY, 1.0 - _TINY)
    return np.asarray(-(labels * np.log(p) + (1.0 - labels) * np.log1p(-p)), np.float64)


def assign_equal_mass_groups(counts: NDArray[Any], groups: int) -> NDArray[np.int64]:
    """Assign a group to each bin, [bins]: neighbours merged into at most `groups` of about equal
    mass."""
    n = np.asarray(counts, np.float64)
    middle = np.cumsum(n) - n / 2
    total = max(float(n.sum()), 1.0)
    return np.minimum((middle / total * groups).astype(np.int64), groups - 1)


def assign_equal_size_groups(values: Floats, groups: int) -> NDArray[np.int64]:
    """Assign a group to each row, [N]: neighbours by value, at most `groups` of about equal
    size."""
    n = len(values)
    group = np.empty(n, np.int64)
    group[np.argsort(values, kind="stable")] = np.arange(n) * min(groups, n) // max(n, 1)
    return group


def compute_calibration_error(
    counts: NDArray[Any], expected: NDArray[Any], observed: NDArray[Any], group: NDArray[np.int64]
) -> Floats:
    """Compute the expected calibration error: the mean over groups, weighted by their rows, of
    |mean probability - mean label| (Naeini, Cooper and Hauskrecht 2015), which is the sum of
    |expected - observed| / all rows.

    Their groups are equally wide; ours hold equal mass, as Nguyen and O'Connor 2015 propose, so
    that no group rests on a handful of rows.

    Args:
        counts, expected, observed: [..., bins] rows, sum of probabilities, sum of labels. A bin
            may be one row, and its count the row's weight.
        group: [bins] group of each bin, as `assign_equal_mass_groups` or
            `assign_equal_size_groups` gives it.

    Returns:
        [...], nan where there are no rows.
    """
    onehot = np.eye(int(group.max(initial=0)) + 1)[group]
    gap = np.abs((np.asarray(expected, np.float64) - observed) @ onehot).sum(axis=-1)
    rows = np.asarray(counts, np.float64).sum(axis=-1)
    return divide_sums(gap, rows)


def divide_sums(numerator: NDArray[Any], denominator: NDArray[Any]) -> Floats:
    """Divide the sums; nan where the denominator is not positive; [...] each."""
    over, under = np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    safe = np.where(under > 0, under, 1.0)
    return np.asarray(np.where(under > 0, over / safe, np.nan), dtype=np.float64)


def compute_pearson(x: Floats, y: Floats) -> float:
    """Compute the correlation of two [N]; nan where one does not vary."""
    if len(x) < 2 or float(np.ptp(x)) == 0 or float(np.ptp(y)) == 0:
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1])


def compute_spearman(x: Floats, y: Floats) -> float:
    """Compute the rank correlation of two [N], ties with their mean rank; nan where one does not
    vary."""
    return compute_pearson(rankdata(x), rankdata(y))
