"""Whether a rule that picked its relevance weight on validation also holds on test, and its
cost."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from jobs.experiments.results import PooledResults, StudyResults, find_figure
from jobs.experiments.study import Study
from jobs.reports.markdown import format_table
from model.evaluation.block_sums import ALL
from model.evaluation.bootstrap import Estimate
from model.experiments.figures import CHANGE, ENGAGEMENT, Figure
from model.value.tradeoff import Rule, describe_rule

_HEADERS = (
    "arm",
    "rule",
    "rule broken on test",
    "engagement NDCG less that of the same models without relevance",
    "engagement kept",
)


@dataclass(frozen=True)
class RuleOutcome:
    """The rule of an arm, asked of its test figures.

    Attributes:
        tau: least relevance NDCG (fraction).
        loss: largest relative loss of engagement NDCG (fraction), from the same model's order
            without relevance.
        k: cut-off of the NDCGs.
    """

    rule: Rule
    tau: float
    loss: float
    k: int

    @classmethod
    def from_study(cls, study: Study, arm: str) -> "RuleOutcome | None":
        """Read the arm's rule; None where it picks no weight."""
        ranking = study.build_ranking(arm)
        if ranking is None or not ranking.picks:
            return None
        conf, tree = ranking.conf, ranking.tree
        tau = tree.tau if conf.tau is None else conf.tau
        loss = tree.engagement_loss if conf.engagement_loss is None else conf.engagement_loss
        return cls(conf.rule or tree.rule, tau, loss, ranking.evaluation.k)

    @property
    def metrics(self) -> tuple[str, str, str]:
        """Names of the figures: relevance, engagement, and its change."""
        return (
            f"value.relevance_judged@{self.k}",
            f"{ENGAGEMENT}@{self.k}",
            f"{CHANGE}@{self.k}",
        )

    def is_broken(self, figures: Sequence[Figure]) -> bool:
        """Tell whether one training's test figures break it."""
        values = {f.metric: f.value for f in figures if f.region == ALL}
        relevance, engagement, change = (values[name] for name in self.metrics)
        if self.rule == "max_engagement":
            return relevance < self.tau
        return change < -self.loss * (engagement - change)

    def judge_loss(self, change: Estimate, engagement: float) -> str:
        """Judge non-inferiority: where the interval of the change lies beside the largest loss.

        yes: above it; no: below it; cannot tell: it holds it (Piaggio et al. 2012, CONSORT).
        """
        if change.low is None or change.high is None:
            return "cannot tell"
        margin = -self.loss * (engagement - change.value)
        if change.low > margin:
            return f"yes, within {self.loss:.3g}"
        return f"no, beyond {self.loss:.3g}" if change.high < margin else "cannot tell"


def format_rule_tables(results: StudyResults | PooledResults) -> list[str]:
    """Format one line per arm whose weight is picked, over all its trainings."""
    members = results.draws if isinstance(results, PooledResults) else [results]
    rows = list(_build_rows(results, members))
    return (
        ["The rule, kept on validation, on test:\n", format_table(_HEADERS, rows)] if rows else []
    )


def _build_rows(
    results: StudyResults | PooledResults, members: Sequence[StudyResults]
) -> Iterator[list[str]]:
    for arm in dict.fromkeys(one.arm for one in results.compared):
        rule = RuleOutcome.from_study(members[0].study, arm)
        if rule is None:
            continue
        _, engagement, change = (find_figure(results, arm, name) for name in rule.metrics)
        assert engagement is not None and change is not None
        judged = [fs for one in members for fs in one.figures.get(arm, {}).values()]
        broken = sum(rule.is_broken(figures) for figures in judged)
        yield [
            arm,
            describe_rule(rule.rule, rule.k, rule.tau, rule.loss),
            f"{broken} of {len(judged)}",
            _format_change(change.estimate),
            rule.judge_loss(change.estimate, engagement.estimate.value),
        ]


def _format_change(change: Estimate) -> str:
    if change.low is None or change.high is None or not np.isfinite(change.value):
        return f"{change.value:+.4f}"
    return f"{change.value:+.4f} [{change.low:+.4f}, {change.high:+.4f}]"
