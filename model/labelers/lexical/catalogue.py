"""How well an item matches a query's words beside the other items that are known.

A pair's own overlap does not say whether a better match exists: half of the words found is much
for a query that no item matches whole, and little where a hundred items do.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from model.labelers.base import Pairs
from model.labelers.lexical.hashes import key_hashes, text_hash, word_hash
from model.labelers.lexical.parsed import Parsed, parse_all
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
    def of(cls, items: Iterable[str]) -> Self:
        """Index the distinct texts."""
        parsed = parse_all(items)
        held = [sorted({word_hash(word) for word in entry.words}) for entry in parsed.values()]
        rows = np.repeat(np.arange(len(held), dtype=np.int32), [len(words) for words in held])
        flat = np.array([word for words in held for word in words], np.int64)
        order = np.argsort(flat, kind="stable")
        words, first = np.unique(flat[order], return_index=True)
        starts = np.append(first, len(flat)).astype(np.int64)
        known = np.array(sorted(text_hash(text) for text in parsed), np.int64)
        return cls(words, starts, rows[order], known)

    def features(self, pairs: Pairs, vocabulary: Vocabulary) -> Floats32:
        """[N, len(FEATURES)] of the pairs.

        With s the share of the query's words that an item holds, each word weighted by its idf,
        over the known items and the pair's own: s less the best s, log(1 + items of a larger s),
        log(1 + items of at least s), the best s, log(1 + items of that s), log(1 + items of s = 1).
        """
        queries, items = parse_all(pairs.queries), parse_all(pairs.items)
        known = {text: self._knows(text) for text in items}
        keys = key_hashes(pairs.queries)
        order = np.argsort(keys, kind="stable")
        borders = np.flatnonzero(np.diff(keys[order])) + 1
        out = np.zeros((len(pairs), len(FEATURES)), np.float32)
        masks = np.zeros(len(self.known), np.int64)
        for rows in np.split(order, borders) if len(order) else []:
            texts = [pairs.items[row] for row in rows]
            words, weights = _asked(queries[pairs.queries[rows[0]]], vocabulary)
            out[rows] = _standing(
                _shares(_own_masks(words, [items[text] for text in texts]), weights),
                np.array([not known[text] for text in texts]),
                *self._ladder(words, weights, masks),
            )
        return out

    def _ladder(self, words: Sequence[str], weights: Floats, masks: Ints) -> tuple[Floats, Ints]:
        """The distinct shares of the known items, rising, and the items of each (counts).

        Only items that hold a word are touched. `masks` [C], bit k: the item holds word k, is zero
        before and after.
        """
        counts = np.zeros(1 << len(words), np.int64)
        counts[0] = len(self.known)
        held = [self._rows(word) for word in words]
        for place, rows in enumerate(held):
            before = masks[rows]
            counts += np.bincount(before | (1 << place), minlength=len(counts))
            counts -= np.bincount(before, minlength=len(counts))
            masks[rows] = before | (1 << place)
        for rows in held:
            masks[rows] = 0
        present = np.flatnonzero(counts)
        shares = _shares(present, weights)
        order = np.argsort(shares, kind="stable")
        return shares[order], counts[present[order]]

    def _rows(self, word: str) -> NDArray[np.int32]:
        at = int(np.searchsorted(self.words, word_hash(word)))
        if at == len(self.words) or self.words[at] != word_hash(word):
            return self.items[:0]
        return self.items[self.starts[at] : self.starts[at + 1]]

    def _knows(self, item: str) -> bool:
        at = int(np.searchsorted(self.known, text_hash(item)))
        return at < len(self.known) and bool(self.known[at] == text_hash(item))


def _asked(query: Parsed, vocabulary: Vocabulary) -> tuple[list[str], Floats]:
    """The query's rarest words and their idf."""
    ranked = sorted(query.content, key=lambda word: (-vocabulary.idf(word), word))[:_WORDS]
    return ranked, np.array([vocabulary.idf(word) for word in ranked], np.float64)


def _own_masks(words: Sequence[str], items: Sequence[Parsed]) -> Ints:
    """[M] bit k: the item holds word k."""
    held = [set(item.words) for item in items]
    masks = [sum(1 << k for k, word in enumerate(words) if word in some) for some in held]
    return np.array(masks, np.int64)


def _shares(masks: Ints, weights: Floats) -> Floats:
    """Share of the weights whose bits are set."""
    total = np.zeros(len(masks))
    for place, weight in enumerate(weights):
        total += weight * ((masks >> place) & 1)
    return total / max(float(weights.sum()), _SLACK)


def _standing(own: Floats, new: NDArray[np.bool_], shares: Floats, counts: Ints) -> Floats32:
    """[M, len(FEATURES)] of shares `own` beside the known ones; `new`: not among the known."""

    def at_least(share: Floats) -> Floats:
        """Items of that share or more, the pair's own among them."""
        behind = np.append(np.cumsum(counts[::-1])[::-1], 0)
        others: Floats = behind[np.searchsorted(shares, share - _SLACK)].astype(np.float64)
        return others + (new & (own >= share - _SLACK))

    best = np.maximum(shares[-1] if len(shares) else 0.0, own)
    columns = [
        own - best,
        np.log1p(at_least(own + 2 * _SLACK)),
        np.log1p(at_least(own)),
        best,
        np.log1p(at_least(best)),
        np.log1p(at_least(np.ones_like(own))),
    ]
    standing: Floats32 = np.stack(columns, axis=1).astype(np.float32)
    return standing
