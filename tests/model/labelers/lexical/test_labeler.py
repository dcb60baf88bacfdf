"""The labeler `lexical`: it learns, keeps itself, and refuses what it cannot use."""

import json
from pathlib import Path

import numpy as np
import pytest

from conf.sections.features import EncoderConf
from conf.sections.labelers import LexicalConf
from conf.sections.language import read_english
from model.labelers.base import LabelerError, Pairs, Targets
from model.labelers.lexical.boosting import Boosters
from model.labelers.lexical.labeler import LexicalLabeler
from model.labelers.metrics import compute_label_metrics
from model.labelers.store import load_labeler, save_labeler

ENGLISH = read_english()
SMALL = LexicalConf(cosine=False, rounds=60, min_leaf=5, bag=5, threads=1)
Toy = tuple[Pairs, Targets]


def fitted(toy: Toy, conf: LexicalConf = SMALL, seed: int = 1) -> LexicalLabeler:
    pairs, targets = toy
    labeler = LexicalLabeler(conf, EncoderConf(), ENGLISH, seed)
    rows = np.arange(len(pairs))
    last = rows >= 450
    labeler.fit(
        pairs.select_rows(~last),
        targets.select_rows(~last),
        (pairs.select_rows(last), targets.select_rows(last)),
    )
    return labeler


@pytest.fixture(scope="module")
def labeler(toy_pairs: Toy) -> LexicalLabeler:
    """Fitted on the first 450 pairs."""
    return fitted(toy_pairs)


def test_it_learns_what_words_say(labeler: LexicalLabeler, toy_pairs: Toy) -> None:
    pairs, targets = toy_pairs
    grades = (targets.label_ge_1 + targets.label_ge_2).astype(int)
    assert compute_label_metrics(labeler.predict(pairs), grades)["qwk"] > 0.95


def test_saved_and_loaded_it_predicts_the_same(
    labeler: LexicalLabeler, toy_pairs: Toy, tmp_path: Path
) -> None:
    save_labeler(labeler, tmp_path / "lexical")
    loaded = load_labeler(tmp_path / "lexical")
    before, after = labeler.predict(toy_pairs[0]), loaded.predict(toy_pairs[0])
    np.testing.assert_array_equal(before.p_ge_1, after.p_ge_1)
    np.testing.assert_array_equal(before.p_ge_2, after.p_ge_2)
    assert loaded.version == labeler.version and len(loaded.version) == 16
    assert loaded.prompt_hash is None


def test_same_seed_same_labeler_other_seed_other_version(
    labeler: LexicalLabeler, toy_pairs: Toy
) -> None:
    again, other = fitted(toy_pairs), fitted(toy_pairs, seed=2)
    np.testing.assert_array_equal(
        labeler.predict(toy_pairs[0]).p_ge_2, again.predict(toy_pairs[0]).p_ge_2
    )
    assert again.version == labeler.version != other.version


def test_what_was_chosen_is_grown_again_on_all_pairs(toy_pairs: Toy) -> None:
    """Grades of the last pairs are turned round: only trees that saw them follow."""
    pairs, targets = toy_pairs
    last = np.arange(len(pairs)) >= 300
    turned = Targets(1 - targets.label_ge_2, 1 - targets.label_ge_1, targets.weight)
    known, judged = (
        (pairs.select_rows(~last), targets.select_rows(~last)),
        (pairs.select_rows(last), turned.select_rows(last)),
    )
    once, again = (
        LexicalLabeler(
            SMALL.model_copy(update={"refit": refit, "bag": 2}), EncoderConf(), ENGLISH, 1
        )
        for refit in (False, True)
    )
    first, second = once.fit(*known, judged), again.fit(*known, judged)
    assert (first.pairs, first.validation, second.pairs) == (300, None, 600)
    assert second.validation is not None
    before = once.predict(judged[0])
    np.testing.assert_array_equal(second.validation.p_ge_1, before.p_ge_1)
    np.testing.assert_array_equal(second.validation.p_ge_2, before.p_ge_2)
    assert first.details["rounds"] == second.details["rounds"] and len(first.details["rounds"]) == 4
    error = [
        np.abs(labeler.predict(judged[0]).p_ge_2 - judged[1].label_ge_2).mean()
        for labeler in (once, again)
    ]
    assert error[1] < error[0]


def test_odd_texts_get_probabilities_in_their_order(labeler: LexicalLabeler) -> None:
    pairs = Pairs(
        ["", "x" * 50_000, "🪜 лестница", "red sofa"], ["", "y " * 9_000, "梯子", "Red Sofa"]
    )
    found = labeler.predict(pairs)
    alone = labeler.predict(Pairs(["red sofa"], ["Red Sofa"]))
    assert len(found) == 4
    assert found.p_ge_2[3] == alone.p_ge_2[0]
    assert len(labeler.predict(Pairs([], []))) == 0


def test_the_cosine_is_a_feature(toy_pairs: Toy, tiny_encoder: str, tmp_path: Path) -> None:
    conf = SMALL.model_copy(update={"cosine": True, "rounds": 5})
    labeler = LexicalLabeler(conf, EncoderConf(path=tiny_encoder), ENGLISH, 1)
    few = np.arange(120)
    data = toy_pairs[0].select_rows(few), toy_pairs[1].select_rows(few)
    labeler.fit(*data, data)
    save_labeler(labeler, tmp_path / "cosine")
    settings = json.loads((tmp_path / "cosine" / "inputs.json").read_text())
    assert settings["encoder"]["path"] == tiny_encoder
    settings["encoder_sha256"] = "0" * 64
    with pytest.raises(LabelerError, match="was fitted with 0000"):
        from model.labelers.lexical.inputs import LexicalInputs

        LexicalInputs.from_json(settings)


@pytest.mark.parametrize("refit", [False, True])
def test_graded_pairs_are_seen_where_they_help(
    toy_pairs: Toy, tiny_encoder: str, tmp_path: Path, refit: bool
) -> None:
    """Items are noise, so that only what other queries' words were graded tells anything."""
    draw = np.random.default_rng(0)
    grades = np.arange(300) % 3
    words = [f"{'xyz'[grade]} {draw.integers(90)}" for grade in grades]
    pairs = Pairs(words, [f"{draw.integers(9)} a" for _ in grades])
    targets = Targets.from_grades(grades)
    settings = {"cosine": True, "rounds": 20, "bag": 1, "leaves": (6,), "refit": refit}
    labeler = LexicalLabeler(
        SMALL.model_copy(update=settings), EncoderConf(path=tiny_encoder), ENGLISH, 1
    )
    last = np.arange(300) >= 200
    report = labeler.fit(
        pairs.select_rows(~last),
        targets.select_rows(~last),
        (pairs.select_rows(last), targets.select_rows(last)),
    )
    assert report.details["graded_pairs"] and report.pairs == (300 if refit else 200)
    save_labeler(labeler, tmp_path / "graded")
    loaded = load_labeler(tmp_path / "graded")
    np.testing.assert_array_equal(loaded.predict(pairs).p_ge_1, labeler.predict(pairs).p_ge_1)
    assert loaded.version == labeler.version
    without = SMALL.model_copy(update={**settings, "graded": False})
    plain = LexicalLabeler(without, EncoderConf(path=tiny_encoder), ENGLISH, 1)
    assert not plain.fit(*(data := (pairs, targets)), data).details["graded_pairs"]


def test_what_cannot_be_learnt_from_is_refused(toy_pairs: Toy) -> None:
    pairs, targets = toy_pairs
    labeler = LexicalLabeler(SMALL, EncoderConf(), ENGLISH, 1)
    with pytest.raises(LabelerError, match="not fitted"):
        labeler.predict(pairs)
    with pytest.raises(LabelerError, match="no training pairs"):
        labeler.fit(Pairs([], []), targets.select_rows(np.arange(0)), toy_pairs)
    with pytest.raises(LabelerError, match="600 training pairs beside 5 labels"):
        labeler.fit(pairs, targets.select_rows(np.arange(5)), toy_pairs)
    without = targets.label_ge_1 == 1
    with pytest.raises(LabelerError, match="no training pair has grade 0"):
        labeler.fit(pairs.select_rows(without), targets.select_rows(without), toy_pairs)


def test_the_second_threshold_is_cut_off_at_the_first() -> None:
    class Says:
        def __init__(self, p: float) -> None:
            self.p = p

        def predict(self, features: np.ndarray, num_threads: int) -> np.ndarray:
            return np.full(len(features), self.p)

    crossed = Boosters((Says(0.4),), (Says(0.6),), 6, {})  # type: ignore[arg-type]
    found = crossed.predict(np.zeros((2, 3), np.float32))
    assert found.p_ge_1.tolist() == found.p_ge_2.tolist() == [0.4, 0.4]


def test_a_bag_is_the_mean_of_its_members(toy_pairs: Toy) -> None:
    """Three members of other seeds; the first is what a bag of one has."""
    conf = SMALL.model_copy(update={"leaves": (6,), "bag": 3})
    one = fitted(toy_pairs, conf.model_copy(update={"bag": 1}))._require_fitted().boosters
    trees = fitted(toy_pairs, conf)._require_fitted()
    features, three = trees.compute_features(toy_pairs[0]), trees.boosters
    members = [Boosters((a,), (b,), 6, {}) for a, b in zip(three.ge_1, three.ge_2, strict=True)]
    said = [member.predict(features).p_ge_1 for member in members]
    assert len(said) == 3 and not np.array_equal(said[0], said[1])
    np.testing.assert_array_equal(said[0], one.predict(features).p_ge_1)
    np.testing.assert_allclose(three.predict(features).p_ge_1, np.mean(said, axis=0))


def test_damaged_trees_are_refused(labeler: LexicalLabeler, tmp_path: Path) -> None:
    from model.labelers.lexical.labeler import load

    labeler.save(tmp_path)
    trees = json.loads((tmp_path / "trees.json").read_text())
    (tmp_path / "trees.json").write_text(json.dumps(trees | {"ge_1": ["nonsense"]}))
    with pytest.raises(LabelerError, match="boosted trees cannot be read"):
        load(tmp_path)
    one = {side: trees[side][0] for side in ("ge_1", "ge_2")}
    (tmp_path / "trees.json").write_text(json.dumps(trees | one))
    with pytest.raises(LabelerError, match=r"another version .* fit anew"):
        load(tmp_path)


def test_a_version_that_the_files_do_not_make_asks_for_a_fit(
    labeler: LexicalLabeler, tmp_path: Path
) -> None:
    save_labeler(labeler, tmp_path / "lexical")
    file = tmp_path / "lexical" / "labeler.json"
    file.write_text(file.read_text().replace(labeler.version, "0" * 16))
    with pytest.raises(LabelerError, match=r"its files make .* fit anew"):
        load_labeler(tmp_path / "lexical")
    file.write_text(file.read_text().replace('"format_version": 2', '"format_version": 1'))
    with pytest.raises(LabelerError, match=r"format version 1, .* fit anew"):
        load_labeler(tmp_path / "lexical")


def test_the_encoder_of_its_vectors_is_named(labeler: LexicalLabeler) -> None:
    assert labeler.encoder_version is None
