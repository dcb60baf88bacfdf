"""Holds the parts of tonight's ranker, and of the one in force, against the baselines."""

from collections.abc import Iterator, Mapping

from pyspark.sql import Column

from conf.schema import Conf
from features.evaluation.names import relevance_metrics
from jobs.reports.baselines import name_opponents
from jobs.serving.paired import PairedSums
from model.baselines.verdict import ENGAGED, RELEVANT, compare_rankers
from model.evaluation.block_sums import ALL
from model.evaluation.bootstrap import BlockBootstrap
from model.serving.admission import BaselineFigure

PART, REFERENCE_PART = "part", "in_force_part"
"""Orders by the engagement or relevance alone: of tonight's ranker, and of the one in force."""
_PARTS = {"engagement_baseline": ENGAGED, "relevance_input": RELEVANT}


def hold_to_baselines(
    paired: PairedSums, bootstrap: BlockBootstrap, beside: Mapping[str, Column], tree: Conf
) -> Iterator[BaselineFigure]:
    """Compare the engagement with the best baseline, and the relevance with its own input.

    Relevance is judged on people's grades; where these are few, on labels of every source.

    Args:
        paired: block sums of PART, of the baselines, and of REFERENCE_PART where there is a model
            in force.
        bootstrap: draws of the blocks.
        beside: fitted baselines by name.
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
