"""A second reading: rows keep their keys, and each fold its own labeler."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import udfs.reread
from model.labelers.base import FitReport, LabelerError, Pairs, Probabilities, Targets
from model.labelers.out_of_fold import fit_out_of_fold
from model.labelers.partial import Answers
from udfs.reread import make_reader, reread_rows


class Stub:
    """Says grade 2 where the item repeats the query; remembers what it was fitted on."""

    kind = "stub"
    prompt_hash = None

    def __init__(self, version: str = "stub") -> None:
        self.version = version
        self.seen: list[str] = []

    def fit(self, pairs: Pairs, targets: Targets, validation: tuple[Pairs, Targets]) -> FitReport:
        self.seen = [*pairs.queries, *validation[0].queries]
        return FitReport(len(pairs), 0.0)

    def predict(self, pairs: Pairs) -> Probabilities:
        same = np.array([q == i for q, i in zip(pairs.queries, pairs.items, strict=True)], float)
        return Probabilities(same, same)

    def save(self, folder: Path) -> None:
        (folder / "seen.json").write_text(self.version)


class Silent(Stub):
    """Answers the first pair only."""

    def predict_some(self, pairs: Pairs) -> Answers:
        some = np.array([1.0] + [np.nan] * (len(pairs) - 1))
        reasons = [None] + ["no budget"] * (len(pairs) - 1)
        return Answers(some, some, reasons, np.zeros(len(pairs), bool))


def rows() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "text_key": ["a", "b", "c"],
            "query_text": ["hose", "lamp", "saw"],
            "item_text": ["hose", "hose", "saw"],
            "fold": [1, 0, 1],
        }
    )


def test_rows_get_probabilities_and_the_most_probable_grade() -> None:
    read = reread_rows(rows(), Stub())
    assert list(read["text_key"]) == ["a", "b", "c"]
    assert list(read["model_grade"]) == [2, 0, 2]
    assert "query_text" not in read.columns


def test_a_pair_without_an_answer_stays_unread() -> None:
    assert list(reread_rows(rows(), Silent())["text_key"]) == ["a"]


def test_each_fold_is_read_by_its_labeler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        udfs.reread, "_load_once", lambda folder, version, processes: Stub(f"{folder}-{version}")
    )
    read = pd.concat(make_reader({0: "f0", 1: "f1"}, {0: "v0", 1: "v1"})([rows()]))
    versions = dict(zip(read["text_key"], read["model_version"], strict=True))
    assert versions == {"a": "f1-v1", "b": "f0-v0", "c": "f1-v1"}


def test_no_labeler_sees_the_fold_that_it_reads(tmp_path: Path) -> None:
    queries = [f"q{n}" for n in range(12)]
    folds, validates = np.arange(12) % 3, np.arange(12) % 4 == 0
    made: list[Stub] = []

    def make() -> Stub:
        made.append(Stub(f"v{len(made)}"))
        return made[-1]

    targets = Targets.from_grades(np.arange(12) % 3)
    fitted = fit_out_of_fold(Pairs(queries, queries), targets, folds, validates, make, tmp_path)
    for fold, labeler in enumerate(made):
        assert labeler.seen and not {int(q[1:]) % 3 for q in labeler.seen} & {fold}
        assert fitted.versions[fold] == f"v{fold}"
        assert (Path(fitted.folders[fold]) / "labeler.json").is_file()
    assert fitted.fitted_on == {0: 6, 1: 6, 2: 6}


def test_one_fold_is_too_few(tmp_path: Path) -> None:
    pairs, targets = Pairs(["q"], ["i"]), Targets.from_grades(np.array([1]))
    with pytest.raises(LabelerError, match="different folds"):
        fit_out_of_fold(pairs, targets, np.zeros(1), np.zeros(1, bool), Stub, tmp_path)
