"""Whether tonight's ranker may be served: its figures against conf's thresholds."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from conf.sections.admission import AdmissionConf
from model.evaluation.block_sums import ALL
from model.evaluation.bootstrap import Estimate

_DIGITS = 6
"""Of the figures that are kept: further ones change with the order in which Spark adds."""


@dataclass(frozen=True)
class RankingFigure:
    """A figure of orders, higher is better, over the queries of one region.

    Attributes:
        metric: name.
        region: region, or "all".
        queries: queries behind it (count).
        value: of the candidate, as it would be served.
        over_random: what the candidate's own part (relevance or engagement) has above a random
            order.
        gain: candidate less the model in force, paired; None where there is none.
    """

    metric: str
    region: str
    queries: int
    value: float
    over_random: float
    gain: Estimate | None = None


@dataclass(frozen=True)
class BaselineFigure:
    """What a part of the candidate's order has over a baseline, over the same queries.

    Attributes:
        part: engagement_only or relevance_only.
        baseline, metric: what it is held to, and by which figure (higher is better).
        queries: queries behind it (count).
        gap: candidate less the baseline, paired.
        gap_in_force: the same of the model in force; None where none can be compared.
    """

    part: str
    baseline: str
    metric: str
    queries: int
    gap: Estimate
    gap_in_force: Estimate | None = None


@dataclass(frozen=True)
class CalibrationFigure:
    """Calibration error of a task (lower is better), and its excess over the model in force."""

    task: str
    region: str
    queries: int
    error: Estimate
    loss: Estimate | None = None


@dataclass(frozen=True)
class GateEvidence:
    """What is known of a candidate.

    Attributes:
        rankings, calibration: figures by metric or task and region.
        disorder: "later > earlier" -> share of rows.
        rows, queries: that the shares stand on (counts).
        baselines: figures beside those of the best baseline, and of the relevance head's own input.
        given: further figures that are kept with the decision (JSON-able).
    """

    rankings: tuple[RankingFigure, ...]
    calibration: tuple[CalibrationFigure, ...]
    disorder: dict[str, float]
    rows: int
    queries: int
    baselines: tuple[BaselineFigure, ...] = ()
    given: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Give plain JSON, rounded."""
        content: dict[str, Any] = _round_figures(asdict(self))
        return content


@dataclass(frozen=True)
class AdmissionVerdict:
    """The gate's answer: admitted where no reason speaks against it.

    Attributes:
        reasons: that speak against it.
        unjudged: what could not be judged.
        warnings: losses to a baseline where no model in force is known to be better.
    """

    reasons: list[str]
    unjudged: list[str]
    warnings: list[str] = field(default_factory=list)

    @property
    def admitted(self) -> bool:
        """No reason speaks against it."""
        return not self.reasons


def judge_candidate(
    evidence: GateEvidence, conf: AdmissionConf, min_queries: int
) -> AdmissionVerdict:
    """Hold a candidate against its bounds, and against the model in force where there is one.

    Args:
        evidence: figures on validation queries.
        conf: thresholds.
        min_queries: queries behind a figure from which it counts (count).
    """
    counted = [f for f in evidence.rankings if f.queries >= min_queries]
    calibrated = [f for f in evidence.calibration if f.queries >= min_queries]
    reasons = [
        *(line for f in counted for line in _list_ranking_reasons(f, conf)),
        *(line for f in calibrated for line in _list_calibration_reasons(f, conf)),
        *(_list_disorder_reasons(evidence, conf) if evidence.queries >= min_queries else ()),
    ]
    lost = [
        f
        for f in evidence.baselines
        if f.queries >= min_queries and _is_lost(f.gap, conf.max_baseline_loss)
    ]
    warned = [f for f in lost if _is_nothing_better(f, conf)]
    reasons += [_format_baseline(f, conf) for f in lost if f not in warned]
    few = [f.metric for f in evidence.rankings if f not in counted and f.region == ALL]
    few += [f"{f.task} calibration" for f in evidence.calibration if _has_few(f, calibrated)]
    few += [f"{f.part} beside {f.baseline}" for f in evidence.baselines if f.queries < min_queries]
    few += ["order of the funnel"] if evidence.queries < min_queries else []
    unjudged = [f"fewer than {min_queries} validation queries: {', '.join(few)}"] if few else []
    return AdmissionVerdict(reasons, unjudged, [_format_baseline(f, conf) for f in warned])


def _has_few(figure: CalibrationFigure, calibrated: Iterable[CalibrationFigure]) -> bool:
    return figure.region == ALL and figure not in calibrated


def _list_ranking_reasons(f: RankingFigure, conf: AdmissionConf) -> list[str]:
    where, reasons = f"{f.metric}, {f.region}, {f.queries:,} queries", []
    if f.region == ALL and f.over_random <= 0:
        reasons.append(f"{where}: no better than a random order ({f.over_random:+.4f})")
    allowed = conf.max_loss if f.region == ALL else conf.max_region_loss
    if f.gain and _is_lost(f.gain, allowed):
        reasons.append(
            f"{where}: {_format_estimate(f.gain)} against the model in force, allowed -{allowed:g}"
        )
    return reasons


def _list_calibration_reasons(f: CalibrationFigure, conf: AdmissionConf) -> list[str]:
    where, reasons = f"calibration of {f.task}, {f.region}, {f.queries:,} queries", []
    least = f.error.value if f.error.low is None else f.error.low
    if least > conf.max_calibration_error:
        reasons.append(
            f"{where}: error {f.error.value:.4f}, clearly above {conf.max_calibration_error:g}"
        )
    allowed = conf.max_calibration_loss
    if f.loss and f.loss.low is not None and f.loss.low > 0 and f.loss.value > allowed:
        loss = _format_estimate(f.loss)
        reasons.append(f"{where}: error {loss} against the model in force, allowed +{allowed:g}")
    return reasons


def _list_disorder_reasons(evidence: GateEvidence, conf: AdmissionConf) -> list[str]:
    return [
        f"{pair} in {share:.2%} of {evidence.rows:,} rows, allowed {conf.max_disorder:.2%}"
        for pair, share in evidence.disorder.items()
        if share > conf.max_disorder
    ]


def _is_lost(gap: Estimate, allowed: float) -> bool:
    """Return whether a gap is clearly below 0 and larger than the allowed loss."""
    return gap.high is not None and gap.high < 0 and gap.value < -allowed


def _is_nothing_better(f: BaselineFigure, conf: AdmissionConf) -> bool:
    """Return whether the model in force, if one was compared, is not better by more than the loss
    that is allowed."""
    return f.gap_in_force is None or f.gap_in_force.value - f.gap.value <= conf.max_baseline_loss


def _format_baseline(f: BaselineFigure, conf: AdmissionConf) -> str:
    return (
        f"{f.part}: {_format_estimate(f.gap)} against the baseline {f.baseline} on {f.metric}, "
        f"{f.queries:,} queries, allowed -{conf.max_baseline_loss:g}"
    )


def _format_estimate(estimate: Estimate) -> str:
    return f"{estimate.value:+.4f} [{estimate.low:+.4f}, {estimate.high:+.4f}]"


def _round_figures(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _round_figures(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_round_figures(part) for part in value]
    return round(value, _DIGITS) if isinstance(value, float) else value
