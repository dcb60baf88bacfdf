"""What tonight's order is worth in the gate: beside the one in force, chance and baselines."""

from collections.abc import Iterator, Mapping

from pyspark.sql import Column

from conf.schema import Conf
from features.evaluation.names import RELEVANCE_KINDS, relevance_metrics
from jobs.reports.baselines import name_opponents
from jobs.serving.paired import PairedSums
from model.baselines.verdict import ENGAGED, RELEVANT, compare_rankers
from model.evaluation.block_sums import ALL
from model.evaluation.bootstrap import BlockBootstrap
from model.serving.admission import BaselineFigure, RankingFigure

CANDIDATE, REFERENCE, CHANCE = "candidate", "in_force", "random"
"""Orders that are judged: as served; of the model in force; none."""
PART, REFERENCE_PART = "part", "in_force_part"
"""Orders by the engagement or relevance alone: of tonight's ranker, and of the one in force.
Baselines stand beside them under their own names."""
_PARTS = {"engagement_baseline": ENGAGED, "relevance_input": RELEVANT}


def build_rankings(
    paired: PairedSums, bootstrap: BlockBootstrap, tree: Conf
) -> Iterator[RankingFigure]:
    """Measure the candidate as served, beside the model in force, by metric and region.

    Args:
        paired: block sums of the orders of this module.
        bootstrap: draws of the blocks.
        tree: the conf.
    """
    k = tree.evaluation.k
    metrics = [kind.format(k=k) for kind in RELEVANCE_KINDS.values()] + [paired.engagement]
    human = paired.sums.get(ALL, CANDIDATE, metrics[0])
    if human is None or human.query_count < tree.value.min_queries:
        metrics.append(relevance_metrics(k, human_only=False)["exp"])
    for metric in metrics:
        for region in paired.sums.regions:
            figure = _build_ranking(paired, bootstrap, metric, region)
            if figure is not None:
                yield figure


def _build_ranking(
    paired: PairedSums, bootstrap: BlockBootstrap, metric: str, region: str
) -> RankingFigure | None:
    ours, part, chance, theirs = (
        paired.sums.get(region, name, metric) for name in (CANDIDATE, PART, CHANCE, REFERENCE)
    )
    if ours is None or part is None or chance is None or not ours.query_count:
        return None
    gain = None
    if theirs is not None:
        gain = bootstrap.estimate_difference(ours.totals, theirs.totals, ours.denominators)
    over = bootstrap.estimate_difference(part.totals, chance.totals, part.denominators)
    value = bootstrap.estimate_mean(ours.totals, ours.denominators).value
    return RankingFigure(metric, region, ours.query_count, value, over.value, gain)


def hold_to_baselines(
    paired: PairedSums, bootstrap: BlockBootstrap, beside: Mapping[str, Column], tree: Conf
) -> Iterator[BaselineFigure]:
    """Compare the engagement with the best baseline, and the relevance with its own input.

    Relevance is judged on people's grades; where these are few, on labels of every source.

    Args:
        paired: block sums of PART, of the baselines, and of REFERENCE_PART where there is a model
            in force.
        bootstrap: draws of the blocks.
        beside: baselines of conf by name.
        tree: the conf.
    """
    k, opponents = tree.evaluation.k, name_opponents(beside)
    human = paired.sums.get(ALL, PART, relevance_metrics(k, human_only=True)["exp"])
    few = human is None or human.query_count < tree.value.min_queries
    relevance = relevance_metrics(k, human_only=not few)["exp"]
    ours, theirs = (
        {
            comparison.check: comparison
            for comparison in compare_rankers(
                paired.sums, bootstrap, opponents, paired.engagement, relevance, (part, part)
            )
        }
        for part in (PART, REFERENCE_PART)
    )
    for check, comparison in ours.items():
        yield BaselineFigure(
            part=_PARTS[check],
            baseline=comparison.baseline,
            metric=comparison.metric,
            queries=comparison.queries,
            gap=comparison.gap,
            gap_in_force=theirs[check].gap if check in theirs else None,
        )
