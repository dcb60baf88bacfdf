"""What the labeler's overlap features would add to the ranker's fit features, on Home Depot.

Trees learn people's grades from the features that the ranker has (fit features of the texts, their
cosine, what the query looks like), and from these and parts of the features of the labeler
`lexical`. Fitted on buckets 0 to 4 (a sixth of the queries chooses the number of trees), judged on
bucket 5 over judged lists, lists with a relevant and an irrelevant item, and pooled lists: the
BM25_BEST best titles by BM25, those that nobody judged as irrelevant. Buckets as in
`homedepot_pairs`. Three seeds; intervals of 95 % by bootstrap over queries of the mean over
the seeds.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import lightgbm
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from scipy.sparse import csr_matrix

from bench.labels.homedepot_pairs import GradedPairs, find_file, read_pairs
from bench.result import Result
from conf.load import load_conf
from conf.sections.language import read_english
from model.arrays import Floats, Ints
from model.evaluation.measured import Measured
from model.evaluation.relevance import CLEAR_GRADES, GradedLists, measure_clear_pairs
from model.labelers.base import Pairs
from model.labelers.lexical.features import FEATURES, compute_lexical_features, fit_vocabulary
from model.labelers.lexical.parsed import TextParser
from model.text.comparing import CatalogueFigures, compare_readings
from model.text.encoder import find_encoder, load_encoder
from model.text.reading import ItemText, Reading, read_item, read_query
from model.text.rules import TextRules

SEEDS, REPLICATES, BM25_BEST, K = (1, 2, 3), 400, 50, 10
"""Of the trees; draws behind an interval; titles of a pooled list; cut-off (ranks)."""
PARTS: dict[str, Sequence[str]] = {
    "all of them": FEATURES,
    "spelling": ("fuzzy_coverage", "fuzzy_idf_coverage", "worst_token", "largest_gap"),
    "word order": ("bigram_coverage", "order", "longest_run", "squeezed"),
    "shared trigrams of both": ("trigram_jaccard",),
    "heads and brands": (
        *("last_in_item", "last_is_head", "head_in_query", "last_in_core", "last_position"),
        *("first_in_item", "brand_in_query", "first_is_brand", "core_coverage"),
    ),
    "lengths and counts": (
        *("item_length", "query_length", "query_characters", "mean_idf", "largest_idf", "unknown"),
        *("item_numbers", "measure_match", "query_measures", "query_colours", "other_colours"),
    ),
}
"""Features of the labeler that are added to the ranker's, by the name of the arm."""
Matrix = NDArray[np.float64]
Sums = dict[str, tuple[Floats, Floats]]
"""By kind of list: numerators and denominators by query, [Q] each."""


def measure() -> list[Result]:
    """Measure one result per arm and kind of list; nothing where the data is absent. There is no
    limit."""
    path = find_file()
    if path is None:
        Console().print("fit_features: skipped, no Home Depot pairs under COUNTERPOISE_DATA")
        return []
    graded = read_pairs(path, range(5), brands=True)
    judged = read_pairs(path, [5], brands=True)
    texts = _Texts(graded, judged)
    test, grades = texts.pool_lists(judged)
    known, asked = (texts.compute_ranker_features(pairs) for pairs in (graded.pairs, test))
    added = [
        compute_lexical_features(pairs, texts.vocabulary, texts.parser)
        for pairs in (graded.pairs, test)
    ]
    lists = _Lists(np.unique(test.queries, return_inverse=True)[1].astype(np.int64), grades)
    learn = np.unique(graded.pairs.queries, return_inverse=True)[1].astype(np.int64)
    base = [lists.judge(_fit_trees(known, graded.grades, learn, seed, asked)) for seed in SEEDS]
    results = list(_describe("the ranker's features", base, None))
    for arm, names in PARTS.items():
        at = [FEATURES.index(name) for name in names]
        wide = [np.hstack([x, y[:, at]]) for x, y in zip((known, asked), added, strict=True)]
        sums = [
            lists.judge(_fit_trees(wide[0], graded.grades, learn, seed, wide[1])) for seed in SEEDS
        ]
        results += _describe(f"and {arm}", sums, base)
    return results


class _Texts:
    """All texts, read once."""

    def __init__(self, *parts: GradedPairs) -> None:
        rules = TextRules(read_english())
        self.queries = sorted({q for part in parts for q in part.pairs.queries})
        self.items = sorted({t for part in parts for t in part.pairs.items})
        self.at_query = {query: at for at, query in enumerate(self.queries)}
        self.at_item = {item: at for at, item in enumerate(self.items)}
        self.asked = [read_query(query, rules) for query in self.queries]
        self.held = [read_item(ItemText(t, t, "", "", "", ""), rules) for t in self.items]
        frequencies = Counter(word for item in self.held for word in set(item.tokens))
        self.columns = {term: at for at, term in enumerate(frequencies)}
        length = float(np.mean([len(item.tokens) for item in self.held]))
        conf = load_conf().tree
        self.figures = CatalogueFigures(
            len(self.held), length, frequencies, conf.features.bm25_k1, conf.features.bm25_b
        )
        encoder = load_encoder(find_encoder(conf.encoder))
        self.vectors = encoder.encode(self.queries), encoder.encode(self.items)
        self.parser = TextParser(rules)
        self.vocabulary = fit_vocabulary(self.items, self.parser)

    def compute_ranker_features(self, pairs: Pairs) -> Matrix:
        """Compute the fit features, the cosine and the query's own features of N pairs, [N, F]."""
        query = np.array([self.at_query[text] for text in pairs.queries])
        item = np.array([self.at_item[text] for text in pairs.items])
        fit = compare_readings(self.asked, self.held, query, item, self.figures)
        cosine = (self.vectors[0][query] * self.vectors[1][item]).sum(axis=1)
        looks = np.array(
            [_describe_query(r, t) for r, t in zip(self.asked, self.queries, strict=True)]
        )
        return np.hstack([fit, cosine[:, None], looks[query]])

    def pool_lists(self, judged: GradedPairs) -> tuple[Pairs, Floats]:
        """Add the titles that BM25 ranks first to the judged pairs, with grade -1: nobody judged
        them."""
        queries, items = list(judged.pairs.queries), list(judged.pairs.items)
        known, weights = set(zip(queries, items, strict=True)), self._weigh_terms()
        for query in sorted(set(queries)):
            asked = [
                self.columns[t]
                for t in set(self.asked[self.at_query[query]].tokens)
                if t in self.columns
            ]
            scores = np.asarray(weights[:, asked].sum(axis=1)).ravel()
            best = (self.items[at] for at in np.argsort(-scores, kind="stable")[:BM25_BEST])
            new = [item for item in best if (query, item) not in known]
            queries += [query] * len(new)
            items += new
        unjudged = np.full(len(queries) - len(judged.grades), -1.0)
        return Pairs(queries, items), np.concatenate([judged.grades, unjudged])

    def _weigh_terms(self) -> csr_matrix:
        """Weigh the terms of the items by BM25, [items, terms]."""
        f = self.figures
        entries = [
            (row, self.columns[term], count, len(item.tokens))
            for row, item in enumerate(self.held)
            for term, count in Counter(item.tokens).items()
        ]
        row, column, count, length = np.array(entries).T
        df = np.array(list(f.frequencies.values()))[column]
        idf = np.log1p((f.items - df + 0.5) / (df + 0.5))
        norm = f.k1 * (1 - f.b + f.b * length / f.average_length)
        weights = idf * count * (f.k1 + 1) / (count + norm)
        return csr_matrix((weights, (row, column)), (len(self.held), len(self.columns)))


@dataclass(frozen=True)
class _Lists:
    """The lists of the test: query and grade (-1: nobody judged the item) of each row, [N]."""

    query: Ints
    grade: Floats

    def judge(self, scores: Floats) -> Sums:
        """Sum every kind of list by query."""
        measured = {
            kind: GradedLists.from_grades(kind, self.query, self.grade, K).measure_ndcg(scores)
            for kind in ("judged", "judged_mixed", "pooled")
        }
        measured["clear pairs"] = measure_clear_pairs(self.query, self.grade, CLEAR_GRADES, scores)
        return {kind: self._sum_by_query(one) for kind, one in measured.items()}

    def _sum_by_query(self, one: Measured) -> tuple[Floats, Floats]:
        over, under = (np.bincount(self.query, x) for x in (one.numerator, one.denominator))
        return over.astype(np.float64), under.astype(np.float64)


def _fit_trees(features: Matrix, grades: Ints, query: Ints, seed: int, asked: Matrix) -> Floats:
    """Fit the expected grade and predict it for `asked`."""
    generator = np.random.default_rng(seed)
    chosen = generator.permutation(int(query.max()) + 1)[: (int(query.max()) + 1) // 6]
    held_out = np.isin(query, chosen)
    learnt = lightgbm.Dataset(features[~held_out], grades[~held_out])
    watched = lightgbm.Dataset(features[held_out], grades[held_out], reference=learnt)
    settings = {
        "objective": "regression",
        "learning_rate": 0.05,
        "num_leaves": 31,
        "min_data_in_leaf": 50,
        "feature_fraction": 0.8,
        "seed": seed,
        "num_threads": 1,
        "verbose": -1,
    }
    stop = lightgbm.early_stopping(30, verbose=False)
    trees = lightgbm.train(settings, learnt, 400, valid_sets=[watched], callbacks=[stop])
    return np.asarray(trees.predict(asked), np.float64)


def _describe(arm: str, sums: Sequence[Sums], base: Sequence[Sums] | None) -> Iterator[Result]:
    """Describe each kind of list: the mean over seeds, and its difference from `base`."""
    for kind, (_, under) in sums[0].items():
        total = np.mean([one[kind][0] for one in sums], axis=0)
        words = f"{total.sum() / under.sum():.4f}"
        if base is not None:
            gap = total - np.mean([one[kind][0] for one in base], axis=0)
            counted = np.flatnonzero(under)
            picks = np.random.default_rng(0).choice(counted, (REPLICATES, len(counted)))
            low, high = np.quantile(
                gap[picks].sum(axis=1) / under[picks].sum(axis=1), (0.025, 0.975)
            )
            words = f"{gap.sum() / under.sum():+.4f} ({low:+.4f} to {high:+.4f})"
        yield Result(f"{arm}: {kind}", words, "none", True)


def _describe_query(reading: Reading, text: str) -> list[float]:
    """Describe a query as the ranker sees it: its length, and whether it names numbers or sizes."""
    return [len(reading.tokens), len(text), len(reading.numbers) > 0, len(reading.sizes) > 0]
