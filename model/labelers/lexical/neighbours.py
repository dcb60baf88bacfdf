"""Graded pairs like a pair: what people said of near queries and near items.

This is a nearest-neighbour regression over the sentence encoder's vectors, whose results are
features of a labeler. A query's own grades are never among its neighbours, neither at the fit nor
later: so the features mean the same for a query that people graded and for one that they did not.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from model.labelers.base import Pairs, Targets
from model.labelers.lexical.hashes import hash_keys

Floats32 = NDArray[np.float32]
FEATURES: tuple[str, ...] = (
    *("near_grade", "near_weight", "near_query_grade", "near_query", "near_item"),
    *("near_surplus", "nearest_grade"),
)
"""Names of the columns, in their order."""
NEAR_QUERIES = 40
"""Queries that count as near, at most (count): farther ones weigh next to nothing."""
_SHARPNESS = 12.0
"""A neighbour weighs exp(sharpness * (cosine - 1)), of the query and of the item."""
_PRIOR_OF_PAIRS, _PRIOR_OF_QUERIES = 0.02, 0.2
"""Weights of the mean grade in the means over neighbours."""
_FLOOR = 1e-6
"""Least sum of weights: keeps logarithms and quotients finite."""
_TOGETHER = 64
"""Queries whose cosines are computed together (count)."""


@dataclass(frozen=True)
class Neighbours:
    """Graded pairs, sorted by query.

    Attributes:
        keys: [Q] hash of each query's text, trimmed and in lower case.
        queries: [Q, D] unit vectors.
        items: [I, D] unit vectors of the distinct items.
        starts: [Q + 1] first pair of each query.
        item: [N] row of each pair's item.
        grade: [N] expected grade, 0 to 2.
        surplus: [N] expected grade less what the cosine of the pair says of it.
    """

    keys: NDArray[np.int64]
    queries: Floats32
    items: Floats32
    starts: NDArray[np.int64]
    item: NDArray[np.int64]
    grade: Floats32
    surplus: Floats32

    @classmethod
    def from_pairs(cls, pairs: Pairs, targets: Targets, queries: Floats32, items: Floats32) -> Self:
        """Keep graded pairs.

        Args:
            queries: [N, D] unit vectors of the pairs' queries.
            items: [N, D] unit vectors of their items.
        """
        keys = hash_keys(pairs.queries)
        order = np.argsort(keys, kind="stable")
        distinct, openings = np.unique(keys[order], return_index=True)
        rows = {text: row for row, text in enumerate(dict.fromkeys(pairs.items))}
        item = np.array([rows[text] for text in pairs.items], np.int64)
        place = np.zeros(len(rows), np.int64)
        place[item] = np.arange(len(item))
        grade = (targets.label_ge_1 + targets.label_ge_2).astype(np.float32)
        return cls(
            keys=distinct,
            queries=_round_vectors(queries[order[openings]]),
            items=_round_vectors(items[place]),
            starts=np.append(openings, len(order)).astype(np.int64),
            item=item[order],
            grade=grade[order],
            surplus=_compute_surplus(grade, _compute_cosines(queries, items))[order],
        )

    def compute_features(self, pairs: Pairs, queries: Floats32, items: Floats32) -> Floats32:
        """Compute the features [N, len(FEATURES)] of pairs with the vectors [N, D] of their queries
        and items."""
        out = np.zeros((len(pairs), len(FEATURES)), np.float32)
        keys = hash_keys(pairs.queries)
        order = np.argsort(keys, kind="stable")
        borders = np.flatnonzero(np.diff(keys[order])) + 1
        groups = np.split(order, borders) if len(order) else []
        for start in range(0, len(groups), _TOGETHER):
            block = groups[start : start + _TOGETHER]
            near = queries[[rows[0] for rows in block]] @ self.queries.T  # [_TOGETHER, Q]
            for rows, cosines in zip(block, near, strict=True):
                out[rows] = self._compare_query(int(keys[rows[0]]), cosines, items[rows])
        return out

    def select_queries(self, queries: NDArray[np.bool_]) -> "Neighbours":
        """Select the pairs of some of the queries [Q]; all item vectors stay."""
        counts = np.diff(self.starts)
        pairs = np.repeat(queries, counts)
        starts = np.append(0, np.cumsum(counts[queries])).astype(np.int64)
        return Neighbours(
            self.keys[queries],
            self.queries[queries],
            self.items,
            starts,
            self.item[pairs],
            self.grade[pairs],
            self.surplus[pairs],
        )

    def _compare_query(self, key: int, cosines: Floats32, items: Floats32) -> Floats32:
        """Compute the features [M, len(FEATURES)] of one query from its cosines with all [Q] and
        its items [M, D]."""
        mean = float(self.grade.mean()) if len(self.grade) else 0.0
        near = np.where(self.keys == key, -2.0, cosines)  # [Q]
        count = min(NEAR_QUERIES, int((near > -2.0).sum()))
        if count == 0:
            nothing = np.array([mean, np.log(_FLOOR), mean, -1.0, -1.0, 0.0, mean], np.float32)
            return np.tile(nothing, (len(items), 1))
        top = np.argpartition(-near, count - 1)[:count]
        pairs = np.concatenate([np.arange(self.starts[q], self.starts[q + 1]) for q in top])
        of_query = np.repeat(near[top], np.diff(self.starts)[top])  # [P]
        of_item = items @ self.items[self.item[pairs]].T  # [M, P]
        grade, weight = self.grade[pairs], np.exp(_SHARPNESS * (of_query - 1.0))
        both = weight * np.exp(_SHARPNESS * (of_item - 1.0))  # [M, P]
        total = both.sum(axis=1)
        by_query = float(weight.sum()) + _PRIOR_OF_QUERIES
        columns = [
            (both @ grade + _PRIOR_OF_PAIRS * mean) / (total + _PRIOR_OF_PAIRS),
            np.log(total + _FLOOR),
            (float(weight @ grade) + _PRIOR_OF_QUERIES * mean) / by_query,
            float(of_query.max()),
            of_item.max(axis=1),
            float(weight @ self.surplus[pairs]) / by_query,
            grade[np.argmax(of_query + of_item, axis=1)],
        ]
        return np.stack([np.broadcast_to(c, len(items)) for c in columns], axis=1)


def compute_out_of_fold(
    pairs: Pairs, graded: Neighbours, queries: Floats32, items: Floats32, folds: int = 5
) -> Floats32:
    """Compute the features of the graded pairs themselves, from the queries of the other folds.

    Later queries have neighbours among all graded pairs, these among (folds - 1) / folds of them.
    """
    keys = hash_keys(pairs.queries)
    out = np.zeros((len(pairs), len(FEATURES)), np.float32)
    for fold in range(folds):
        rows = np.flatnonzero(keys % folds == fold)
        others = graded.select_queries(graded.keys % folds != fold)
        out[rows] = others.compute_features(pairs.select_rows(rows), queries[rows], items[rows])
    return out


def _round_vectors(vectors: Floats32) -> Floats32:
    """Round vectors as they are saved, so that a loaded labeler answers as the fitted one."""
    rounded: Floats32 = vectors.astype(np.float16).astype(np.float32)
    return rounded


def _compute_cosines(queries: Floats32, items: Floats32) -> Floats32:
    cosines: Floats32 = np.einsum("nd,nd->n", queries, items).astype(np.float32)
    return cosines


def _compute_surplus(grade: Floats32, cosine: Floats32) -> Floats32:
    """Compute the residuals of the least-squares line of the grade on the cosine."""
    centred = cosine - cosine.mean()
    slope = float(centred @ grade) / max(float(centred @ centred), _FLOOR)
    residual: Floats32 = (grade - grade.mean() - slope * centred).astype(np.float32)
    return residual
