"""Where the ranker loses to a baseline: paired differences over the same queries."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from model.evaluation.block_sums import ALL, BlockSums
from model.evaluation.bootstrap import BlockBootstrap, Estimate

ENGAGED, RELEVANT = "engagement_only", "relevance_only"
INPUT = "cosine"
"""Baseline that the relevance head must beat: it is one of its inputs."""


@dataclass(frozen=True)
class Comparison:
    """Holds what a ranker has over a baseline on the same queries.

    Attributes:
        check: engagement_baseline or relevance_input.
        ranker, baseline, metric: what is compared.
        difference, low, high: mean paired difference and its interval; no ends: too few queries.
        queries: behind it (count).
    """

    check: str
    ranker: str
    baseline: str
    metric: str
    difference: float
    low: float | None
    high: float | None
    queries: int

    @property
    def gap(self) -> Estimate:
        """The difference with its interval."""
        return Estimate(self.difference, self.low, self.high)

    @property
    def below(self) -> bool:
        """Whether the whole interval lies below 0."""
        return self.high is not None and self.high < 0

    def to_json(self) -> dict[str, Any]:
        """Give plain JSON, with `below`."""
        return asdict(self) | {"below": self.below}


def compare_rankers(
    sums: BlockSums,
    bootstrap: BlockBootstrap,
    baselines: Sequence[str],
    engagement: str,
    relevance: str,
    rankers: tuple[str, str] = (ENGAGED, RELEVANT),
) -> list[Comparison]:
    """Compare the ranker with the best baseline on engagement, and with its own input on relevance.

    Args:
        sums: block sums of all rankers.
        bootstrap: draws of the blocks.
        baselines: rankers among whom the best on engagement is looked for.
        engagement: metric that the engagement rankings are judged by.
        relevance: metric that the relevance rankings are judged by.
        rankers: names in `sums` of the ranker's engagement and of its relevance alone.
    """
    best = _find_best(sums, baselines, engagement)
    comparisons = [
        _compare_pair(sums, bootstrap, "engagement_baseline", rankers[0], best, engagement),
        _compare_pair(sums, bootstrap, "relevance_input", rankers[1], INPUT, relevance),
    ]
    return [comparison for comparison in comparisons if comparison is not None]


def select_warnings(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Select the comparisons that a reader is warned of.

    An engagement ranking clearly below the best baseline; a relevance ranking at or below its
    input, clearly or not: it must be better than what it is given.
    """
    return [
        c for c in comparisons if c.below or (c.check == "relevance_input" and c.difference <= 0)
    ]


def format_warning(comparison: Comparison, simulated: bool) -> str:
    """Format a line for the top of the report."""
    c = comparison
    how = "below" if c.difference < 0 else "level with"
    figure = f"{c.difference:+.4f}"
    if c.low is not None and c.high is not None:
        figure += f" [{c.low:+.4f}, {c.high:+.4f}]"
    clear = "clear of 0" if c.below else "not clear of 0"
    marked = ", simulated" if simulated else ""
    return (
        f"WARNING: {c.ranker} is {how} the baseline {c.baseline} on {c.metric}{marked}: "
        f"{figure} over {c.queries:,} queries ({clear})"
    )


def _find_best(sums: BlockSums, baselines: Sequence[str], metric: str) -> str | None:
    """Find the baseline of the highest mean."""
    means = {}
    for name in baselines:
        cell = sums.get(ALL, name, metric)
        if cell is not None and cell.query_count:
            means[name] = float(cell.totals.sum() / cell.denominators.sum())
    return max(means, key=lambda name: means[name]) if means else None


def _compare_pair(
    sums: BlockSums,
    bootstrap: BlockBootstrap,
    check: str,
    ranker: str,
    baseline: str | None,
    metric: str,
) -> Comparison | None:
    """Compare a ranker with a baseline; None where one of both has no query."""
    ours = sums.get(ALL, ranker, metric)
    theirs = sums.get(ALL, baseline, metric) if baseline else None
    if baseline is None or ours is None or theirs is None or not ours.query_count:
        return None
    gap = bootstrap.estimate_difference(ours.totals, theirs.totals, ours.denominators)
    return Comparison(
        check, ranker, baseline, metric, gap.value, gap.low, gap.high, ours.query_count
    )
