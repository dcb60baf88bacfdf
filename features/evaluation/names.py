"""Names of the metrics: what is ranked, the cut-off, the gain."""

from features.contracts.training import TASKS


def relevance_metrics(k: int, *, human_only: bool) -> dict[str, str]:
    """Name the metric of each gain column, over human grades alone or over labels
    of every source.
    """
    suffix = "" if human_only else "_all_labels"
    return {gain: f"relevance_ndcg@{k}_{gain}{suffix}" for gain in ("exp", "linear")}


def engagement_metrics(k: int) -> dict[str, str]:
    """Name the NDCG of result pages for each gain column, with gains as they were logged."""
    tasks = {g: f"engagement_ndcg@{k}_{g}" for g in TASKS}
    return tasks | {"combined": engagement_metric("logged", k)}


def engagement_metric(yardstick: str, k: int) -> str:
    """Name the metric of a yardstick: logged, debiased, off_policy, doubly_robust, true,
    true_candidates."""
    return f"engagement_{yardstick}@{k}"


RELEVANCE_KINDS = {
    "judged": "relevance_ndcg@{k}_exp",
    "judged_mixed": "relevance_ndcg@{k}_judged_mixed",
    "pooled": "relevance_ndcg@{k}_pooled",
}
"""Metric of each kind of list. A pooled list without its unjudged items is a judged list that holds
a relevant item; other judged lists have no NDCG. So that figure is the one of `judged`.
"""


def is_relevance(metric: str) -> bool:
    """Return whether the metric's labels are grades (else engagement)."""
    return metric.startswith("relevance_")


def headline_metrics(k: int, currency: str) -> dict[str, str]:
    """Give each headline metric its short heading: those that pick and gate, and the true ones."""
    engagement = {
        engagement_metric(currency, k): f"engagement@{k}, {currency.replace('_', '-')}",
        engagement_metric("logged", k): f"engagement@{k}, logged",
        engagement_metric("true", k): f"engagement@{k}, true",
    }
    return {
        RELEVANCE_KINDS["judged"].format(k=k): f"relevance NDCG@{k}, human",
        RELEVANCE_KINDS["pooled"].format(k=k): f"relevance NDCG@{k}, pooled",
    } | engagement
