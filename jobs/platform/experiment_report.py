"""The table of an experiment in Markdown: what was asked, what came out, arm by arm."""

from collections.abc import Sequence

import numpy as np

from jobs.platform.experiment_results import Found
from jobs.platform.experiment_study import Arm
from jobs.platform.markdown import table
from model.bootstrap import Estimate
from model.experiments.figures import ALL
from model.experiments.verdict import lower_is_better, verdict


def report_text(found: Sequence[Found]) -> str:
    """The whole report: one section a data set."""
    conf = found[0].study.experiment.conf
    head = (
        f"# Experiment {conf.name}\n\n{conf.asks}\n\nThe papers: {conf.paper}\n\n"
        f"Reference: `{conf.reference}`. Seeds {', '.join(map(str, conf.seeds))}. Intervals: "
        f"{conf.bootstrap.confidence:.0%}, bootstrap over units (queries or sessions) and seeds, "
        f"{conf.bootstrap.replicates:,} replicates; differences are paired by unit and seed.\n"
    )
    return "\n".join([head, *map(section, found)])


def section(found: Found) -> str:
    """The arms of one data set: headline figures, differences, and those that failed."""
    study = found.study
    conf = study.experiment.conf
    mark = " (simulated)" if study.data.simulated else ""
    units = max((c.units for c in found.compared), default=0)
    lines = [
        f"## {study.name}{mark}\n",
        f"Snapshot {study.snapshot.version}: "
        + ", ".join(f"{study.snapshot.rows(s):,} rows {s}" for s in sorted(study.snapshot.splits))
        + f"; {units:,} test units.\n",
        table(["arm", "parameters", "settings chosen", *_headings(found)], _arm_lines(found)),
        "Difference from the reference:\n",
        table(["arm", *_headings(found)], _difference_lines(found)),
    ]
    failed = [f"- `{arm.name}`: {arm.failure}" for arm in found.arms if arm.failure]
    if failed:
        lines += ["Failed arms:\n", *failed, ""]
    if not all(found.study.experiment.conf.arms[a].sized for a in found.figures):
        lines.append("Arms that are not sized have the parameters that the table says.\n")
    return "\n".join(lines) + ("" if conf.asks else "\n")


def _headings(found: Found) -> list[str]:
    headline = found.study.experiment.conf.headline
    return [f"{m} ({'lower' if lower_is_better(m) else 'higher'} is better)" for m in headline]


def _arm_lines(found: Found) -> list[list[object]]:
    return [
        [
            arm.name,
            _parameters(arm),
            ", ".join(f"{k} {v}" for k, v in arm.chosen.items()) or "as conf has them",
            *(_cell(found, arm.name, m) for m in found.study.experiment.conf.headline),
        ]
        for arm in found.arms
        if arm.failure is None
    ]


def _difference_lines(found: Found) -> list[list[object]]:
    conf = found.study.experiment.conf
    return [
        [arm.name, *(_difference(found, arm.name, m) for m in conf.headline)]
        for arm in found.arms
        if arm.failure is None and arm.name != conf.reference
    ]


def _parameters(arm: Arm) -> str:
    counts = {training.state["parameters"] for training in arm.trainings.values()}
    return ", ".join(f"{n:,}" for n in sorted(counts))


def _cell(found: Found, arm: str, metric: str) -> str:
    one = found.of(arm, metric, ALL)
    return "-" if one is None else figure(one.estimate)


def _difference(found: Found, arm: str, metric: str) -> str:
    one = found.of(arm, metric, ALL)
    if one is None or one.difference is None:
        return "-"
    return f"{figure(one.difference, '+')} {verdict(metric, one.difference)}"


def figure(estimate: Estimate, sign: str = "") -> str:
    """`0.5123 [0.4980, 0.5260]`; a dash for no figure, no brackets for no interval."""
    if not np.isfinite(estimate.value):
        return "-"
    text = f"{estimate.value:{sign}.4f}"
    if estimate.low is None or estimate.high is None:
        return text
    return f"{text} [{estimate.low:{sign}.4f}, {estimate.high:{sign}.4f}]"
