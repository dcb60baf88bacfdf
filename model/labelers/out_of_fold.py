"""One labeler per fold, none of which labels a pair that it was fitted on."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from model.labelers.base import Labeler, LabelerError, Pairs, Targets
from model.labelers.store import save_labeler


@dataclass(frozen=True)
class FoldLabelers:
    """Directory and version of the labeler of each fold, and the pairs it was fitted on."""

    folders: dict[int, str]
    versions: dict[int, str]
    fitted_on: dict[int, int]


def fit_out_of_fold(
    pairs: Pairs,
    targets: Targets,
    folds: NDArray[Any],
    validates: NDArray[Any],
    make: Callable[[], Labeler],
    root: Path,
) -> FoldLabelers:
    """Fit one labeler per fold on the pairs of all other folds, and save each under `root`.

    Args:
        folds: fold of each pair [N]; pairs of one query text share it.
        validates: pairs [N] (bool) that choose what the labeler chooses.

    Raises:
        LabelerError: fewer than two folds have pairs, or nothing is left to fit or validate on.
    """
    names = sorted({int(fold) for fold in folds})
    if len(names) < 2:
        raise LabelerError("out of fold needs pairs of two query texts in different folds")
    fitted = FoldLabelers({}, {}, {})
    for name in names:
        fit, choose = (folds != name) & ~validates, (folds != name) & validates
        if not fit.any() or not choose.any():
            raise LabelerError(f"fold {name}: no pairs of other folds to fit or to validate on")
        labeler = make()
        validation = pairs.select_rows(choose), targets.select_rows(choose)
        report = labeler.fit(pairs.select_rows(fit), targets.select_rows(fit), validation)
        folder = root / f"fold-{name}"
        save_labeler(labeler, folder, {"left_out_fold": name})
        fitted.folders[name] = str(folder)
        fitted.versions[name] = labeler.version
        fitted.fitted_on[name] = report.pairs
    return fitted
