"""Four yardsticks of engagement over result pages as a log shows them, and a doubly robust one.

`logged` rewards whoever repeats the logger's order: what stood on top was looked at. `debiased`
corrects that by an examination curve, `off_policy` by the logger's own propensities without any
such curve, `doubly_robust` by both. `true` takes planted probabilities as gains, so only a
simulated log has it. All but `logged` and `true` are ratios of sums over all rows: the NDCG of a
page with one click is the same whatever the click weighs, so a correction has to weigh pages, too.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from model.arrays import Floats, Ints, Mask
from model.evaluation.lists import RankedLists
from model.evaluation.measured import Measured, compute_effective_size, measure_ndcg


@dataclass(frozen=True)
class Shown:
    """Rows of result pages, [N] each.

    Attributes:
        page, query, pair: codes of the page, its query, and the query with the item.
        position: logged rank, from 1.
        gains: sum_t w_t y_t of the logged outcomes.
        propensity: probability that the logger put this item at this position of a page of this
            query; not above 0 (or nan) where it was not logged.
        k: cut-off of the discounts (ranks).
    """

    page: Ints
    query: Ints
    pair: Ints
    position: Ints
    gains: Floats
    propensity: Floats
    k: int

    @cached_property
    def pages(self) -> RankedLists:
        """The pages as lists with the logged gains."""
        return RankedLists.from_codes(self.page, self.gains, self.k)

    @cached_property
    def randomised(self) -> Mask:
        """[N] rows of pages whose rows all have a propensity."""
        logged = self.propensity > 0
        missing = np.bincount(self.pages.index, ~logged, len(self.pages.any_row))
        return np.asarray(logged & (missing == 0)[self.pages.index])

    def compute_weights(self, cap: float) -> Floats:
        """Compute the inverse propensity [N], at most `cap`; 0 on pages that are not randomised."""
        inverse = 1.0 / np.where(self.randomised, self.propensity, 1.0)
        return np.asarray(np.where(self.randomised, np.minimum(inverse, cap), 0.0))

    def compute_share(self, weighted: Floats) -> float:
        """Compute the share of the pages that have a row with weight."""
        return len(np.unique(self.page[weighted != 0])) / max(len(self.pages.any_row), 1)


def measure_logged(shown: Shown, scores: Floats) -> Measured:
    """Measure the mean over queries of their pages' mean NDCG@k with the logged gains, as they were
    clicked; scores [N]."""
    return measure_ndcg(shown.pages, scores, shown.query)


def measure_true(shown: Shown, scores: Floats, truth: Floats) -> Measured:
    """Measure the mean over queries of their pages' mean NDCG@k with the planted gains
    sum_t w_t P_t at position 1, [N] each."""
    return measure_ndcg(RankedLists.from_codes(shown.page, truth, shown.k), scores, shown.query)


def measure_debiased(shown: Shown, scores: Floats, examination: Floats, floor: float) -> Measured:
    """Measure the mean discount of a unit of engagement, each weighted by 1 / examination.

        sum_i w_i g_i disc(rank_i) / sum_i w_i g_i,  w_i = 1 / max(e(position_i), floor)

    rank_i is the row's rank within its page under the scores. Clicks come with examination times
    attraction (position-based model), so both sums have the attractions of the shown items for
    expectation (Joachims, Swaminathan and Schnabel 2017, self-normalised as in Swaminathan and
    Joachims 2015).

    Args:
        scores: [N].
        examination: [K] relative examination of positions 1..K; later ones count as K.
        floor: least examination used, which bounds the weights.
    """
    at = np.minimum(shown.position, len(examination)) - 1
    gains = shown.gains / np.maximum(examination[at], floor)
    return _measure_weighted(shown, scores, gains)


def measure_off_policy(shown: Shown, scores: Floats, cap: float) -> Measured:
    """Measure the mean discount of a unit of engagement as if every item stood at every position
    equally often.

        sum_i w_i g_i disc(rank_i) / sum_i w_i g_i,  w_i = min(1 / propensity_i, cap)

    For a page of query q, E[sum_i w_i g_i f_i] = sum over items i and positions k that the logger
    can choose of E[g | i, k] E[f_i | i at k]: its choice of which item stands where is gone,
    whatever the examination is. With f the discount and with f = 1 the ratio is the self-normalised
    estimate of Swaminathan and Joachims 2015 (IPS by Horvitz and Thompson 1952); the cap trades
    some bias for variance (Ionides 2008). Rows without a propensity do not count. It says nothing
    of a score that reads the logged position: f would then depend on k, as the clicks do.
    """
    return _measure_weighted(shown, scores, shown.gains * shown.compute_weights(cap))


def measure_doubly_robust(
    shown: Shown, scores: Floats, examination: Floats, reward: Floats, cap: float
) -> Measured:
    """Measure the mean discount of the expected engagement of the pages as logged, by model and log
    together.

    The estimand, over pages p of the log and their items S_p, with a_i = sum_k E[g | i, k]:
        sum_p sum_{i in S_p} a_i disc(rank_ip) / sum_p sum_{i in S_p} a_i
    a_i is a reward model's a'_i = r_i sum_k e(k), plus what the log says that it is wrong by. Of
    that, a page p' of the same query gives an unbiased estimate w_ip' (g_ip' - r_i e(position)),
    w = 1 / propensity, and one that is independent of page p:
        sum_p sum_{i in S_p} disc_ip [ a'_i + 1/(n-1) sum_{p' != p} w_ip' (g_ip' - r_i e(k_ip')) ]
    over the n pages of a query (direct term plus weighted residuals: Dudik, Langford and Li 2011).
    It is right where the propensities are, whatever the model says, and where the model is,
    whatever the propensities are. Queries with one randomised page do not count. It takes an item's
    engagement for the same on all pages of a query.

    Args:
        scores: [N].
        examination: [K] relative examination of positions 1..K; later ones count as K.
        reward: [N] expected gain at position 1 by one model for all rankers; a pair's rows are
            averaged, as an item's gain is one number here.
        cap: largest inverse propensity.
    """
    rows = shown.randomised
    query, pair = _renumber(shown.query), _renumber(shown.pair)
    pages = _count_pages(shown, query)
    rows = rows & (pages[query] > 1)
    others = np.maximum(pages[query] - 1.0, 1.0)
    at = np.minimum(shown.position, len(examination)) - 1
    mean = _sum_by(pair, reward * rows)[pair] / np.maximum(_sum_by(pair, 1.0 * rows)[pair], 1.0)
    direct = np.where(rows, mean * _sum_examination(shown, query, rows, examination)[query], 0.0)
    weight = np.where(rows, shown.compute_weights(cap), 0.0)
    residual = weight * (shown.gains - mean * examination[at]) / others

    def sum_terms(factor: Floats) -> Floats:
        elsewhere = _sum_by(pair, factor)[pair] - factor
        return np.asarray(factor * direct + residual * elsewhere)

    discount = np.where(rows, shown.pages.compute_discounts(scores), 0.0)
    one = np.where(rows, 1.0, 0.0)
    evidence = weight * shown.gains * (_sum_by(pair, one)[pair] - one) / others
    return Measured(
        sum_terms(discount),
        sum_terms(one),
        compute_effective_size(evidence),
        shown.compute_share(evidence),
    )


def _measure_weighted(shown: Shown, scores: Floats, gains: Floats) -> Measured:
    return Measured(
        gains * shown.pages.compute_discounts(scores),
        gains,
        compute_effective_size(gains),
        shown.compute_share(gains),
    )


def _renumber(codes: Ints) -> Ints:
    return np.unique(codes, return_inverse=True)[1].astype(np.int64)


def _sum_by(index: Ints, values: Floats) -> Floats:
    return np.asarray(np.bincount(index, values), np.float64)


def _count_pages(shown: Shown, query: Ints) -> Floats:
    """Count the randomised pages of each query, [Q]."""
    of_page = shown.pages.any_row
    counts = np.bincount(query[of_page], shown.randomised[of_page], int(query.max(initial=-1)) + 1)
    return np.asarray(counts, np.float64)


def _sum_examination(shown: Shown, query: Ints, rows: Mask, examination: Floats) -> Floats:
    """Sum the examination over the positions of each query's pages that count, [Q]."""
    longest = np.zeros(int(query.max(initial=-1)) + 1, np.int64)
    np.maximum.at(longest, query[rows], shown.position[rows])
    reach = int(longest.max(initial=1))
    curve = examination[np.minimum(np.arange(reach), len(examination) - 1)]
    return np.asarray(np.concatenate([[0.0], np.cumsum(curve)])[longest])
