"""The default ranker against what a team would take instead, over simulated worlds.

Runs conf/experiments/worlds.yaml (trainings that have finished are not made again, so a run that
was killed goes on) and prints one table in blocks: by world, what the default ranker has over each
other way to rank, then the mean over the worlds with the interval of Student's t over them, and the
worst world. Engagement and grades are simulated. COUNTERPOISE_WORLDS_SET holds further settings,
separated by spaces: `experiment.use=[cascade,trust] experiment.seeds=[1,2,3]`.
"""

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from rich import box
from rich.console import Console, Group
from rich.table import Table

from bench.result import Result
from conf.experiment import load_experiment
from jobs.experiment import FAILED, NAME, run
from jobs.platform.session import get_session
from model.evaluation.block_sums import ALL
from model.evaluation.bootstrap import Estimate
from model.experiments.frontier import EQUAL
from model.experiments.pooling import average_draws

FILE = Path(__file__).parents[1] / "conf" / "experiments" / "worlds.yaml"
TRUE, CURRENCY = "value.engagement_true@10", "value.engagement@10"
TRUE_POOLED = "value.engagement_true_pooled@10"
JUDGED, POOLED = "value.relevance_judged@10", "value.relevance_pooled@10"
EVEN, EVEN_TRUE = f"{EQUAL}relevance_judged@10", f"{EQUAL}engagement_true@10"
LIGHTGBM = ("lightgbm", "lightgbm_position", "lambdamart_engagement")
JOINT = ("lightgbm_joint", "lightgbm_position_joint")
BEST, BEST_JOINT = "best LightGBM", "best LightGBM, joint"
CONFIDENCE = 0.95
"""Level of the intervals over worlds."""
WIDTH = 180
"""Of a printed block (characters): up to six columns, the mean with its interval."""
LEAST_GAIN = 0.005
"""What the mean over worlds of true engagement NDCG@10 over the best LightGBM must reach."""

COLUMNS = (
    ("engagement, true", TRUE, ("before", *LIGHTGBM, "popularity", BEST)),
    ("engagement, true, all items", TRUE_POOLED, ("before", *LIGHTGBM, "popularity", BEST)),
    ("engagement, currency", CURRENCY, ("before", BEST, "popularity")),
    ("relevance alone, judged", JUDGED, ("cosine", "lightgbm_relevance", "lambdamart_relevance")),
    ("relevance alone, pooled", POOLED, ("cosine", "lightgbm_relevance")),
    ("relevance at equal engagement, judged", EVEN, (BEST_JOINT, *JOINT)),
    ("engagement there, true", EVEN_TRUE, JOINT),
    ("relevance with the weight that each picks, judged", JUDGED, (BEST_JOINT, *JOINT)),
    ("engagement left by it, true", TRUE, JOINT),
    ("engagement left by it, true, all items", TRUE_POOLED, JOINT),
)
"""Heading, metric, and what the default is held against."""


@dataclass(frozen=True)
class Gap:
    """The default's figure less another's in one world, with its interval."""

    value: float
    low: float | None
    high: float | None

    def __str__(self) -> str:
        clear = self.low is not None and self.high is not None and self.low * self.high > 0
        return f"{self.value:+.4f}{'*' if clear else ''}"


_ENDS = ("", "_high", "_low")  # turned round, the upper end is the lower one
Gaps = Mapping[tuple[str, str, str], Gap]
"""(world, other arm, metric) -> gap."""


def measure() -> list[Result]:
    """Run what is not there yet and hold the limits against the table."""
    settings = os.environ.get("COUNTERPOISE_WORLDS_SET", "").split()
    experiment = load_experiment(FILE, quick=False, settings=settings)
    spark, console = get_session(experiment.outputs.tree), Console()
    report = run(spark, experiment, console)
    for arm, reason in report.details[FAILED].items():
        console.print(f"failed: {arm}: {reason}", markup=False)
    compared = json.loads((Path(str(report.outputs[NAME])) / "comparisons.json").read_text())
    worlds = list(experiment.conf.used)
    gaps = add_best(read_gaps(compared), worlds)
    Console(width=WIDTH).print(build_table(gaps, worlds))
    return build_results(gaps, worlds)


def read_gaps(compared: Sequence[Mapping[str, object]]) -> dict[tuple[str, str, str], Gap]:
    """Read the gaps from the rows of an experiment's comparisons, turned round: there the other arm
    less ours."""
    gaps = {}
    for row in compared:
        is_gap = str(row["metric"]).startswith(EQUAL)  # the figure is a difference already
        ends = ("value", "high", "low") if is_gap else tuple(f"difference{e}" for e in _ENDS)
        values = [row[end] for end in ends]
        if row["region"] != ALL or values[0] is None:
            continue
        value, low, high = (None if v is None else -float(str(v)) for v in values)
        assert value is not None
        gaps[str(row["data"]), str(row["arm"]), str(row["metric"])] = Gap(value, low, high)
    return gaps


def add_best(gaps: Gaps, worlds: Sequence[str]) -> Gaps:
    """Add the smallest gap to any of LightGBM's set-ups, by world and metric.

    That set-up is the best on the test queries, which no team could know: a stricter opponent than
    the one that it would choose.
    """
    added = dict(gaps)
    metrics = {metric for _, _, metric in gaps}
    for world, metric in product(worlds, metrics):
        for name, arms in ((BEST, LIGHTGBM), (BEST_JOINT, JOINT)):
            present = [gaps[world, arm, metric] for arm in arms if (world, arm, metric) in gaps]
            if present:
                added[world, name, metric] = min(present, key=lambda gap: gap.value)
    return added


def average_worlds(gaps: Gaps, worlds: Sequence[str], other: str, metric: str) -> Estimate:
    """Average the gap over the worlds that have it, with its interval."""
    values = [gaps[w, other, metric].value for w in worlds if (w, other, metric) in gaps]
    return average_draws(values, CONFIDENCE)[0]


def list_below(gaps: Gaps, worlds: Sequence[str], other: str, metric: str) -> list[str]:
    """List the worlds in which the default is clearly below the other."""
    by_world = {w: gaps.get((w, other, metric)) for w in worlds}
    return [w for w, gap in by_world.items() if gap and gap.high is not None and gap.high < 0]


def build_table(gaps: Gaps, worlds: Sequence[str]) -> Group:
    """Build one block per heading: a line per world, a column per comparison, the mean and the
    worst."""
    blocks = (_build_block(gaps, worlds, *each) for each in COLUMNS)
    title = "The default less ..., test queries (simulated); * the interval excludes 0"
    return Group(title, *blocks)


def _build_block(
    gaps: Gaps, worlds: Sequence[str], heading: str, metric: str, others: Sequence[str]
) -> Table:
    lines = Table(title=heading, title_justify="left", box=box.SIMPLE)
    for name in ("world", *others):
        lines.add_column(name)
    for world in worlds:
        cells = (gaps.get((world, other, metric)) for other in others)
        lines.add_row(world, *(str(gap) if gap else "-" for gap in cells))
    means = [average_worlds(gaps, worlds, other, metric) for other in others]
    lines.add_row("mean", *(_format_interval(mean) for mean in means))
    worst = (
        min((gaps[w, o, metric].value for w in worlds if (w, o, metric) in gaps), default=math.nan)
        for o in others
    )
    lines.add_row("worst", *(f"{value:+.4f}" for value in worst))
    return lines


def build_results(gaps: Gaps, worlds: Sequence[str]) -> list[Result]:
    """Hold the limits: nowhere clearly below, and ahead in the mean."""
    lines = []
    for what, other, metric in (
        ("true engagement", BEST, TRUE),
        ("relevance at equal engagement", BEST_JOINT, EVEN),
        ("relevance as picked", BEST_JOINT, JUDGED),
        ("relevance alone", "cosine", JUDGED),
        ("relevance alone", "lightgbm_relevance", JUDGED),
    ):
        lost = list_below(gaps, worlds, other, metric)
        named = f"{len(lost)} of {len(worlds)} {', '.join(lost)}".strip()
        measured = any((w, other, metric) in gaps for w in worlds)
        what = f"worlds where {what} is clearly below {other}"
        lines.append(Result(what, named, "0", measured and not lost))
    mean = average_worlds(gaps, worlds, BEST, TRUE)
    ahead = mean.low is not None and mean.low > 0 and mean.value >= LEAST_GAIN
    limit = f">= +{LEAST_GAIN}, interval above 0"
    lines.append(Result(f"mean true engagement over {BEST}", _format_interval(mean), limit, ahead))
    for what, metric in (("at equal engagement", EVEN), ("as picked", JUDGED)):
        joint = average_worlds(gaps, worlds, BEST_JOINT, metric)
        above = joint.low is not None and joint.value > 0
        what = f"mean relevance {what} over {BEST_JOINT}"
        lines.append(Result(what, _format_interval(joint), "> 0", above))
    return lines


def _format_interval(mean: Estimate) -> str:
    if mean.low is None or mean.high is None:
        return f"{mean.value:+.4f}"
    return f"{mean.value:+.4f} [{mean.low:+.4f} {mean.high:+.4f}]"
