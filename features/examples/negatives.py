"""Pairs that nobody graded, taken as irrelevant: negatives of the relevance head.

Three kinds, each with a weight of its own in conf `training_set.negatives`: items that a page of
the training days showed for the query, candidates, and random items of the catalogue. A pair is of
the first kind that it can be: what was ever shown is no negative of the other two, a candidate none
of the last. Only training queries that have a label get any; validation and test rows get none. A
pair is no negative where anybody labelled it (also a labeler that is not admitted), or where
anybody clicked, carted or bought it.
"""

from dataclasses import dataclass
from functools import reduce

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from conf.schema import Conf
from conf.sections.training import NegativesConf
from features.draws import draw_hash
from features.log.first_known import EVENTS

SOURCE = "negative"
"""Value of label_source; labeler_version has the kind."""
_PAIR = ["query_id", "item_id"]


@dataclass(frozen=True)
class Pools:
    """What negatives are taken from and what they must not be: query_id and item_id each, a pair
    may come more than once.

    Attributes:
        labels: rows of relevance_labels, whether they are used or not.
        log: of `visible_log`, with its events.
        shown: those impressions that are trained on.
        candidates: candidates of the run date.
        featured: pairs with features as of the run date: the candidates, and those of
            `features.spine.draw_random_pairs`.
    """

    labels: DataFrame
    log: DataFrame
    shown: DataFrame
    candidates: DataFrame
    featured: DataFrame

    def take(self, kind: str, conf: Conf) -> DataFrame:
        """Take the distinct pairs of a kind."""
        if kind == "shown":
            return self._take(self.shown, self.log.where(" OR ".join(EVENTS)))
        if kind == "random":
            return _leave_out(self._take(self.featured, self.log), self.candidates)
        hashed = draw_hash(conf.seed, "retrieved_negatives", *_PAIR)
        by_query = Window.partitionBy("query_id").orderBy(hashed, "item_id")
        return (
            self._take(self.candidates, self.log)
            .withColumn("turn", F.row_number().over(by_query))
            .where(F.col("turn") <= conf.training_set.negatives.retrieved_pairs)
            .select(*_PAIR)
        )

    def _take(self, pairs: DataFrame, seen: DataFrame) -> DataFrame:
        """Take the distinct pairs that have no label and are not among those `seen`."""
        return _leave_out(_leave_out(pairs.select(*_PAIR).distinct(), seen), self.labels)


def is_weighted(conf: NegativesConf) -> bool:
    """Tell whether any kind of negatives is asked for."""
    return max(conf.shown, conf.retrieved, conf.random) > 0


def find_negatives(labelled: DataFrame, pools: Pools, conf: Conf) -> DataFrame:
    """Find the negatives of the labelled training queries.

    Args:
        labelled: of `labelled_pairs`.

    Returns:
        The columns of `labelled` and weight_relevance; one row per query and item.
    """
    weights = conf.training_set.negatives
    graded = labelled.where("split = 'train'").select("query_id", "region", "split").distinct()
    kinds = [
        pools.take(kind, conf).select(
            *_PAIR,
            F.lit(kind).alias("labeler_version"),
            F.lit(weight).cast("float").alias("weight_relevance"),
        )
        for kind, weight in (
            ("shown", weights.shown),
            ("retrieved", weights.retrieved),
            ("random", weights.random),
        )
        if weight > 0
    ]
    zero = F.lit(0.0).cast("float")
    pairs = reduce(DataFrame.unionByName, kinds)
    return pairs.join(graded, on="query_id", how="inner").select(
        *_PAIR,
        F.lit(SOURCE).alias("label_source"),
        F.lit(0).alias("grade"),
        "labeler_version",
        F.lit(True).alias("label_admitted"),
        zero.alias("label_ge_1"),
        zero.alias("label_ge_2"),
        "region",
        "split",
        "weight_relevance",
    )


def _leave_out(pairs: DataFrame, others: DataFrame) -> DataFrame:
    return pairs.join(others.select(*_PAIR), on=_PAIR, how="left_anti")
