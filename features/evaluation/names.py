"""Names of the metrics: what is ranked, the cut-off, the gain."""

from features.evaluation.rankers import TASKS


def relevance_metrics(k: int, *, human_only: bool) -> dict[str, str]:
    """Gain column -> metric over human grades alone, or over the labels of every source."""
    suffix = "" if human_only else "_all_labels"
    return {gain: f"relevance_ndcg@{k}_{gain}{suffix}" for gain in ("exp", "linear")}


def engagement_metrics(k: int) -> dict[str, str]:
    """Gain column -> metric over result pages."""
    return {g: f"engagement_ndcg@{k}_{g}" for g in (*TASKS, "combined", "click_debiased")}


def is_relevance(metric: str) -> bool:
    """Whether the metric's labels are grades (else engagement)."""
    return metric.startswith("relevance_")


def headline_metrics(k: int, *, all_labels: bool = False) -> dict[str, str]:
    """Metric -> short heading of the side-by-side table; relevance over all labels if asked."""
    engagement = engagement_metrics(k)
    headings = {relevance_metrics(k, human_only=True)["exp"]: f"relevance NDCG@{k}, human"}
    if all_labels:
        every = relevance_metrics(k, human_only=False)["exp"]
        headings[every] = f"relevance NDCG@{k}, all labels"
    return headings | {engagement[g]: f"{g} NDCG@{k}" for g in (*TASKS, "combined")}
