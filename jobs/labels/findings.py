"""What `evaluate` found, and how its figures are named."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from features.evaluation.names import headline_metrics, is_relevance
from model.baselines.verdict import Comparison, format_warning, select_warnings
from model.evaluation.block_sums import ALL
from model.evaluation.evaluated import NO_RANKING

Figure = dict[str, Any]


@dataclass(frozen=True)
class Findings:
    """What `evaluate` found.

    Attributes:
        rows: rows of metrics, as dicts.
        facts: of the test rows, see `features.evaluation.facts`.
        simulated_grades: label source -> whether its grades are simulated or assumed.
        examination: relative examination by position that was used.
        left_out: how many lists each metric rests on, and how many were left out, by reason.
        k: cut-off (ranks).
        confidence: level of the intervals.
        comparisons: the ranker against the baselines.
        currency: the yardstick of engagement that picks and gates.
        samples: pages, effective_<g> and pages_<g> of each weighed yardstick, and the reward that
            doubly robust engagement expects.
        as_served: relevance is judged on the candidates scored for the run date.
    """

    rows: list[Figure]
    facts: Mapping[str, Any]
    simulated_grades: Mapping[str, bool]
    examination: list[float]
    left_out: Mapping[str, Mapping[str, int]]
    k: int
    confidence: float
    comparisons: tuple[Comparison, ...] = ()
    currency: str = "logged"
    samples: Mapping[str, float] = field(default_factory=dict)
    as_served: bool = False

    def by_name(self, region: str = ALL) -> dict[tuple[str, str], Figure]:
        """Return the rows of one region by (ranker, metric)."""
        return {(r["ranker"], r["metric"]): r for r in self.rows if r["region"] == region}

    def name_headlines(self) -> dict[str, str]:
        """Give each headline metric its heading, marked where its labels are simulated."""
        return {m: h + self._mark_simulated(m) for m, h in self._pick_headlines().items()}

    def name_further(self) -> dict[str, str]:
        """Give the other ranking metrics their names, marked likewise."""
        measured = {r["metric"] for r in self.rows if r["ranker"] != NO_RANKING}
        return {
            m: m + self._mark_simulated(m) for m in sorted(measured - set(self._pick_headlines()))
        }

    def list_warnings(self) -> list[str]:
        """Write one line for each baseline that the ranker loses to."""
        marked = {(r["ranker"], r["metric"]): r["simulated"] for r in self.rows}
        return [
            format_warning(c, bool(marked.get((c.ranker, c.metric))))
            for c in select_warnings(self.comparisons)
        ]

    def _pick_headlines(self) -> dict[str, str]:
        measured = {row["metric"] for row in self.rows}
        return {m: h for m, h in headline_metrics(self.k, self.currency).items() if m in measured}

    def _mark_simulated(self, metric: str) -> str:
        sources = self.simulated_grades if metric.endswith("_all_labels") else {"human"}
        simulated = (
            any(self.simulated_grades.get(source, False) for source in sources)
            if is_relevance(metric)
            else self.facts["simulated_engagement"]
        )
        return " (simulated)" if simulated else ""
