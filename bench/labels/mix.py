"""The mix of grades on Home Depot: fitted on balanced pairs and as production, corrected or not.

Queries by bucket (see `homedepot_pairs`): fitted on pairs of buckets 0 to 4, chosen on 5,
judged on 6. Both arms are fitted by `lexical` on as many pairs: three times the rarest grade's.
"As production" draws them as they were judged, "balanced" a third of each grade. A correction moves
the answers from the arm's mix to production's, which is that of all grades of buckets 0 to 4, or
is estimated (EM) from the answers to the pairs of bucket 6 without their grades. Grades are the
most probable ones, so that the correction shows, and for `matched` those of cut points that give
bucket 5 its mix. Intervals: 95 %, bootstrap over queries.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from bench.labels.homedepot_pairs import GradedPairs, find_file, read_pairs
from bench.result import Result
from conf.load import SIMULATED, load_conf
from conf.sections.labelers.labeling import Mix, MixConf
from model.arrays import Floats
from model.labelers.base import Labeler, Pairs, Probabilities, Targets
from model.labelers.build import build_labeler
from model.labelers.deployed import match_cuts
from model.labelers.metrics import (
    compute_agreement,
    compute_calibration_errors,
    count_confusion,
    cut_grades,
)
from model.labelers.mix.prior_shift import correct_mix, estimate_mix
from model.labelers.mix.sampling import (
    compute_mix,
    compute_quotas,
    compute_total_variation,
    count_grades,
    format_mix,
)

REPLICATES = 200
"""Draws of queries behind an interval."""
SEED = 17
"""Of the draws."""
Grades = NDArray[np.int64]


def measure() -> list[Result]:
    """Measure one result per arm and correction; nothing where the data is absent. There is no
    limit."""
    path = find_file()
    if path is None:
        Console().print("mix: skipped, no Home Depot pairs under COUNTERPOISE_DATA")
        return []
    fit, choose, test = (read_pairs(path, buckets) for buckets in (range(5), [5], [6]))
    true_mix = compute_mix(count_grades(test.grades))
    results = [Result("true mix of bucket 6", format_mix(true_mix, 1), "none", True)]
    for arm in ("production", "balanced"):
        labeler, fitted = _fit_arm(arm, fit, choose)
        results += list(_judge_arm(arm, labeler, fitted, fit, choose, test))
    return results


def _fit_arm(arm: str, fit: GradedPairs, choose: GradedPairs) -> tuple[Labeler, Mix]:
    """Fit a lexical labeler on the arm's mix, and give that mix."""
    counts = count_grades(fit.grades)
    conf = MixConf.model_validate({"sampling": arm})
    wanted = compute_quotas(counts, conf, 3 * min(counts))
    rows = _draw_rows(fit.grades, wanted)
    pairs, grades = fit.pairs.select_rows(rows), fit.grades[rows]
    labeler = build_labeler(load_conf([SIMULATED], settings=["labeler.kind=lexical"]).tree)
    labeler.fit(pairs, Targets.from_grades(grades), _weigh_choosing(arm, choose))
    return labeler, compute_mix(count_grades(grades))


def _weigh_choosing(arm: str, choose: GradedPairs) -> tuple[Pairs, Targets]:
    """Weigh bucket 5 to the arm's mix: the loss that stops the fit is that of its mix."""
    targets = Targets.from_grades(choose.grades)
    if arm == "production":
        return choose.pairs, targets
    weight = (1.0 / np.array(count_grades(choose.grades), np.float64))[choose.grades]
    weight *= len(weight) / weight.sum()
    return choose.pairs, Targets(targets.label_ge_1, targets.label_ge_2, weight)


def _draw_rows(grades: Grades, wanted: tuple[int, int, int]) -> NDArray[np.int64]:
    rng = np.random.default_rng(SEED)
    rows = [rng.permutation(np.flatnonzero(grades == g))[: wanted[g]] for g in range(3)]
    return np.sort(np.concatenate(rows)).astype(np.int64)


def _judge_arm(
    arm: str,
    labeler: Labeler,
    fitted: Mix,
    fit: GradedPairs,
    choose: GradedPairs,
    test: GradedPairs,
) -> Iterator[Result]:
    raw = labeler.predict(test.pairs)
    chosen = labeler.predict(choose.pairs)
    production = compute_mix(count_grades(fit.grades))
    estimated = estimate_mix(raw, fitted)
    moves: dict[str, Callable[[Probabilities], Probabilities]] = {
        "not corrected": lambda p: p,
        "corrected": lambda p: correct_mix(p, fitted, production),
        f"corrected, EM {format_mix(estimated, 1)}": lambda p: correct_mix(p, fitted, estimated),
    }
    for name, move in moves.items():
        p = move(raw)
        yield Result(f"{arm}, {name}", format_figures(p, p.grades, test), "none", True)
        mix = compute_mix(count_grades(choose.grades))
        cuts = match_cuts(move(chosen).expected, np.ones(len(chosen)), mix)
        matched = cut_grades(p.expected, cuts)
        yield Result(f"{arm}, {name}, matched", format_figures(p, matched, test), "none", True)


def format_figures(p: Probabilities, predicted: Grades, test: GradedPairs) -> str:
    """Format kappa, exact, calibration error and mix of predicted grades, with intervals, in
    words."""
    _, query = np.unique([q.strip().lower() for q in test.pairs.queries], return_inverse=True)
    draws = np.random.default_rng(SEED).multinomial(
        int(query.max()) + 1, np.full(int(query.max()) + 1, 1 / (int(query.max()) + 1)), REPLICATES
    )
    weights = [np.ones(len(query)), *(draw[query].astype(np.float64) for draw in draws)]
    rows = [_measure_once(p, predicted, test.grades, weight) for weight in weights]
    words = []
    for at, name in enumerate(("kappa", "exact", "ece>=1", "ece>=2", "mix off")):
        low, high = np.quantile([row[at] for row in rows[1:]], (0.025, 0.975))
        words.append(f"{name} {rows[0][at]:.3f} ({low:.3f}-{high:.3f})")
    produced = compute_mix(count_grades(predicted))
    return f"{', '.join(words)}; produced {format_mix(produced, 1)}"


def _measure_once(
    p: Probabilities, predicted: Grades, true: Grades, weight: Floats
) -> tuple[float, float, float, float, float]:
    table = count_confusion(true, predicted, weight)
    agreed = compute_agreement(table)
    ece_1, ece_2 = compute_calibration_errors(p, true, weight).values()
    off = compute_total_variation(
        compute_mix(table.sum(axis=0).tolist()), compute_mix(table.sum(axis=1).tolist())
    )
    return float(agreed["qwk"]), float(agreed["exact"]), ece_1, ece_2, off
