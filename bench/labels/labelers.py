"""Labelers side by side on Home Depot: fitted on human grades, judged on queries never seen.

Pairs of buckets 0 to 5 (see `homedepot_pairs`; the item's text is its title, led by its
brand) are fitted on; a tenth of their queries is held out to choose epoch, trees and shares, and
joins the last fit of the labelers that are then fitted again; bucket 6 is the test. Settings were
chosen before on fits on buckets 0 to 4 judged on 5. All labelers see the same pairs and the soft
targets of the mean ratings.

Within a query: mean correlation with the raters' mean, NDCG@10, and the share of pairs 1.5 rating
points apart in the right order; the rank correlation over all pairs also rewards guessing a query's
mean.

Predicted grades come from cut points of the expected grade that give the test predictions the mix
of grades of training. Spearman is that of the expected grade and the raters' mean. Intervals: 95 %,
bootstrap over queries, the same draws for all labelers, so that differences are paired.

COUNTERPOISE_LABELERS names the kinds (lexical,ensemble), COUNTERPOISE_LABELER_PAIRS how many
pairs are drawn from buckets 0 to 5 (all), COUNTERPOISE_LABELER_TEST_PAIRS how many single pairs are
drawn from the test (all; the same for all labelers of the command), COUNTERPOISE_LABELER_SET
settings as after `--set`; COUNTERPOISE_LABELER_TEST=5 fits on buckets 0 to 4 and judges on 5, to
choose settings. For `openai_compatible` a server of the small model is started on loopback (see
`endpoint_server`) and calibrated on some hundred of the pairs to fit.

The limit of a fit, 30 minutes, was set on a machine where three epochs of the base model alone took
27. So the fit is also printed over what three epochs take on this one (see `yardstick`).
"""

import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from bench.labels.homedepot_pairs import GradedPairs, find_file, read_pairs
from bench.labels.labeler_runs import Run, run_labeler
from bench.labels.yardstick import LEARNT, READ, measure_bare_rates
from bench.result import Result
from model.evaluation.metrics import compute_spearman
from model.evaluation.relevance import CLEAR_RATINGS
from model.labelers.base import Probabilities
from model.labelers.deployed import match_cuts
from model.labelers.gate.within import measure_within_query
from model.labelers.kinds import ENSEMBLE, LEXICAL
from model.labelers.metrics import compute_label_metrics
from model.labelers.mix.sampling import compute_mix, count_grades

REPLICATES = 300
"""Draws of queries behind an interval."""
LEAST_RATING = 1.0
"""Of Home Depot's scale, 1 to 3."""
SEED = 17
"""Of samples and draws."""
FEW = 2_500
"""Pairs up to which the second limit of TARGETS holds."""
TARGETS = {"qwk": (0.46, 0.40), "spearman_of_ratings": (0.55, 0.47), "within_one": (0.985, 0.0)}
"""Least figure of the default from all labels, and from 2,000."""
MINUTES, RATE = 30.0, 450.0
"""Limits of the default: minutes of the fit, pairs read a second."""
SHARE_OF_SKETCH = 30.0 / 27.0
"""The limit in minutes over what three epochs of the bare network took where it was set."""
SKETCH_EPOCHS = 3
"""Epochs of the bare network that a fit is held against."""
BASELINE, JUDGED = LEXICAL, ENSEMBLE
Draws = list[tuple[NDArray[np.int64], NDArray[np.int64]]]


@dataclass(frozen=True)
class Outcome:
    """Figures of a labeler on the test, and on every bootstrap draw of queries [REPLICATES]."""

    value: dict[str, float]
    drawn: dict[str, NDArray[np.float64]]

    def format_figure(self, name: str) -> str:
        """Format the figure with its interval."""
        low, high = np.nanquantile(self.drawn[name], (0.025, 0.975))
        return f"{self.value[name]:.3f} ({low:.3f} to {high:.3f})"


def measure() -> list[Result]:
    """Measure all labelers; nothing where the data is absent."""
    path = find_file()
    if path is None:
        Console().print("labelers: skipped, no Home Depot pairs under COUNTERPOISE_DATA")
        return []
    limit = _read_count("COUNTERPOISE_LABELER_PAIRS")
    bucket = _read_count("COUNTERPOISE_LABELER_TEST") or 6
    graded = read_pairs(path, range(bucket), limit, seed=SEED, brands=True)
    sample = _read_count("COUNTERPOISE_LABELER_TEST_PAIRS")
    test = read_pairs(path, [bucket], sample, seed=SEED, brands=True)
    held = np.array([is_held_out(query) for query in graded.pairs.queries])
    draws = draw_queries(test, REPLICATES)
    outcomes: dict[str, Outcome] = {}
    results: list[Result] = []
    for kind in os.environ.get("COUNTERPOISE_LABELERS", f"{BASELINE},{JUDGED}").split(","):
        ran = run_labeler(kind, graded, held, test.pairs)
        if ran is None:
            continue
        outcomes[kind] = judge_outcome(ran.p, test, compute_mix(count_grades(graded.grades)), draws)
        results += [*_judge_speed(kind, ran), _describe_test(kind, ran, test)]
        if kind == JUDGED and len(graded.pairs) >= LEARNT + READ:
            results.append(_compare_with_bare(kind, ran, graded))
        results += _judge_figures(kind, outcomes[kind], few=limit is not None and limit <= FEW)
    return [*results, *_compare_outcomes(outcomes)]


def _read_count(variable: str) -> int | None:
    """Read a count from the environment; None where it is absent or 0."""
    return int(os.environ.get(variable, "0")) or None


def is_held_out(query: str) -> bool:
    """Tell whether a query chooses: a tenth of them do, whatever their bucket."""
    return zlib.crc32(query.strip().lower().encode()) // 10 % 10 == 0


def draw_queries(test: GradedPairs, replicates: int) -> Draws:
    """Draw queries with replacement: their rows, and which drawn query each row is of; one entry
    per replicate."""
    _, query = np.unique(_list_keys(test), return_inverse=True)
    rows = np.split(np.argsort(query, kind="stable"), np.cumsum(np.bincount(query))[:-1])
    generator = np.random.default_rng(SEED)
    picks = generator.integers(0, len(rows), (replicates, len(rows)))
    sizes = np.array([len(part) for part in rows])
    return [
        (np.concatenate([rows[at] for at in pick]), np.repeat(np.arange(len(pick)), sizes[pick]))
        for pick in picks
    ]


def _list_keys(test: GradedPairs) -> list[str]:
    """List the query of each pair, in the form by which buckets tell queries apart."""
    return [query.strip().lower() for query in test.pairs.queries]


def judge_outcome(
    p: Probabilities, test: GradedPairs, mix: tuple[float, float, float], draws: Draws
) -> Outcome:
    cuts = match_cuts(p.expected, np.ones(len(p)), mix)

    def compute_figures(rows: NDArray[np.int64], query: NDArray[np.int64]) -> dict[str, float]:
        some = Probabilities(p.p_ge_1[rows], p.p_ge_2[rows])
        rank = compute_spearman(some.expected, test.ratings[rows])
        level = test.ratings[rows] - LEAST_RATING
        within = measure_within_query(some.expected, level, query, CLEAR_RATINGS)
        metrics = compute_label_metrics(some, test.grades[rows], cuts)
        return metrics | {"spearman_of_ratings": rank} | within

    drawn = [compute_figures(rows, query) for rows, query in draws]
    _, queries = np.unique(_list_keys(test), return_inverse=True)
    value = compute_figures(np.arange(len(p)), queries.astype(np.int64))
    return Outcome(value, {name: np.array([d[name] for d in drawn]) for name in value})


def _judge_speed(kind: str, ran: Run) -> list[Result]:
    judged = kind == JUDGED
    return [
        Result(
            f"{kind}: {ran.learnt}",
            f"{ran.minutes:.1f} min",
            f"<= {MINUTES:.0f}" if judged else "none",
            not judged or ran.minutes <= MINUTES,
        ),
        Result(
            f"{kind}: predict",
            f"{ran.rate:.0f} pairs/s",
            f">= {RATE:.0f}" if judged else "none",
            not judged or ran.rate >= RATE,
        ),
    ]


def _compare_with_bare(kind: str, ran: Run, graded: GradedPairs) -> Result:
    """Hold the fit against three epochs of the base model alone, whose rate is taken in this
    run."""
    rate = measure_bare_rates(graded.pairs, graded.targets).learning
    minutes = SKETCH_EPOCHS * len(graded.pairs) / rate / 60
    ratio = ran.minutes / minutes
    return Result(
        f"{kind}: fit over {SKETCH_EPOCHS} epochs of the base model alone",
        f"{ratio:.2f} ({rate:.0f} pairs/s: {minutes:.1f} min)",
        f"<= {SHARE_OF_SKETCH:.2f}",
        ratio <= SHARE_OF_SKETCH,
    )


def _describe_test(kind: str, ran: Run, test: GradedPairs) -> Result:
    queries = len(set(_list_keys(test)))
    words = f"{len(test.pairs):,} pairs of {queries:,} queries, {ran.unanswered} without an answer"
    return Result(f"{kind}: judged on", words, "none", True)


def _judge_figures(kind: str, outcome: Outcome, few: bool) -> Iterator[Result]:
    for name, value in outcome.value.items():
        least = TARGETS[name][few] if kind == JUDGED and name in TARGETS else None
        limit = "none" if least is None else f">= {least}"
        holds = least is None or value >= least
        yield Result(f"{kind}: {name}", outcome.format_figure(name), limit, holds)


def _compare_outcomes(outcomes: dict[str, Outcome]) -> Iterator[Result]:
    """Compare every labeler with `lexical`, on the same draws."""
    base = outcomes.get(BASELINE)
    for kind, outcome in outcomes.items():
        if base is None or kind == BASELINE:
            continue
        for name in ("qwk", "spearman_of_ratings"):
            low, high = np.quantile(outcome.drawn[name] - base.drawn[name], (0.025, 0.975))
            gain = outcome.value[name] - base.value[name]
            judged = kind == JUDGED
            yield Result(
                f"{kind} over {BASELINE}: {name}",
                f"{gain:+.3f} ({low:+.3f} to {high:+.3f})",
                "interval above 0" if judged else "none",
                not judged or low > 0,
            )
