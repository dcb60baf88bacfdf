"""What a reader must know of the yardsticks before the figures."""

from jobs.labels.findings import Findings
from model.evaluation.currency import Currency

_MEANING: dict[Currency, str] = {
    "off_policy": "clicks weighed by the logger's own propensities",
    "debiased": "clicks weighed by the examination of their position",
    "logged": "clicks as logged, which reward the logger's own order",
}


def yardstick_lines(findings: Findings) -> list[str]:
    """The currency and why, the samples behind the weighed yardsticks, the lists of relevance."""
    pages = max(findings.samples.get("pages", 0.0), 1.0)
    sizes = [
        f"{name.replace('_', '-')} {findings.samples.get(f'effective_{name}', 0.0):,.0f} "
        f"({findings.samples.get(f'pages_{name}', 0.0) / pages:.0%} of the pages)"
        for name in ("off_policy", "debiased")
    ]
    lists = (
        "the candidates scored for the run date, as served"
        if findings.as_served
        else "the rows of examples, whose features are of several days: nothing was scored"
    )
    meaning = next(words for name, words in _MEANING.items() if name == findings.currency)
    return [
        f"Engagement in the currency that picks and gates: {findings.currency} ({meaning}). "
        f"Effective sample: {', '.join(sizes)}.",
        "Weighed engagement is the mean discount of a unit of engagement, not an NDCG; `logged` "
        "and `true` are NDCGs of pages.",
        f"Relevance is judged on {lists}, grades as given. `random` is the exact mean over all "
        "orders; the best order has 1.",
    ]
