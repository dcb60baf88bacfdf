"""The ensemble: shares chosen on validation, answers of before, files, members that are partial."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conf.load import SIMULATED, load_conf
from conf.sections.labelers import EnsembleConf
from model.labelers.base import FitReport, LabelerError, Pairs, Probabilities, Targets
from model.labelers.ensemble import Ensemble, average_answers, build, list_shares
from model.labelers.partial import Answers
from model.labelers.store import load_labeler, save_labeler
from model.labelers.vectors import Vector

TRUTH = Targets.from_grades(np.array([0, 1, 2]))
PAIRS = Pairs(["q", "q", "q"], ["none", "some", "all"])
CONF = EnsembleConf()


class Says:
    """A labeler that says the same of every list of pairs, and other things before it was refit."""

    def __init__(
        self,
        kind: str,
        first: list[float],
        second: list[float],
        before: tuple[list[float], list[float]] | None = None,
        prompt: str | None = None,
    ) -> None:
        self.kind, self.prompt_hash, self.version = kind, prompt, f"{kind}-1"
        self.answers = Probabilities(np.array(first), np.array(second))
        self.before = None if before is None else Probabilities(*map(np.array, before))
        self.asked = 0
        self.encoder_version: str | None = None
        self.vectors: dict[str, Vector] = {}

    def fit(self, pairs: Pairs, targets: Targets, validation: tuple[Pairs, Targets]) -> FitReport:
        return FitReport(len(pairs), 0.0, {"kind": self.kind}, self.before)

    def predict(self, pairs: Pairs) -> Probabilities:
        self.asked += 1
        return self.answers

    def save(self, folder: Path) -> None:
        raise NotImplementedError

    def add_vectors(self, vectors: Mapping[str, Vector]) -> None:
        self.vectors |= vectors


RIGHT = [0.1, 0.9, 0.9], [0.1, 0.1, 0.9]
WRONG = [0.9, 0.9, 0.1], [0.9, 0.1, 0.1]


def fitted(*members: Says, conf: EnsembleConf = CONF) -> tuple[Ensemble, FitReport]:
    ensemble = Ensemble(conf, members)
    return ensemble, ensemble.fit(PAIRS, TRUTH, (PAIRS, TRUTH))


def test_shares_are_tenths_that_add_up_to_one() -> None:
    assert list_shares(2, 2) == [(0.0, 1.0), (0.5, 0.5), (1.0, 0.0)]
    three = list_shares(3, 10)
    assert len(three) == len(set(three)) == 66
    assert all(sum(shares) == pytest.approx(1) and min(shares) >= 0 for shares in three)


def test_a_mean_by_hand_keeps_the_order_of_the_thresholds() -> None:
    one, two = (Probabilities(np.array([p]), np.array([p])) for p in (0.3, 0.7))
    found = average_answers([one, two], (0.75, 0.25))
    assert found.p_ge_1.tolist() == found.p_ge_2.tolist() == [pytest.approx(0.4)]


def test_validation_chooses_the_shares() -> None:
    ensemble, report = fitted(Says("lexical", *WRONG), Says("cross_encoder", *RIGHT))
    assert ensemble.shares == (0.0, 1.0)
    assert report.details["shares"] == {"lexical": 0.0, "cross_encoder": 1.0}
    assert report.details["members"]["lexical"] == {"kind": "lexical"}
    knows_first = Says("lexical", [0.05, 0.9, 0.6], [0.05, 0.1, 0.5])
    knows_last = Says("cross_encoder", [0.5, 0.9, 0.95], [0.4, 0.1, 0.95])
    both, _ = fitted(knows_first, knows_last)
    assert 0 < both.shares[0] < 1


def test_shares_are_chosen_by_answers_of_before_the_validation_pairs_were_learnt() -> None:
    """Refit on validation, the first member is right there; before, it was wrong."""
    refit, other = Says("lexical", *RIGHT, before=WRONG), Says("cross_encoder", *RIGHT)
    ensemble, report = fitted(refit, other)
    assert ensemble.shares == (0.0, 1.0) and refit.asked == 0
    assert report.validation is not None
    np.testing.assert_array_equal(report.validation.p_ge_1, other.answers.p_ge_1)


def test_conf_may_fix_the_shares_and_a_member_without_one_is_not_asked() -> None:
    conf = EnsembleConf(shares=(1.0, 0.0))
    wrong, right = Says("cross_encoder", *WRONG), Says("lexical", *RIGHT)
    ensemble, _ = fitted(wrong, right, conf=conf)
    asked = right.asked
    np.testing.assert_array_equal(ensemble.predict(PAIRS).p_ge_1, wrong.answers.p_ge_1)
    assert right.asked == asked


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"members": ["lexical"]}, "at least 2"),
        ({"members": ["lexical", "lexical"]}, "members must differ"),
        ({"shares": [0.5]}, "1 shares beside 2 members"),
        ({"shares": [0.5, 0.6]}, "add up to 1"),
        ({"members": ["lexical", "ensemble"]}, "Input should be"),
    ],
)
def test_a_wrong_conf_is_named(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EnsembleConf.model_validate(given)


def test_a_pair_without_an_answer_of_one_member_has_none() -> None:
    class Partial(Says):
        def predict_some(self, pairs: Pairs) -> Answers:
            nan = np.array([np.nan, 0.5, 0.5])
            return Answers(nan, nan, ["too slow", None, None], np.array([False, True, False]))

    some = Partial("openai_compatible", *RIGHT, prompt="abc")
    ensemble, _ = fitted(Says("lexical", *RIGHT), some, conf=EnsembleConf(shares=(0.5, 0.5)))
    found = ensemble.predict_some(PAIRS)
    assert found.reasons == ["too slow", None, None]
    assert found.p_ge_1[1:].tolist() == [0.7, 0.7] and np.isnan(found.p_ge_2[0])
    assert found.suspected.tolist() == [False, True, False]
    assert ensemble.prompt_hash == "abc"


def test_vectors_go_to_the_members_that_read_any() -> None:
    reader, blind = Says("lexical", *RIGHT), Says("cross_encoder", *RIGHT)
    reader.encoder_version = "minilm"
    ensemble, _ = fitted(blind, reader, conf=EnsembleConf(shares=(0.5, 0.5)))
    assert ensemble.encoder_version == "minilm"
    ensemble.add_vectors({"sofa": np.ones(2, np.float32)})
    assert list(reader.vectors) == ["sofa"] and not blind.vectors


def test_an_unfitted_one_says_so() -> None:
    with pytest.raises(LabelerError, match="not fitted"):
        Ensemble(CONF, [Says("lexical", *RIGHT), Says("cross_encoder", *RIGHT)]).predict(PAIRS)


def test_saved_and_loaded_it_predicts_the_same(tiny_encoder: str, tmp_path: Path) -> None:
    """With its members in folders of their own, whose damage is seen."""
    settings = [
        f"encoder.path={tiny_encoder}",
        *(f"labeler.cross_encoder.{name}" for name in ("epochs=1", "min_steps=1", "threads=1")),
        *(f"labeler.lexical.{name}" for name in ("rounds=5", "min_leaf=2", "bag=1", "threads=1")),
    ]
    ensemble = build(load_conf([SIMULATED], settings=settings).tree)
    grades = np.arange(60) % 3
    pairs = Pairs([f"q {at % 7}" for at in range(60)], ["xyz"[grade] * 3 for grade in grades])
    ensemble.fit(pairs, Targets.from_grades(grades), (pairs, Targets.from_grades(grades)))
    ensemble.restore((0.4, 0.6))
    other = ensemble.version
    ensemble.restore((0.5, 0.5))
    save_labeler(ensemble, tmp_path / "both")
    loaded = load_labeler(tmp_path / "both")
    assert loaded.version == ensemble.version != other and len(other) == 16
    np.testing.assert_array_equal(loaded.predict(pairs).p_ge_1, ensemble.predict(pairs).p_ge_1)
    (tmp_path / "both" / "lexical" / "trees.json").write_text("{}")
    with pytest.raises(LabelerError, match=r"lexical/trees.json differs from its sha256"):
        load_labeler(tmp_path / "both")


def test_the_default_is_network_and_trees() -> None:
    ensemble = build(load_conf([SIMULATED]).tree)
    assert [member.kind for member in ensemble.members] == ["cross_encoder", "lexical"]
