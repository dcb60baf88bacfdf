"""Reference metrics in numpy: ranking quality, discrimination, calibration.

The Spark versions in `features.evaluation` are tested against these.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Floats = NDArray[np.float64]
_TINY = 1e-7


def log_discounts(k: int) -> Floats:
    """[k] discounts 1 / log2(rank + 1) of DCG (Järvelin and Kekäläinen 2002)."""
    return np.asarray(1.0 / np.log2(np.arange(2, k + 2)), dtype=np.float64)


def exponential_gain(grades: Floats) -> Floats:
    """2^grade - 1, the gain of relevance NDCG (Burges et al. 2005)."""
    return np.asarray(np.exp2(grades) - 1.0, dtype=np.float64)


def expected_discounts(scores: Floats, discounts: Floats) -> Floats:
    """[N] discount that each item gets on average over all orders of its ties.

    Items of equal score share the mean discount of the ranks that they fill together (McSherry
    and Najork 2008), so that no figure depends on the order of the input.

    Args:
        scores: [N], higher is better.
        discounts: [k] by rank; ranks beyond k count nothing.
    """
    cumulative = np.concatenate([[0.0], np.cumsum(discounts)])
    last = rankdata(-scores, method="max").astype(np.int64)
    first = rankdata(-scores, method="min").astype(np.int64)
    k = len(discounts)
    filled = cumulative[np.minimum(last, k)] - cumulative[np.minimum(first - 1, k)]
    return np.asarray(filled / (last - first + 1), dtype=np.float64)


def dcg(scores: Floats, gains: Floats, discounts: Floats) -> float:
    """Sum of gain x expected discount over the items of one list, [N] each."""
    return float(np.sum(gains * expected_discounts(scores, discounts)))


def ndcg(scores: Floats, gains: Floats, k: int) -> float | None:
    """NDCG@k of one list of N items; None where it says nothing.

    That is where fewer than two items stand in the list, or none has a positive gain.
    """
    discounts = log_discounts(k)
    ideal = float(np.sum(np.sort(gains)[::-1][:k] * discounts[: len(gains)]))
    if len(gains) < 2 or ideal <= 0:
        return None
    return dcg(scores, gains, discounts) / ideal


def auc(scores: Floats, labels: Floats) -> float:
    """Area under the ROC curve, ties counted half; nan without both classes. [N] each."""
    positives = labels > 0.5
    n_pos, n_neg = int(positives.sum()), int((~positives).sum())
    if n_pos == 0 or n_neg == 0:
        return float("nan")
    rank_sum = float(rankdata(scores)[positives].sum())
    return (rank_sum - n_pos * (n_pos + 1) / 2) / (n_pos * n_neg)


def auc_from_histogram(positives: NDArray[Any], negatives: NDArray[Any]) -> Floats:
    """AUC of binned scores, a bin taken as one tie.

    Args:
        positives, negatives: [..., bins] counts, bins by ascending score.

    Returns:
        [...], nan where a class is absent.
    """
    pos, neg = np.asarray(positives, np.float64), np.asarray(negatives, np.float64)
    below = np.cumsum(neg, axis=-1) - neg
    wins = np.sum(pos * (below + neg / 2), axis=-1)
    pairs = pos.sum(axis=-1) * neg.sum(axis=-1)
    return ratio(wins, pairs)


def log_losses(probabilities: Floats, labels: Floats) -> Floats:
    """[N] binary cross-entropy of each row (nats), probabilities kept 1e-7 away from 0 and 1."""
    p = np.clip(probabilities, _TINY, 1.0 - _TINY)
    return np.asarray(-(labels * np.log(p) + (1.0 - labels) * np.log1p(-p)), np.float64)


def log_loss(probabilities: Floats, labels: Floats) -> float:
    """Mean of `log_losses` (nats)."""
    return float(log_losses(probabilities, labels).mean())


def equal_mass_groups(counts: NDArray[Any], groups: int) -> NDArray[np.int64]:
    """[bins] group of each bin: neighbours merged into at most `groups` of about equal mass."""
    n = np.asarray(counts, np.float64)
    middle = np.cumsum(n) - n / 2
    total = max(float(n.sum()), 1.0)
    return np.minimum((middle / total * groups).astype(np.int64), groups - 1)


def calibration_error(
    counts: NDArray[Any], expected: NDArray[Any], observed: NDArray[Any], group: NDArray[np.int64]
) -> Floats:
    """Expected calibration error: sum over groups of |expected - observed| / all rows.

    Args:
        counts, expected, observed: [..., bins] rows, sum of probabilities, sum of labels.
        group: [bins] group of each bin, as `equal_mass_groups` gives it.

    Returns:
        [...], nan where there are no rows (Naeini et al. 2015, with groups of equal mass).
    """
    onehot = np.eye(int(group.max()) + 1)[group]
    gap = np.abs((np.asarray(expected, np.float64) - observed) @ onehot).sum(axis=-1)
    rows = np.asarray(counts, np.float64).sum(axis=-1)
    return ratio(gap, rows)


def ratio(numerator: NDArray[Any], denominator: NDArray[Any]) -> Floats:
    """numerator / denominator, nan where the denominator is not positive; [...] each."""
    over, under = np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    safe = np.where(under > 0, under, 1.0)
    return np.asarray(np.where(under > 0, over / safe, np.nan), dtype=np.float64)


def pearson(x: Floats, y: Floats) -> float:
    """Correlation of two [N]; nan where one does not vary."""
    if len(x) < 2 or float(np.ptp(x)) == 0 or float(np.ptp(y)) == 0:
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1])


def spearman(x: Floats, y: Floats) -> float:
    """Rank correlation of two [N], ties with their mean rank; nan where one does not vary."""
    return pearson(rankdata(x), rankdata(y))


def monotone(values: Sequence[float], tolerance: float = 0.0) -> bool:
    """Whether no value lies more than `tolerance` below the one before it."""
    return bool(np.all(np.diff(np.asarray(values, np.float64)) >= -tolerance))
