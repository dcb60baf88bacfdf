"""Overlap features of query and item texts.

A pure function of the two texts and the vocabulary; numpy and Python only. All features are
finite: where one has no meaning (number match of a query without numbers) it takes the value of a
full match, and another feature says how many there were.
"""

import itertools
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from model.labelers.base import Pairs
from model.labelers.lexical.normal import is_number
from model.labelers.lexical.parsed import Parsed, parse_all
from model.labelers.lexical.similarity import token_similarity
from model.labelers.lexical.vocabulary import Vocabulary

FEATURES_VERSION = 1
FEATURES: tuple[str, ...] = (
    *("coverage", "idf_coverage", "item_coverage", "fuzzy_coverage", "fuzzy_idf_coverage"),
    *("worst_token", "largest_gap", "core_coverage", "trigram_coverage", "trigram_jaccard"),
    *("bigram_coverage", "order", "longest_run", "squeezed"),
    *("last_in_item", "last_is_head", "head_in_query", "last_in_core", "last_position"),
    *("first_in_item", "brand_in_query", "first_is_brand"),
    *("number_match", "measure_match", "query_numbers", "query_measures", "item_numbers"),
    *("colour_match", "query_colours", "other_colours"),
    *("query_length", "item_length", "query_characters", "mean_idf", "largest_idf", "unknown"),
)
"""Names of the columns, in their order."""
COSINE = "cosine"
"""Name of the column that the sentence encoder adds."""


def fit_vocabulary(items: Iterable[str]) -> Vocabulary:
    """Token frequencies of the distinct item texts among `items`."""
    return Vocabulary.of(parsed.words for parsed in parse_all(items).values())


def lexical_features(pairs: Pairs, vocabulary: Vocabulary) -> NDArray[np.float32]:
    """[N, len(FEATURES)] features of the pairs, in their order; texts are parsed once each."""
    queries, items = parse_all(pairs.queries), parse_all(pairs.items)
    out = np.zeros((len(pairs), len(FEATURES)), np.float32)
    for row, (query, item) in enumerate(zip(pairs.queries, pairs.items, strict=True)):
        out[row] = _features(queries[query], items[item], vocabulary)
    return out


def _features(query: Parsed, item: Parsed, vocabulary: Vocabulary) -> list[float]:
    idf = [vocabulary.idf(token) for token in query.content]
    best = [_best(token, item) for token in query.content]
    return [
        *_coverage(query, item, idf, best),
        *_characters(query, item),
        *_order(query, item),
        *_heads(query, item),
        *_attributes(query, item),
        *_lengths(query, item, idf, vocabulary),
    ]


def _best(token: str, item: Parsed) -> float:
    """Similarity of the item's token that is most alike; joined words count as found."""
    if token in item.content:
        return 1.0
    if len(token) >= 5 and token in item.squeezed:
        return 0.95
    return max((token_similarity(token, other) for other in item.content), default=0.0)


def _coverage(query: Parsed, item: Parsed, idf: list[float], best: list[float]) -> list[float]:
    """coverage .. core_coverage"""
    held = set(item.words)
    exact = [float(token in held) for token in query.content]
    asked = set(query.words)
    return [
        _mean(exact),
        _weighted(exact, idf),
        _share(sum(token in asked for token in item.content), len(item.content)),
        _mean(best),
        _weighted(best, idf),
        min(best, default=0.0),
        max((w * (1 - s) for w, s in zip(idf, best, strict=True)), default=1.0),
        _share(len(item.core & asked), len(item.core)),
    ]


def _characters(query: Parsed, item: Parsed) -> list[float]:
    """trigram_coverage, trigram_jaccard"""
    shared = len(query.trigrams & item.trigrams)
    union = len(query.trigrams) + len(item.trigrams) - shared
    return [_share(shared, len(query.trigrams)), _share(shared, union)]


def _order(query: Parsed, item: Parsed) -> list[float]:
    """bigram_coverage, order, longest_run, squeezed"""
    place = {token: at for at, token in reversed(list(enumerate(item.words)))}
    found = [place[token] for token in query.content if token in place]
    rising = sum(a < b for a, b in itertools.pairwise(found))
    run = longest = 0
    for earlier, at in zip([-9, *found], found, strict=False):
        run = run + 1 if at == earlier + 1 else 1
        longest = max(longest, run)
    return [
        _share(len(query.bigrams & item.bigrams), len(query.bigrams), empty=float(bool(found))),
        _share(rising, len(found) - 1),
        _share(longest, len(query.content)),
        float(bool(query.squeezed) and query.squeezed in item.squeezed),
    ]


def _heads(query: Parsed, item: Parsed) -> list[float]:
    """last_in_item .. first_is_brand"""
    first = query.content[0] if query.content else ""
    lead = item.content[:2]
    at = item.words.index(query.last) if query.last in item.words else -1
    return [
        _best(query.last, item),
        token_similarity(query.last, item.head),
        max((token_similarity(item.head, token) for token in query.content), default=0.0),
        float(query.last in item.core),
        _share(at + 1, len(item.words)),
        _best(first, item),
        float(any(token in query.content for token in lead)),
        max((token_similarity(first, token) for token in lead), default=0.0),
    ]


def _attributes(query: Parsed, item: Parsed) -> list[float]:
    """number_match .. other_colours"""
    return [
        _share(len(query.numbers & item.numbers), len(query.numbers), empty=1.0),
        _share(len(query.measures & item.measures), len(query.measures), empty=1.0),
        len(query.numbers),
        len(query.measures),
        len(item.numbers),
        _share(len(query.colours & item.colours), len(query.colours), empty=1.0),
        len(query.colours),
        len(item.colours - query.colours),
    ]


def _lengths(query: Parsed, item: Parsed, idf: list[float], vocabulary: Vocabulary) -> list[float]:
    """query_length .. unknown"""
    unknown = [
        float(token not in vocabulary.frequency and not is_number(token)) for token in query.content
    ]
    return [
        len(query.content),
        len(item.content),
        len(query.squeezed),
        _mean(idf),
        max(idf, default=0.0),
        _mean(unknown),
    ]


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _weighted(values: list[float], weights: list[float]) -> float:
    total = sum(weights)
    return sum(v * w for v, w in zip(values, weights, strict=True)) / total if total > 0 else 0.0


def _share(part: float, whole: float, empty: float = 0.0) -> float:
    return part / whole if whole > 0 else empty
