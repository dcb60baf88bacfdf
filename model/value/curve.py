"""The swept curve of relevance and engagement by region, and the weight that each region takes."""

from collections.abc import Sequence
from dataclasses import dataclass

from model.evaluation.block_sums import ALL, BlockSums, Cell
from model.evaluation.bootstrap import BlockBootstrap, Estimate
from model.value.shares import EngagementShare, choose_shares
from model.value.tradeoff import CurvePoint, Rule, describe_rule, pick_point

RELEVANCE, ENGAGEMENT, EXPECTED = "relevance", "engagement", "expected"


@dataclass(frozen=True)
class SweptPoint:
    """The figures of one region under one weight; None where no query has the figure."""

    w_relevance: float
    relevance: Estimate | None
    relevance_queries: int
    engagement: Estimate | None
    engagement_queries: int
    engagement_share: EngagementShare | None

    @property
    def complete(self) -> bool:
        """Whether all figures are known."""
        return None not in (self.relevance, self.engagement, self.engagement_share)


@dataclass(frozen=True)
class RegionPick:
    """The weight that a region takes; None where nothing could be picked."""

    w_relevance: float | None
    words: str
    satisfied: bool = True
    regional: bool = True


@dataclass(frozen=True)
class RegionPickRule:
    """The rule of conf.value, the cut-off of the NDCGs, and the queries a pick of its own needs."""

    rule: Rule
    tau: float
    engagement_loss: float
    min_queries: int
    k: int

    @property
    def words(self) -> str:
        """The rule in words."""
        return describe_rule(self.rule, self.k, self.tau, self.engagement_loss)


def compute_curve(
    sums: BlockSums,
    region: str,
    names: Sequence[tuple[float, str]],
    bootstrap: BlockBootstrap,
    largest_error: float,
) -> list[SweptPoint]:
    """Compute the curve of one region.

    Args:
        sums: cells of RELEVANCE, of ENGAGEMENT as the log measures it, and of EXPECTED, the same
            pages with the ranker's own expected engagement for gains.
        names: each weight and the ranker of that weight, the smallest weight first.
        largest_error: see `model.value.shares`.
    """
    shares = _compute_shares(sums, region, [ranker for _, ranker in names], largest_error)
    points = []
    for (weight, ranker), share in zip(names, shares, strict=True):
        relevance, rq = _estimate_figure(sums.get(region, ranker, RELEVANCE), bootstrap)
        engagement, eq = _estimate_figure(sums.get(region, ranker, ENGAGEMENT), bootstrap)
        points.append(SweptPoint(weight, relevance, rq, engagement, eq, share))
    return points


def pick_common(curve: Sequence[SweptPoint], rule: RegionPickRule) -> RegionPick:
    """Pick for all regions together; nothing where a figure is missing."""
    if not all(point.complete for point in curve):
        return RegionPick(None, f"{rule.words}; no validation query has both figures")
    chosen = pick_point(_list_points(curve), rule.rule, rule.tau, rule.engagement_loss)
    words = rule.words
    if not chosen.satisfied:
        words += f"; no weight reaches it, the closest is {chosen.point.relevance:.4f}"
    return RegionPick(chosen.point.w_relevance, words, chosen.satisfied)


def pick_region(
    curve: Sequence[SweptPoint], rule: RegionPickRule, common: RegionPick
) -> RegionPick:
    """Pick for a region, or take the common pick where it has too few validation queries."""
    fewest = min(min(p.relevance_queries, p.engagement_queries) for p in curve)
    if fewest >= rule.min_queries:
        return pick_common(curve, rule)
    words = f"{common.words}; pick of all regions: {fewest} < {rule.min_queries} queries here"
    return RegionPick(common.w_relevance, words, common.satisfied, regional=False)


def pick_all(curves: dict[str, list[SweptPoint]], rule: RegionPickRule) -> dict[str, RegionPick]:
    """Pick for every region of `curves`, "all" among them."""
    common = pick_common(curves[ALL], rule)
    regional = {r: pick_region(curve, rule, common) for r, curve in curves.items() if r != ALL}
    return {ALL: common, **regional}


def _list_points(curve: Sequence[SweptPoint]) -> list[CurvePoint]:
    return [
        CurvePoint(p.w_relevance, p.relevance.value, p.engagement.value, p.engagement_share.share)
        for p in curve
        if p.relevance is not None and p.engagement is not None and p.engagement_share is not None
    ]


def _compute_shares(
    sums: BlockSums, region: str, rankers: Sequence[str], largest_error: float
) -> Sequence[EngagementShare | None]:
    """Compute each ranker's share of engagement, the smallest weight's first; None where a figure
    is missing."""
    measured = [sums.get(region, ranker, ENGAGEMENT) for ranker in rankers]
    expected = [sums.get(region, ranker, EXPECTED) for ranker in rankers]
    swept = [cell.totals for cell in measured if cell is not None]
    totals = [float(cell.totals.sum()) for cell in expected if cell is not None]
    if min(len(swept), len(totals)) < len(rankers) or totals[0] <= 0:
        return [None] * len(rankers)
    return choose_shares(swept, [total / totals[0] for total in totals], largest_error)


def _estimate_figure(cell: Cell | None, bootstrap: BlockBootstrap) -> tuple[Estimate | None, int]:
    if cell is None or cell.query_count == 0:
        return None, 0
    return bootstrap.estimate_mean(cell.totals, cell.denominators), cell.query_count
