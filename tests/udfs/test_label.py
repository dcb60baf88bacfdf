"""A labeler with its correction and cut points, and what the labeling UDF makes of a batch."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from conf.load import SIMULATED, load_conf
from model.labelers.base import FitReport, LabelerError, Pairs, Probabilities, Targets
from model.labelers.build import build_labeler
from model.labelers.deployed import (
    Deployed,
    Deployment,
    load_deployed,
    match_cuts,
    read_deployed_encoder,
    read_deployed_version,
    save_deployed,
)
from model.labelers.partial import Answers
from udfs.label import hand_vectors, label_series, labeler_of

THIRDS = (1 / 3, 1 / 3, 1 / 3)
PRODUCTION = (0.1, 0.4, 0.5)


class Stub:
    """Says .2 .3 .5 of every pair, and nothing of an item called "?"."""

    kind = "lexical"
    version = "stub"
    prompt_hash = None

    def fit(self, pairs: Pairs, targets: Targets, validation: Any) -> FitReport:
        return FitReport(len(pairs), 0.0)

    def predict(self, pairs: Pairs) -> Probabilities:
        return Probabilities(np.full(len(pairs), 0.8), np.full(len(pairs), 0.5))

    def predict_some(self, pairs: Pairs) -> Answers:
        missing = np.array([item == "?" for item in pairs.items])
        first, second = (np.where(missing, np.nan, p) for p in (0.8, 0.5))
        reasons = ["no answer" if lacks else None for lacks in missing]
        return Answers(first, second, reasons, np.zeros(len(pairs), bool))

    def save(self, folder: Path) -> None:
        raise NotImplementedError


PAIRS = Pairs(["drill", "saw", "rope"], ["red drill", "?", "rope"])


def test_answers_are_corrected_and_missing_ones_stay_missing() -> None:
    deployed = Deployed(Stub(), Deployment(THIRDS, PRODUCTION))
    answers = deployed.predict_some(PAIRS)
    assert answers.reasons == [None, "no answer", None]
    # masses .2 .3 .5 times .1 .4 .5: .02 .12 .25 of .39
    np.testing.assert_allclose(answers.p_ge_1[[0, 2]], 0.37 / 0.39)
    assert np.isnan(answers.p_ge_1[1])
    np.testing.assert_allclose(deployed.predict(PAIRS).p_ge_2, 0.25 / 0.39)


def test_a_batch_of_the_udf_has_null_where_there_is_no_answer() -> None:
    deployed = Deployed(Stub(), Deployment(THIRDS, THIRDS, (0.5, 1.4)))
    rows = label_series(deployed, pd.Series(PAIRS.queries), pd.Series(PAIRS.items))
    # expected grade 1.3 lies between the cuts
    assert rows["grade"].tolist()[::2] == [1, 1]
    assert rows["grade"].isna().tolist() == [False, True, False]
    assert rows["reason"].tolist() == [None, "no answer", None]
    assert (rows["p_ge_2"].dropna() <= rows["p_ge_1"].dropna()).all()


def test_the_version_changes_with_all_that_changes_labels() -> None:
    deployments = [
        Deployment(THIRDS, THIRDS),
        Deployment(THIRDS, PRODUCTION),
        Deployment(THIRDS, THIRDS, (0.5, 1.4)),
    ]
    versions = {d.compute_version("a") for d in deployments} | {deployments[0].compute_version("b")}
    assert len(versions) == 4
    assert deployments[0].compute_version("a") == Deployment(THIRDS, THIRDS).compute_version("a")


def test_stored_vectors_reach_a_labeler_that_reads_them() -> None:
    class Reader(Stub):
        encoder_version = "e1"

        def __init__(self) -> None:
            self.known: dict[str, list[float]] = {}

        def add_vectors(self, vectors: Mapping[str, np.ndarray]) -> None:
            self.known |= {text: vector.tolist() for text, vector in vectors.items()}

    texts, vectors = pd.Series(["drill", "saw"]), pd.Series([np.array([1.0, 0.0]), None])
    reader = Reader()
    hand_vectors(Deployed(reader, Deployment(THIRDS, THIRDS)), texts, vectors)
    assert reader.known == {"drill": [1.0, 0.0]}
    hand_vectors(Deployed(Stub(), Deployment(THIRDS, THIRDS)), texts, vectors)


def test_cut_points_by_hand() -> None:
    expected = np.array([0.2, 1.9, 0.4, 1.0, 1.5])
    even = np.ones(5)
    assert match_cuts(expected, even, (0.2, 0.4, 0.4)) == pytest.approx((0.3, 1.25))
    # the lowest pair stands for half of all
    heavy = np.array([4.0, 1.0, 1.0, 1.0, 1.0])
    assert match_cuts(expected, heavy, (0.5, 0.25, 0.25)) == pytest.approx((0.3, 1.25))
    # no pair lies above the last
    assert match_cuts(expected, even, (0.2, 0.8, 0.0)) == pytest.approx((0.3, 1.9))
    with pytest.raises(LabelerError):
        match_cuts(np.empty(0), np.empty(0), THIRDS)


def test_saved_and_read_again(tmp_path: Path) -> None:
    settings = [
        "labeler.kind=lexical",
        "labeler.lexical.cosine=false",
        "labeler.lexical.min_leaf=1",
        "labeler.lexical.threads=1",
    ]
    labeler = build_labeler(load_conf([SIMULATED], settings=settings).tree)
    pairs = Pairs(["red drill"] * 30, ["red drill", "blue drill", "rope"] * 10)
    targets = Targets.from_grades(np.array([2, 1, 0] * 10))
    labeler.fit(pairs, targets, (pairs, targets))
    deployed = Deployed(labeler, Deployment(THIRDS, PRODUCTION, (0.5, 1.5)))
    folder = tmp_path / deployed.version
    save_deployed(deployed, folder, {"note": "tested"})
    assert read_deployed_version(folder) == deployed.version
    assert read_deployed_encoder(folder) is None
    again = load_deployed(folder)
    assert again.deployment == deployed.deployment
    np.testing.assert_array_equal(again.predict(pairs).p_ge_1, deployed.predict(pairs).p_ge_1)
    assert labeler_of(str(folder), deployed.version) is labeler_of(str(folder), deployed.version)

    description = json.loads((folder / "labeler.json").read_text())
    description["deployment"]["cuts"] = [0.4, 1.5]
    (folder / "labeler.json").write_text(json.dumps(description))
    with pytest.raises(LabelerError, match="its content makes"):
        load_deployed(folder)
    del description["deployment"]
    (folder / "labeler.json").write_text(json.dumps(description))
    with pytest.raises(LabelerError, match="not made by finetune_labeler"):
        read_deployed_version(folder)
