"""The mix of grades on Home Depot: fitted on balanced pairs and as production, corrected or not.

Queries by bucket (see `bench.homedepot_pairs`): fitted on pairs of buckets 0 to 4, chosen on 5,
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

from bench.homedepot_pairs import GradedPairs, file_path, read_pairs
from bench.result import Result
from conf.load import SIMULATED, load_conf
from conf.sections.labeling import MixConf
from model.labelers.base import Floats, Labeler, Pairs, Probabilities, Targets
from model.labelers.build import build_labeler
from model.labelers.metrics import (
    agreement_of_confusion,
    confusion,
    cut_points,
    expected_calibration_error,
    grades_by_cuts,
)
from model.labelers.mix.prior_shift import corrected, estimated_mix
from model.labelers.mix.sampling import Mix, counts_of, mix_of_counts, quotas, total_variation

REPLICATES = 200
SEED = 17
Grades = NDArray[np.int64]


def measure() -> list[Result]:
    """A result an arm and correction; nothing where the data is absent. There is no limit."""
    path = file_path()
    if path is None:
        Console().print("mix: skipped, no Home Depot pairs under COUNTERPOISE_DATA")
        return []
    fit, choose, test = (read_pairs(path, buckets) for buckets in (range(5), [5], [6]))
    true_mix = mix_of_counts(counts_of(test.grades))
    results = [Result("true mix of bucket 6", _words(true_mix), "none", True)]
    for arm in ("production", "balanced"):
        labeler, fitted = _fitted(arm, fit, choose)
        results += list(_judged(arm, labeler, fitted, fit, choose, test))
    return results


def _fitted(arm: str, fit: GradedPairs, choose: GradedPairs) -> tuple[Labeler, Mix]:
    """A lexical labeler of the arm's mix, and that mix."""
    counts = counts_of(fit.grades)
    conf = MixConf.model_validate({"sampling": arm})
    wanted = quotas(counts, conf, 3 * min(counts))
    rows = _draw(fit.grades, wanted)
    pairs, grades = fit.pairs.take(rows), fit.grades[rows]
    labeler = build_labeler(load_conf([SIMULATED], settings=["labeler.kind=lexical"]).tree)
    labeler.fit(pairs, Targets.of_grades(grades), _choosing(arm, choose))
    return labeler, mix_of_counts(counts_of(grades))


def _choosing(arm: str, choose: GradedPairs) -> tuple[Pairs, Targets]:
    """Bucket 5 in the arm's mix, by weights: the loss that stops the fit is that of its mix."""
    targets = Targets.of_grades(choose.grades)
    if arm == "production":
        return choose.pairs, targets
    weight = (1.0 / np.array(counts_of(choose.grades), np.float64))[choose.grades]
    weight *= len(weight) / weight.sum()
    return choose.pairs, Targets(targets.label_ge_1, targets.label_ge_2, weight)


def _draw(grades: Grades, wanted: tuple[int, int, int]) -> NDArray[np.int64]:
    rng = np.random.default_rng(SEED)
    rows = [rng.permutation(np.flatnonzero(grades == g))[: wanted[g]] for g in range(3)]
    return np.sort(np.concatenate(rows)).astype(np.int64)


def _judged(
    arm: str,
    labeler: Labeler,
    fitted: Mix,
    fit: GradedPairs,
    choose: GradedPairs,
    test: GradedPairs,
) -> Iterator[Result]:
    raw = labeler.predict(test.pairs)
    chosen = labeler.predict(choose.pairs)
    production = mix_of_counts(counts_of(fit.grades))
    estimated = estimated_mix(raw, fitted)
    moves: dict[str, Callable[[Probabilities], Probabilities]] = {
        "not corrected": lambda p: p,
        "corrected": lambda p: corrected(p, fitted, production),
        f"corrected, EM {_words(estimated)}": lambda p: corrected(p, fitted, estimated),
    }
    for name, move in moves.items():
        p = move(raw)
        yield Result(f"{arm}, {name}", figures(p, p.grades, test), "none", True)
        cuts = cut_points(move(chosen).expected, counts_of(choose.grades))
        matched = grades_by_cuts(p.expected, cuts)
        yield Result(f"{arm}, {name}, matched", figures(p, matched, test), "none", True)


def figures(p: Probabilities, predicted: Grades, test: GradedPairs) -> str:
    """Kappa, exact, calibration error and mix of predicted grades, with intervals, in words."""
    _, query = np.unique([q.strip().lower() for q in test.pairs.queries], return_inverse=True)
    draws = np.random.default_rng(SEED).multinomial(
        int(query.max()) + 1, np.full(int(query.max()) + 1, 1 / (int(query.max()) + 1)), REPLICATES
    )
    weights = [np.ones(len(query)), *(draw[query].astype(np.float64) for draw in draws)]
    rows = [_once(p, predicted, test.grades, weight) for weight in weights]
    words = []
    for at, name in enumerate(("kappa", "exact", "ece>=1", "ece>=2", "mix off")):
        low, high = np.quantile([row[at] for row in rows[1:]], (0.025, 0.975))
        words.append(f"{name} {rows[0][at]:.3f} ({low:.3f}-{high:.3f})")
    produced = mix_of_counts(counts_of(predicted))
    return f"{', '.join(words)}; produced {_words(produced)}"


def _once(
    p: Probabilities, predicted: Grades, true: Grades, weight: Floats
) -> tuple[float, float, float, float, float]:
    table = confusion(true, predicted, weight)
    agreed = agreement_of_confusion(table)
    first, second = (
        expected_calibration_error(prob, (true >= k).astype(np.float64), weight)
        for k, prob in ((1, p.p_ge_1), (2, p.p_ge_2))
    )
    off = total_variation(
        mix_of_counts(table.sum(axis=0).tolist()), mix_of_counts(table.sum(axis=1).tolist())
    )
    return float(agreed["qwk"]), float(agreed["exact"]), first, second, off


def _words(mix: Mix) -> str:
    return "/".join(f"{100 * share:.1f}" for share in mix) + " %"
