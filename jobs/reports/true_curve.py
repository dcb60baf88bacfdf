"""What each relevance weight truly brings, by the planted truth of a simulated market."""

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.schema import Conf
from features.contracts.training import TASKS
from features.evaluation.lists import relevance_gains
from features.evaluation.rankers import sweep_rankers, weigh_engagement
from jobs.reports.list_sums import sum_blocks, sum_lists_by_query
from model.evaluation.list_sums import ListMetric
from model.evaluation.metrics import compute_log_discounts
from model.evaluation.steady import steady_sums


def measure_true_curve(pairs: DataFrame, parameters: DataFrame, tree: Conf) -> pd.DataFrame:
    """Measure what each weight truly brings among the first ranks of a test query's candidates.

    Args:
        pairs: scored pairs with `test` and the planted `true_...`.
        parameters: rows of market_parameters.

    Returns:
        By ranker: relevance (mean NDCG@k of the true grades) and relevance_queries; click, cart,
        purchase and combined (mean over queries of the sum of true probability x examination) and
        queries.
    """
    value, k = tree.value, tree.evaluation.k
    rankers = sweep_rankers(value.by_region, value.weights, value.sweep)
    outcomes = {task: F.col(f"true_p_{task}") for task in TASKS}
    planted = weigh_engagement(value.by_region, value.weights, list(outcomes.values()))
    rankers |= {"in force": F.col("value"), "best engagement": planted}
    grades = {"relevance": relevance_gains(F.col("true_grade"))["exp"]}
    gains = outcomes | {"combined": planted}
    lists = pairs.where("test").select(
        "*", F.col("query_id").alias("unit"), F.lit(0).alias("block")
    )
    ndcg = [ListMetric("relevance", "relevance")]
    seen = [ListMetric(gain, gain, measure="mean_gain") for gain in gains]
    discounts = compute_log_discounts(k).tolist()
    sums = sum_blocks(
        sum_lists_by_query(lists, rankers, grades, ndcg, discounts),
        sum_lists_by_query(lists, rankers, gains, seen, _read_examination(parameters, k)),
    ).toPandas()
    sums = steady_sums(sums, ("metric", "ranker", "region", "block"), ("total", "denominator"))
    added = sums.groupby(["metric", "ranker"])[["total", "denominator", "queries"]].sum()
    names = ["relevance", *gains]
    figures = (added["total"] / added["denominator"]).unstack("metric").reindex(columns=names)
    queries = added["queries"].unstack("metric").reindex(columns=names)
    figures[["relevance_queries", "queries"]] = queries[["relevance", "combined"]]
    return figures.reset_index()


def _read_examination(parameters: DataFrame, k: int) -> list[float]:
    """Read the planted examination of the ranks 1..k, the last known one for later ranks."""
    rows = parameters.where(F.col("name").rlike(r"^examination\.\d+$")).collect()
    planted = {int(row["name"].split(".")[1]): float(row["value"]) for row in rows}
    if not planted:
        return [1.0] * k
    return [planted.get(rank, planted[max(planted)]) for rank in range(1, k + 1)]
