"""How well an item matches a query's words, compared with the other known items.

A pair's own overlap does not say whether a better match exists: half of the words is much for a
query that no item matches whole, and little where a hundred items do."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from model.labelers.base import Pairs
from model.labelers.lexical.hashes import hash_keys, hash_text, hash_word
from model.labelers.lexical.parsed import Parsed, TextParser
from model.labelers.lexical.vocabulary import Vocabulary

Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]
Ints = NDArray[np.int64]
FEATURES: tuple[str, ...] = (
    *("behind_best", "better_items", "items_as_good", "best_coverage", "items_at_best"),
    "full_matches",
)
"""Names of the columns, in their order."""
_WORDS = 12
"""Words of a query that are compared, the rarest first (count)."""
_SLACK = 1e-9
"""Rounding of a sum of weights: shares closer than this are equal."""


@dataclass(frozen=True)
class Catalogue:
    """The distinct item texts of the training pairs, by word.

    Attributes:
        words: [W] hashes of the words, sorted.
        starts: [W + 1] first entry of each word in `items`.
        items: [P] rows of the items that hold a word.
        known: [C] hashes of the item texts, sorted.
    """

    words: Ints
    starts: Ints
    items: NDArray[np.int32]
    known: Ints

    @classmethod
    def from_texts(cls, items: Iterable[str], parser: TextParser) -> Self:
        """Index the distinct texts."""
        parsed = parser.parse_all(items)
        held = [sorted({hash_word(word) for word in entry.words}) for entry in parsed.values()]
        rows = np.repeat(np.arange(len(held), dtype=np.int32), [len(words) for words in held])
        flat = np.array([word for words in held for word in words], np.int64)
        order = np.argsort(flat, kind="stable")
        words, openings = np.unique(flat[order], return_index=True)
        starts = np.append(openings, len(flat)).astype(np.int64)
        hashes = np.array(sorted(hash_text(text) for text in parsed), np.int64)
        return cls(words, starts, rows[order], hashes)

    def compute_features(
        self, pairs: Pairs, vocabulary: Vocabulary, parser: TextParser
    ) -> Floats32:
        """Compute the features [N, len(FEATURES)] of the pairs.

        With s the share of the query's words that an item holds, each word weighted by its idf,
        over the known items and the pair's own: s less the best s, log(1 + items of a larger s),
        log(1 + items of at least s), the best s, log(1 + items of that s), log(1 + items of s = 1).
        """
        queries, items = parser.parse_all(pairs.queries), parser.parse_all(pairs.items)
        listed = {text: self._is_listed(text) for text in items}
        keys = hash_keys(pairs.queries)
        order = np.argsort(keys, kind="stable")
        borders = np.flatnonzero(np.diff(keys[order])) + 1
        out = np.zeros((len(pairs), len(FEATURES)), np.float32)
        masks = np.zeros(len(self.known), np.int64)
        for rows in np.split(order, borders) if len(order) else []:
            texts = [pairs.items[row] for row in rows]
            words, weights = _choose_words(queries[pairs.queries[rows[0]]], vocabulary)
            out[rows] = _compute_standing(
                _compute_shares(_mask_items(words, [items[text] for text in texts]), weights),
                np.array([not listed[text] for text in texts]),
                *self._count_shares(words, weights, masks),
            )
        return out

    def _count_shares(
        self, words: Sequence[str], weights: Floats, masks: Ints
    ) -> tuple[Floats, Ints]:
        """Count the known items of each distinct share; shares rising.

        Only items that hold a word are touched. `masks` [C], bit k: the item holds word k, is zero
        before and after.
        """
        counts = np.zeros(1 << len(words), np.int64)
        counts[0] = len(self.known)
        held = [self._find_rows(word) for word in words]
        for place, rows in enumerate(held):
            before = masks[rows]
            counts += np.bincount(before | (1 << place), minlength=len(counts))
            counts -= np.bincount(before, minlength=len(counts))
            masks[rows] = before | (1 << place)
        for rows in held:
            masks[rows] = 0
        present = np.flatnonzero(counts)
        shares = _compute_shares(present, weights)
        order = np.argsort(shares, kind="stable")
        return shares[order], counts[present[order]]

    def _find_rows(self, word: str) -> NDArray[np.int32]:
        at = int(np.searchsorted(self.words, hash_word(word)))
        if at == len(self.words) or self.words[at] != hash_word(word):
            return self.items[:0]
        return self.items[self.starts[at] : self.starts[at + 1]]

    def _is_listed(self, item: str) -> bool:
        at = int(np.searchsorted(self.known, hash_text(item)))
        return at < len(self.known) and bool(self.known[at] == hash_text(item))


def _choose_words(query: Parsed, vocabulary: Vocabulary) -> tuple[list[str], Floats]:
    """Choose the query's rarest words, with their idf."""
    ranked = sorted(query.content, key=lambda word: (-vocabulary.compute_idf(word), word))[:_WORDS]
    return ranked, np.array([vocabulary.compute_idf(word) for word in ranked], np.float64)


def _mask_items(words: Sequence[str], items: Sequence[Parsed]) -> Ints:
    """Set bit k for each item [M] that holds word k."""
    held = [set(item.words) for item in items]
    masks = [sum(1 << k for k, word in enumerate(words) if word in some) for some in held]
    return np.array(masks, np.int64)


def _compute_shares(masks: Ints, weights: Floats) -> Floats:
    """Sum the weights whose bits are set, as a share of all."""
    total = np.zeros(len(masks))
    for place, weight in enumerate(weights):
        total += weight * ((masks >> place) & 1)
    return total / max(float(weights.sum()), _SLACK)


def _compute_standing(
    of_pairs: Floats, new: NDArray[np.bool_], shares: Floats, counts: Ints
) -> Floats32:
    """Compute the features [M, len(FEATURES)] of the pairs' shares beside the known ones; `new`:
    not among the known."""

    def count_at_least(share: Floats) -> Floats:
        """Count the items of that share or more, the pair's own among them."""
        reaching = np.append(np.cumsum(counts[::-1])[::-1], 0)
        others: Floats = reaching[np.searchsorted(shares, share - _SLACK)].astype(np.float64)
        return others + (new & (of_pairs >= share - _SLACK))

    best = np.maximum(shares[-1] if len(shares) else 0.0, of_pairs)
    columns = [
        of_pairs - best,
        np.log1p(count_at_least(of_pairs + 2 * _SLACK)),
        np.log1p(count_at_least(of_pairs)),
        best,
        np.log1p(count_at_least(best)),
        np.log1p(count_at_least(np.ones_like(of_pairs))),
    ]
    standing: Floats32 = np.stack(columns, axis=1).astype(np.float32)
    return standing
