"""What the known items nearest to a query are like, and how like them an item is.

Pseudo-relevance feedback (Lavrenko and Croft 2001 is the classic): the items nearest to the query
say what kind of thing is asked for, in words that the query itself lacks.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from model.labelers.base import Pairs
from model.labelers.hashes import key_hashes, text_hash, word_hash
from model.labelers.parsed import Parsed, parse_all
from model.labelers.vocabulary import Vocabulary

Floats32 = NDArray[np.float32]
Ints = NDArray[np.int64]
FEATURES: tuple[str, ...] = ("like_head", "like_first", "like_words", "like_vector")
"""Names of the columns, in their order."""
NEAREST = 61
"""Known items that are taken; an item is not compared with itself, which leaves sixty (count)."""


@dataclass(frozen=True)
class NearestItems:
    """Words of the distinct item texts, in the order in which they first come.

    Attributes:
        texts: [I] hash of each text.
        heads: [I] hash of its head, the word that says what it is.
        firsts: [I] hash of its first word, often the brand.
        starts: [I + 1] first entry of each text in `words`.
        words: [P] hashes of its distinct words.
    """

    texts: Ints
    heads: Ints
    firsts: Ints
    starts: Ints
    words: Ints

    @classmethod
    def of(cls, items: Iterable[str]) -> Self:
        """Keep the distinct texts."""
        parsed = parse_all(items)
        held = [list(_words(entry)) for entry in parsed.values()]
        starts = np.cumsum([0, *map(len, held)])
        return cls(
            texts=np.array([text_hash(text) for text in parsed], np.int64),
            heads=np.array([word_hash(entry.head) for entry in parsed.values()], np.int64),
            firsts=np.array([word_hash(_first(entry)) for entry in parsed.values()], np.int64),
            starts=starts.astype(np.int64),
            words=np.array([word for words in held for word in words], np.int64),
        )

    def features(
        self,
        pairs: Pairs,
        vectors: Floats32,
        queries: Floats32,
        items: Floats32,
        vocabulary: Vocabulary,
    ) -> Floats32:
        """[N, len(FEATURES)] of the pairs.

        Of the sixty known items nearest to the query: the share that has the item's head, the share
        that has its first word, the mean share over its words, each weighted by its idf, and the
        item's mean cosine with them.

        Args:
            vectors: [I, D] unit vectors of the known items.
            queries, items: [N, D] unit vectors of the pairs' queries and items.
        """
        keys = key_hashes(pairs.queries)
        order = np.argsort(keys, kind="stable")
        borders = np.flatnonzero(np.diff(keys[order])) + 1
        parsed = parse_all(pairs.items)
        out = np.zeros((len(pairs), len(FEATURES)), np.float32)
        for rows in np.split(order, borders) if len(order) else []:
            near = _nearest(vectors, queries[rows[0]])
            texts = [pairs.items[row] for row in rows]
            out[rows, :3] = self._shares(near, texts, parsed, vocabulary)
            out[rows, 3] = self._cosines(near, texts, vectors[near], items[rows])
        return out

    def _shares(
        self, near: Ints, texts: Sequence[str], parsed: dict[str, Parsed], vocabulary: Vocabulary
    ) -> list[tuple[float, float, float]]:
        """like_head, like_first, like_words"""
        heads, firsts = Counter(self.heads[near].tolist()), Counter(self.firsts[near].tolist())
        spans = [self.words[self.starts[row] : self.starts[row + 1]] for row in near]
        words = Counter(np.concatenate(spans).tolist() if spans else [])
        own = self._is_near(near, texts)
        found = []
        for text, itself in zip(texts, own.tolist(), strict=True):
            item, others = parsed[text], max(len(near) - itself, 1)
            idf = {word_hash(word): vocabulary.idf(word) for word in item.words}
            held = sum(weight * (words[word] - itself) for word, weight in idf.items())
            found.append(
                (
                    (heads[word_hash(item.head)] - itself) / others,
                    (firsts[word_hash(_first(item))] - itself) / others,
                    held / (others * sum(idf.values())) if idf else 0.0,
                )
            )
        return found

    def _cosines(
        self, near: Ints, texts: Sequence[str], vectors: Floats32, items: Floats32
    ) -> Floats32:
        """like_vector"""
        own = self._is_near(near, texts)
        total = items @ vectors.sum(axis=0, dtype=np.float32)
        mean: Floats32 = ((total - own) / np.maximum(len(near) - own, 1)).astype(np.float32)
        return mean

    def _is_near(self, near: Ints, texts: Sequence[str]) -> Ints:
        """[M] 1 where the item itself is among the nearest."""
        known = set(self.texts[near].tolist())
        return np.array([int(text_hash(text) in known) for text in texts], np.int64)


def _nearest(vectors: Floats32, query: Floats32) -> Ints:
    """Rows of the nearest, all where there are fewer."""
    if len(vectors) <= NEAREST:
        return np.arange(len(vectors), dtype=np.int64)
    cosines = vectors @ query
    return np.argpartition(-cosines, NEAREST - 1)[:NEAREST].astype(np.int64)


def _words(item: Parsed) -> dict[int, None]:
    return dict.fromkeys(word_hash(word) for word in item.words)


def _first(item: Parsed) -> str:
    return item.content[0] if item.content else ""
