"""The lists that judge the arms of `bench.arms`, and the words for what came out.

The pool of a query is its candidates of the run, all of them, with features as of the run date: the
same rows for every arm, and what a night ranks. People's grades judge; an item without one, be it
an assumed filler, is unjudged. NDCG@K is taken over three kinds of lists of
`model.evaluation.relevance`; its condensed lists have the figure of the judged ones, since a list
without a relevant item has no NDCG. Means are over queries, averaged over seeds; intervals: 95 %,
bootstrap over query texts (a text's lists in all regions move together), paired.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from rich.table import Table

from bench.result import Result
from conf.load import ResolvedConf
from features.contracts import CANDIDATES, QUERIES, RELEVANCE_LABELS
from features.declarations import declare_features
from features.lookup import with_features
from features.text.texts import text_key
from jobs.platform.feature_reads import read_features
from jobs.platform.warehouse import Warehouse
from model.arrays import Floats, Ints
from model.evaluation.bootstrap import BlockBootstrap, Estimate
from model.evaluation.metrics import divide_sums
from model.evaluation.relevance import GradedLists

K, REPLICATES = 10, 1_000
"""Cut-off of the NDCG (ranks), bootstrap draws."""
WIDTH = 140
"""Of the printed table (characters)."""
LISTS = {
    "judged": "judged (and condensed)",
    "judged_mixed": "judged with both kinds",
    "pooled": "pooled",
}
"""Heading by kind of list."""
FEW, LABELLED, EQUAL, PRETRAINED, ALL = ARMS = ("few", "labelled", "equal", "pretrained", "all")
Sums = dict[str, Floats]
"""By kind of list: sum of NDCG and number of lists by query text, [2, T]."""


@dataclass(frozen=True)
class JudgedLists:
    """The candidates of the test queries.

    Attributes:
        query, text: [N] code of the query, and of its text in all regions (from 0).
        grade: [N] people's grade, 0 to 2; -1 where they did not judge the item.
        values: [N, F] features.
        names: [F] of the features.
    """

    query: Ints
    text: Ints
    grade: Floats
    values: NDArray[np.float32]
    names: list[str]

    def judge(self, scores: Floats) -> Sums:
        """Sum NDCG@K of every kind of list under the scores [N]."""
        sums = {}
        for kind in LISTS:
            ndcg = GradedLists.from_grades(kind, self.query, self.grade, K).measure_ndcg(scores)
            parts = (ndcg.numerator, ndcg.denominator)
            by_text = [np.bincount(self.text, part) for part in parts]
            sums[kind] = np.asarray(by_text, np.float64)
        return sums


def read_lists(warehouse: Warehouse, conf: ResolvedConf) -> JudgedLists:
    """Read the candidates of the test queries with people's grades and features."""
    queries = warehouse.read(QUERIES).where(F.col("bucket").isin(*conf.tree.split.test))
    graded = grade_candidates(
        warehouse.read_run(CANDIDATES), queries, warehouse.read(RELEVANCE_LABELS)
    )
    day = F.lit(conf.run_date)
    features = read_features(warehouse).as_of(day)
    names = [feature.name for feature in declare_features(conf.tree)]
    rows = graded.withColumn("as_of_date", day).transform(with_features(features))
    candidates = rows.select("query_id", "text", "people", *names).toPandas()
    query, text = (
        np.unique(candidates[name].to_numpy(str), return_inverse=True)[1]
        for name in ("query_id", "text")
    )
    values = candidates[names].to_numpy(np.float32)
    return JudgedLists(query, text, candidates["people"].to_numpy(np.float64), values, names)


def grade_candidates(candidates: DataFrame, queries: DataFrame, labels: DataFrame) -> DataFrame:
    """Add `text` and `people` (their grade, -1: none) to the candidates of some queries."""
    texts = queries.select("query_id", text_key(F.col("query_text")).alias("text"))
    human = labels.where("source = 'human'")
    people = human.groupBy("query_id", "item_id").agg(F.max("grade").alias("people"))
    return (
        candidates.join(texts, on="query_id", how="inner")
        .join(people, on=["query_id", "item_id"], how="left")
        .fillna(-1, ["people"])
    )


def average_seeds(by_seed: Sequence[Sums]) -> Sums:
    """Average the sums over seeds."""
    return {kind: np.mean([sums[kind] for sums in by_seed], axis=0) for kind in LISTS}


def describe_means(sums: Sums) -> str:
    """Describe the mean of each kind of list in words."""
    return ", ".join(
        f"{LISTS[kind]} {_compute_mean(of_kind):.4f}" for kind, of_kind in sums.items()
    )


def build_table(by_arm: Mapping[str, Sums]) -> Table:
    """Build a table of one row per arm: its mean, and its difference from FEW (FEW: its mean's
    interval), by kind of list."""
    table = Table("arm", *LISTS.values(), title=f"NDCG@{K}, and the difference from {FEW}")
    for arm, sums in by_arm.items():
        table.add_row(arm, *(_describe_arm(sums[kind], by_arm[FEW][kind]) for kind in LISTS))
    return table


def build_results(by_arm: Mapping[str, Sums]) -> list[Result]:
    """Build what further sets of labels bring over LABELLED, and the share of the distance from
    FEW to ALL that LABELLED closes."""
    results = []
    for kind, heading in LISTS.items():
        few, labelled, every = (by_arm[arm][kind] for arm in (FEW, LABELLED, ALL))
        for arm in (EQUAL, PRETRAINED):
            gap = _format_interval(_estimate_gap(by_arm[arm][kind], labelled), "+")
            results.append(Result(f"{arm} less {LABELLED}: {heading}", gap, "none", True))
        gaps = (labelled[0] - few[0], every[0] - few[0])
        share = _draw_texts(few).estimate(np.divide, few[1], *gaps)
        what = f"share of the distance closed: {heading}"
        results.append(Result(what, _format_interval(share), "none", True))
    return results


def _describe_arm(sums: Floats, few: Floats) -> str:
    if sums is few:
        return _format_interval(_draw_texts(few).estimate_mean(*few))
    gap = _format_interval(_estimate_gap(sums, few), "+")
    return f"{_compute_mean(sums):.4f}, {gap}"


def _compute_mean(sums: Floats) -> float:
    return float(divide_sums(*sums.sum(axis=1)))


def _estimate_gap(sums: Floats, other: Floats) -> Estimate:
    return _draw_texts(other).estimate_difference(sums[0], other[0], other[1])


def _draw_texts(sums: Floats) -> BlockBootstrap:
    return BlockBootstrap(sums.shape[1], REPLICATES, confidence=0.95, seed=17)


def _format_interval(estimate: Estimate, sign: str = "") -> str:
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:{sign}.4f}"
    return f"{estimate.value:{sign}.4f} ({estimate.low:{sign}.4f} to {estimate.high:{sign}.4f})"
