"""What each part of the inputs of the labeler `lexical` brings on Home Depot's human grades.

Buckets 0 to 5 in turn (see `homedepot_pairs`): trees are fitted on the other five, a tenth of
whose queries chooses leaves and rounds, and answer the pairs of the sixth; the answers of all six
are judged together. One arm sees all inputs, the others lack the parts of ARMS. Figures as in
`labelers`; differences are paired over the same draws of queries, 95 %. One seed of the trees: what
another seed would change is not in the intervals. No arm is fitted again on the queries that chose.
Bucket 6 is not looked at.

COUNTERPOISE_TREE_ARMS names arms, separated by commas, to be fitted beside that of all inputs;
COUNTERPOISE_LABELER_PAIRS is a limit of each bucket's pairs.
"""

import os
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from rich.console import Console

from bench.labels.homedepot_pairs import GradedPairs, find_file, read_pairs
from bench.labels.labelers import SEED, Outcome, draw_queries, is_held_out, judge_outcome
from bench.result import Result
from conf.load import SIMULATED, load_conf
from model.labelers.base import Probabilities
from model.labelers.lexical import directions, neighbours
from model.labelers.lexical.boosting import BagFit
from model.labelers.lexical.graded import FEATURES as GRADED_FEATURES
from model.labelers.lexical.graded import GradedPairs as Learnt
from model.labelers.lexical.inputs import LexicalInputs
from model.labelers.mix.sampling import compute_mix, count_grades

BUCKETS = range(6)
REPLICATES = 200
"""Draws of queries behind an interval."""
BAG = 3
"""Members of a bag, where the labeler has eight: all arms have as many, in less time."""
PARTS: Mapping[str, tuple[str, ...]] = {
    "neighbours": neighbours.FEATURES,
    "directions": directions.FEATURES,
}
FIGURES = (
    *("within_query_correlation", "ndcg@10", "clear_pairs", "qwk", "spearman_of_ratings"),
    *("exact", "within_one", "ece_ge_1", "ece_ge_2"),
)
"""Order within a query first, then what the gate reads."""
ALL = "all inputs"
ARMS: Mapping[str, tuple[str, ...]] = {
    ALL: (),
    **{f"all but {part}": (part,) for part in PARTS},
    "no graded pairs": tuple(PARTS),
}
"""The parts that an arm lacks."""


def measure() -> list[Result]:
    """Measure what all inputs have over all but one part; nothing where the data is absent."""
    path = find_file()
    if path is None:
        Console().print("tree_inputs: skipped, no Home Depot pairs under COUNTERPOISE_DATA")
        return []
    limit = int(os.environ.get("COUNTERPOISE_LABELER_PAIRS", "0")) or None
    asked = os.environ.get("COUNTERPOISE_TREE_ARMS")
    arms = list(dict.fromkeys([ALL, *asked.split(",")])) if asked else list(ARMS)
    if unknown := set(arms) - ARMS.keys():
        raise ValueError(f"no arms {sorted(unknown)}; there are {list(ARMS)}")
    folds = [read_pairs(path, [bucket], limit, seed=SEED, brands=True) for bucket in BUCKETS]
    answers: dict[str, list[Probabilities]] = {}
    for number, fold in enumerate(folds):
        others = _join_folds([other for other in folds if other is not fold])
        for arm, p in _answer_fold(others, fold, arms):
            answers.setdefault(arm, []).append(p)
        Console().print(f"bucket {number} of {len(folds)} is answered")
    judged = _join_folds(folds)
    draws, mix = draw_queries(judged, REPLICATES), compute_mix(count_grades(judged.grades))
    outcomes = {
        arm: judge_outcome(_join_answers(parts), judged, mix, draws)
        for arm, parts in answers.items()
    }
    return [
        result
        for arm, outcome in outcomes.items()
        for result in _compare_arms(arm, outcome, outcomes[ALL])
    ]


def _answer_fold(
    graded: GradedPairs, fold: GradedPairs, arms: Sequence[str]
) -> Iterator[tuple[str, Probabilities]]:
    """Fit each arm on the graded pairs and give what it answers to the fold's."""
    settings = ["labeler.kind=lexical", f"labeler.lexical.bag={BAG}"]
    conf = load_conf([SIMULATED], settings=settings).tree
    held = np.array([is_held_out(query) for query in graded.pairs.queries])
    pairs, targets = graded.pairs.select_rows(~held), graded.targets.select_rows(~held)
    choosing = graded.pairs.select_rows(held)
    inputs = LexicalInputs.fit(pairs, conf.encoder, conf.language)
    plain = inputs.build_matrix(pairs)
    learnt, columns = Learnt.learn_pairs(pairs, targets, inputs)
    fitted = np.column_stack([plain, columns])
    chosen, asked = (
        np.column_stack([inputs.build_matrix(some), learnt.compute_features(some, inputs)])
        for some in (choosing, fold.pairs)
    )
    names = np.array([*inputs.names, *GRADED_FEATURES])
    for arm in arms:
        left_out = [name for part in ARMS[arm] for name in PARTS[part]]
        seen = ~np.isin(names, left_out)
        truths = graded.targets.select_rows(held)
        bag = BagFit(
            fitted[:, seen],
            targets,
            (chosen[:, seen], truths),
            conf.labeler.lexical,
            conf.seed,
            tuple(names[seen]),
        )
        yield arm, bag.add_members(bag.fit_one()).predict(asked[:, seen])


def _join_folds(folds: list[GradedPairs]) -> GradedPairs:
    pairs = folds[0].pairs
    for fold in folds[1:]:
        pairs = pairs.followed_by(fold.pairs)
    return GradedPairs(
        pairs,
        np.concatenate([fold.grades for fold in folds]),
        np.concatenate([fold.ratings for fold in folds]),
    )


def _join_answers(parts: list[Probabilities]) -> Probabilities:
    return Probabilities(
        np.concatenate([p.p_ge_1 for p in parts]), np.concatenate([p.p_ge_2 for p in parts])
    )


def _compare_arms(arm: str, outcome: Outcome, full: Outcome) -> Iterator[Result]:
    """Give the figures of all inputs, and of another arm what all inputs have over it."""
    for name in FIGURES:
        if arm == ALL:
            yield Result(f"{arm}: {name}", outcome.format_figure(name), "none", True)
            continue
        gain = full.value[name] - outcome.value[name]
        low, high = np.nanquantile(full.drawn[name] - outcome.drawn[name], (0.025, 0.975))
        words = f"{gain:+.4f} ({low:+.4f} to {high:+.4f})"
        yield Result(f"{ALL} over {arm}: {name}", words, "none", True)
