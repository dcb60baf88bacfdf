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
from model.labelers.lexical.parsed import Parsed, TextParser
from model.labelers.lexical.similarity import compare_tokens
from model.labelers.lexical.vocabulary import Vocabulary
from model.text.rules import is_number

FEATURES_VERSION = 2
"""Rises when a feature is computed in another way: it is part of a labeler's version."""
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


def fit_vocabulary(items: Iterable[str], parser: TextParser) -> Vocabulary:
    """Count the tokens of the distinct item texts among `items`."""
    return Vocabulary.from_texts(parsed.words for parsed in parser.parse_all(items).values())


def compute_lexical_features(
    pairs: Pairs, vocabulary: Vocabulary, parser: TextParser
) -> NDArray[np.float32]:
    """Compute the features [N, len(FEATURES)] of the pairs, in their order; each text is parsed
    once."""
    queries, items = parser.parse_all(pairs.queries), parser.parse_all(pairs.items)
    out = np.zeros((len(pairs), len(FEATURES)), np.float32)
    for row, (query, item) in enumerate(zip(pairs.queries, pairs.items, strict=True)):
        out[row] = _compute_features(queries[query], items[item], vocabulary)
    return out


def _compute_features(query: Parsed, item: Parsed, vocabulary: Vocabulary) -> list[float]:
    idf = [vocabulary.compute_idf(token) for token in query.content]
    best = [_find_similarity(token, item) for token in query.content]
    return [
        *_compare_words(query, item, idf, best),
        *_compare_characters(query, item),
        *_compare_order(query, item),
        *_compare_heads(query, item),
        *_compare_attributes(query, item),
        *_measure_lengths(query, item, idf, vocabulary),
    ]


def _find_similarity(token: str, item: Parsed) -> float:
    """Find how alike the most similar token of the item is; a word within its joined words counts
    as found."""
    if token in item.content:
        return 1.0
    if len(token) >= 5 and token in item.squeezed:
        return 0.95
    return max((compare_tokens(token, other) for other in item.content), default=0.0)


def _compare_words(query: Parsed, item: Parsed, idf: list[float], best: list[float]) -> list[float]:
    """Compute the features coverage to core_coverage."""
    held = set(item.words)
    exact = [float(token in held) for token in query.content]
    asked = set(query.words)
    return [
        _average(exact),
        _average_weighted(exact, idf),
        _divide(sum(token in asked for token in item.content), len(item.content)),
        _average(best),
        _average_weighted(best, idf),
        min(best, default=0.0),
        max((w * (1 - s) for w, s in zip(idf, best, strict=True)), default=1.0),
        _divide(len(item.core & asked), len(item.core)),
    ]


def _compare_characters(query: Parsed, item: Parsed) -> list[float]:
    """Compute the features trigram_coverage and trigram_jaccard."""
    shared = len(query.trigrams & item.trigrams)
    union = len(query.trigrams) + len(item.trigrams) - shared
    return [_divide(shared, len(query.trigrams)), _divide(shared, union)]


def _compare_order(query: Parsed, item: Parsed) -> list[float]:
    """Compute the features bigram_coverage, order, longest_run and squeezed."""
    place = {token: at for at, token in reversed(list(enumerate(item.words)))}
    places = [place[token] for token in query.content if token in place]
    rising = sum(a < b for a, b in itertools.pairwise(places))
    run = longest = 0
    for earlier, at in zip([-9, *places], places, strict=False):
        run = run + 1 if at == earlier + 1 else 1
        longest = max(longest, run)
    return [
        _divide(len(query.bigrams & item.bigrams), len(query.bigrams), empty=float(bool(places))),
        _divide(rising, len(places) - 1),
        _divide(longest, len(query.content)),
        float(bool(query.squeezed) and query.squeezed in item.squeezed),
    ]


def _compare_heads(query: Parsed, item: Parsed) -> list[float]:
    """Compute the features last_in_item to first_is_brand."""
    opening = query.content[0] if query.content else ""
    lead = item.content[:2]
    at = item.words.index(query.last) if query.last in item.words else -1
    return [
        _find_similarity(query.last, item),
        compare_tokens(query.last, item.head),
        max((compare_tokens(item.head, token) for token in query.content), default=0.0),
        float(query.last in item.core),
        _divide(at + 1, len(item.words)),
        _find_similarity(opening, item),
        float(any(token in query.content for token in lead)),
        max((compare_tokens(opening, token) for token in lead), default=0.0),
    ]


def _compare_attributes(query: Parsed, item: Parsed) -> list[float]:
    """Compute the features number_match to other_colours."""
    return [
        _divide(len(query.numbers & item.numbers), len(query.numbers), empty=1.0),
        _divide(len(query.measures & item.measures), len(query.measures), empty=1.0),
        len(query.numbers),
        len(query.measures),
        len(item.numbers),
        _divide(len(query.colours & item.colours), len(query.colours), empty=1.0),
        len(query.colours),
        len(item.colours - query.colours),
    ]


def _measure_lengths(
    query: Parsed, item: Parsed, idf: list[float], vocabulary: Vocabulary
) -> list[float]:
    """Compute the features query_length to unknown."""
    unknown = [
        float(token not in vocabulary.frequency and not is_number(token)) for token in query.content
    ]
    return [
        len(query.content),
        len(item.content),
        len(query.squeezed),
        _average(idf),
        max(idf, default=0.0),
        _average(unknown),
    ]


def _average(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _average_weighted(values: list[float], weights: list[float]) -> float:
    total = sum(weights)
    return sum(v * w for v, w in zip(values, weights, strict=True)) / total if total > 0 else 0.0


def _divide(part: float, total: float, empty: float = 0.0) -> float:
    return part / total if total > 0 else empty
