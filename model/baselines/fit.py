"""Fits every baseline that conf names on the train split of a snapshot, tuned on validation."""

from importlib.util import find_spec

from conf.sections.baselines import BaselinesConf
from model.baselines.arms import COLUMNS, RANKED, Baselines
from model.feed import Snapshot
from model.value.weights import ValueWeights

BINARY = ("lightgbm", "lightgbm_position")
BOOSTED = (*BINARY, *RANKED)
"""Arms that need LightGBM."""

_ENGAGED = ("lambdamart_engagement", "lambdamart_mixed")
_GRADED = ("lambdamart_relevance", "lambdamart_mixed")


def fit_baselines(
    snapshot: Snapshot, conf: BaselinesConf, weights: ValueWeights, seed: int
) -> Baselines:
    """Fit the arms of conf; an arm that cannot be fitted is left out and noted.

    Each model takes the best of `conf.trials` points of one grid by its own validation figure: log
    loss (weighted for grades), or NDCG@10 of its labels for LambdaMART, with early stopping on it.

    Args:
        snapshot: with splits train and validation.
        conf: arms and budget.
        weights: of the value formula; LambdaMART's engagement gain is sum_t w_t y_t.
        seed: of points and trees.
    """
    columns, absent = _select_columns(snapshot, conf)
    left_out = absent | _explain_left_out(snapshot, [arm for arm in conf.arms if arm in BOOSTED])
    boosted = [arm for arm in conf.arms if arm in BOOSTED and arm not in left_out]
    plain = Baselines(
        names=tuple(snapshot.spec.names),
        weights=weights,
        columns=columns,
        notes=tuple(f"baseline {arm} left out: {why}" for arm, why in left_out.items()),
    )
    if not boosted:
        return plain
    from model.baselines.boosted import fit_boosted  # imports LightGBM, an extra

    return fit_boosted(plain, snapshot, conf, boosted, seed)


def _select_columns(
    snapshot: Snapshot, conf: BaselinesConf
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Select the arms that rank by a feature, and those whose feature is not there."""
    named = [arm for arm in conf.arms if arm in COLUMNS]
    absent: dict[str, str] = {
        arm: f"the features have no column {COLUMNS[arm]}"
        for arm in named
        if COLUMNS[arm] not in snapshot.spec.names
    }
    return tuple(arm for arm in named if arm not in absent), absent


def _explain_left_out(snapshot: Snapshot, wanted: list[str]) -> dict[str, str]:
    """List the boosted arms that cannot be fitted, and why."""
    if find_spec("lightgbm") is None:
        return dict.fromkeys(wanted, "LightGBM is not installed (extra `labelers`)")
    columns, reasons = snapshot.columns, {}
    for arm in wanted:
        if arm in _ENGAGED and not {"page_code", "page_high"} & columns:
            reasons[arm] = "the snapshot names no result pages; build the training set again"
        elif arm in _GRADED and not snapshot.spec.relevance:
            reasons[arm] = "the rows carry no grades"
        elif arm in _GRADED and not {"list_code", "list_high"} & columns:
            reasons[arm] = "the snapshot names no queries; build the training set again"
    return reasons
