"""Compares many pairs of a query and an item at once: how well their texts fit.

Each kind of set (terms, trigrams, colours, ...) is one sparse matrix per side, rows of texts and
columns of members; what a pair shares is the product of its two rows.

BM25 (Robertson and Zaragoza 2009), for a query q and an item d of `length` tokens:
    sum over distinct terms t of q of  idf(t) * tf * (k1 + 1) / (tf + k1 * (1 - b + b * length/avg))
    idf(t) = ln(1 + (N - df + 0.5) / (df + 0.5))
Weights are rounded to `SCALE` and summed as whole numbers: a score never depends on the order of a
sum, nor do ties.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from model.text.reading import Reading
from model.text.rules import find_trigrams

COMPARER_VERSION = 2
"""Rises when a feature comes out otherwise for the same readings and statistics."""
SCALE = 1_000_000
"""Weights are whole millionths, whose sums are exact in any order."""
_CHUNK = 65_536
"""Pairs compared at once (count): their sparse rows take some tens of MB."""
FIT_FEATURES: tuple[str, ...] = (
    *("pair_bm25", "pair_token_overlap", "pair_trigram_overlap", "pair_brand_match"),
    *("pair_colour_match", "pair_size_match", "pair_number_match", "pair_item_overlap"),
    *("pair_idf_overlap", "pair_query_idf", "pair_head_match", "pair_last_match"),
)
"""Names of the columns, in their order; `features.declarations` says what each is."""
Floats = NDArray[np.float64]
Rows = NDArray[np.intp]


@dataclass(frozen=True)
class CatalogueFigures:
    """What BM25 needs of the catalogue.

    Attributes:
        items: texts of items (count).
        average_length: their tokens (mean count).
        frequencies: texts of items that hold a term (count); of any other term none does.
        k1, b: BM25's saturation and length normalisation.
    """

    items: int
    average_length: float
    frequencies: Mapping[str, int]
    k1: float
    b: float


def compare_readings(
    queries: Sequence[Reading],
    items: Sequence[Reading],
    at_query: Rows,
    at_item: Rows,
    figures: CatalogueFigures,
) -> NDArray[np.float32]:
    """Compute the features [N, len(FIT_FEATURES)] of N pairs.

    Args:
        at_query, at_item: [N], the rows of the pairs' texts among `queries` and `items`.
    """
    sides = _Sides(queries, items, figures)
    out = np.zeros((len(at_query), len(FIT_FEATURES)), np.float32)
    for start in range(0, len(at_query), _CHUNK):
        part = slice(start, start + _CHUNK)
        out[part] = sides.compare(at_query[part], at_item[part])
    return out


class _Sides:
    """The matrices of all texts; see the module."""

    def __init__(
        self, queries: Sequence[Reading], items: Sequence[Reading], figures: CatalogueFigures
    ) -> None:
        terms = [r.tokens for r in queries]
        words = [r.tokens for r in items]
        vocabulary = _Members(terms)
        self.terms, counts = vocabulary.mark(terms), vocabulary.count(words)
        self.words = (counts > 0).astype(np.float64)
        self.item_terms = np.array([len(set(w)) for w in words], np.float64)
        idf = _compute_idf(vocabulary.names, figures)
        self.idf = _scale(idf)
        self.weights = _weigh_terms(counts, [len(w) for w in words], idf, figures)
        self.heads = vocabulary.mark([[r.head] if r.head else [] for r in items])
        self.brands = vocabulary.mark([r.brand for r in items])
        self.brand_terms = np.array([len(r.brand) for r in items], np.float64)
        self.numbers = vocabulary.mark([r.numbers for r in queries])
        self.trigrams = _mark_both([find_trigrams(t) for t in terms], map(find_trigrams, words))
        self.colours = _mark_both([r.colours for r in queries], (r.colours for r in items))
        self.sizes = _mark_both([r.sizes for r in queries], (r.sizes for r in items))
        self.has_colour = np.array([len(r.colours) > 0 for r in items], np.bool_)
        self.has_size = np.array([len(r.sizes) > 0 for r in items], np.bool_)
        self.last = np.array([r.head for r in queries], object)
        self.head = np.array([r.head for r in items], object)

    def compare(self, query: Rows, item: Rows) -> Floats:
        """Compute the features [N, len(FIT_FEATURES)] of some pairs."""
        terms, words = self.terms[query], self.words[item]
        both = terms.multiply(words)
        shared, of_query = _sum_rows(both), _sum_rows(terms)
        total = terms @ self.idf
        numbers = self.numbers[query]
        brand = self.brand_terms[item]
        columns = (
            _sum_rows(terms.multiply(self.weights[item])) / SCALE,
            _divide(shared, of_query),
            _divide(_count_shared(self.trigrams, query, item), _sum_rows(self.trigrams[0][query])),
            (brand > 0) & (_sum_rows(terms.multiply(self.brands[item])) == brand),
            _compare_three_ways(self.colours, query, item, self.has_colour),
            _compare_three_ways(self.sizes, query, item, self.has_size),
            _divide(_sum_rows(numbers.multiply(words)), _sum_rows(numbers)),
            _divide(shared, self.item_terms[item]),
            _divide(both @ self.idf, total),
            _divide(total, SCALE * of_query),
            _sum_rows(terms.multiply(self.heads[item])),
            (self.last[query] == self.head[item]) & (self.head[item] != ""),
        )
        return np.stack([np.asarray(c, np.float64) for c in columns], axis=1)


class _Members:
    """Columns for the distinct members of the queries' sets; a member of items alone has none."""

    def __init__(self, sets: Sequence[Sequence[str]]) -> None:
        _, names = pd.factorize(np.array(list(chain.from_iterable(sets)), object))
        self.names = pd.Index(names)

    def count(self, sets: Sequence[Sequence[str]]) -> csr_matrix:
        """Count how often each member stands in each of the lists, [rows, members]."""
        lengths = np.fromiter(map(len, sets), np.intp, len(sets))
        column = self.names.get_indexer(pd.Index(list(chain.from_iterable(sets)), dtype=object))
        row = np.repeat(np.arange(len(sets)), lengths)
        is_member = column >= 0
        counted = csr_matrix(
            (np.ones(is_member.sum()), (row[is_member], column[is_member])),
            (len(sets), len(self.names)),
        )
        counted.sum_duplicates()
        return counted

    def mark(self, sets: Sequence[Sequence[str]]) -> csr_matrix:
        """Mark with 1 which members each of the lists holds, [rows, members]."""
        return (self.count(sets) > 0).astype(np.float64)


def _mark_both(of_queries: Sequence[Sequence[str]], of_items: object) -> tuple[csr_matrix, ...]:
    members = _Members(of_queries)
    return members.mark(of_queries), members.mark(list(of_items))  # type: ignore[call-overload]


def _compute_idf(terms: pd.Index, figures: CatalogueFigures) -> Floats:
    df = np.array([figures.frequencies.get(term, 0) for term in terms], np.float64)
    idf: Floats = np.log1p((figures.items - df + 0.5) / (df + 0.5))
    return idf


def _weigh_terms(
    counts: csr_matrix, lengths: Sequence[int], idf: Floats, figures: CatalogueFigures
) -> csr_matrix:
    """Weigh each term of each item by BM25, [items, terms], times SCALE."""
    entries = counts.tocoo()
    average = max(figures.average_length, 1e-9)  # of a catalogue without tokens: none has a weight
    length = 1 - figures.b + figures.b * np.asarray(lengths, np.float64)[entries.row] / average
    saturation = entries.data * (figures.k1 + 1) / (entries.data + figures.k1 * length)
    weights = _scale(idf[entries.col] * saturation)
    return csr_matrix((weights, (entries.row, entries.col)), counts.shape)


def _compare_three_ways(
    sides: tuple[csr_matrix, ...], query: Rows, item: Rows, has: NDArray[np.bool_]
) -> Floats:
    """Give 1 where the pair shares a value, -1 where both name values and none is shared, else
    0."""
    both = (_sum_rows(sides[0][query]) > 0) & has[item]
    return np.where(both, np.where(_count_shared(sides, query, item) > 0, 1.0, -1.0), 0.0)


def _count_shared(sides: tuple[csr_matrix, ...], query: Rows, item: Rows) -> Floats:
    return _sum_rows(sides[0][query].multiply(sides[1][item]))


def _sum_rows(matrix: csr_matrix) -> Floats:
    sums: Floats = np.asarray(matrix.sum(axis=1), np.float64).ravel()
    return sums


def _divide(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)


def _scale(weights: Floats) -> Floats:
    """Round to whole millionths, halves upwards."""
    scaled: Floats = np.floor(weights * SCALE + 0.5)
    return scaled
