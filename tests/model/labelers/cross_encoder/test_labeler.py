"""The labeler `cross_encoder` on a tiny encoder: it learns, keeps itself, refuses bad models."""

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from conf.sections.features import EncoderConf
from conf.sections.labelers import CrossEncoderConf, LexicalConf
from model.labelers.base import LabelerError, Pairs, Probabilities, Targets
from model.labelers.cross_encoder.encoder_base import find_encoder_base, read_tokenizer, read_trunk
from model.labelers.cross_encoder.labeler import CrossEncoderLabeler
from model.labelers.cross_encoder.pair_data import PairData
from model.labelers.cross_encoder.pair_encoder import PairEncoder
from model.labelers.cross_encoder.pair_tokens import PairTokenizer
from model.labelers.cross_encoder.state import mixed
from model.labelers.cross_encoder.training import Training, fine_tune, logits_of, own_losses
from model.labelers.metrics import label_metrics
from model.labelers.store import load_labeler, save_labeler

Toy = tuple[Pairs, Targets]
TREES = LexicalConf(rounds=20, min_leaf=5, leaves=(6,), threads=1)


def labeler_of(encoder: str, seed: int = 1, **settings: object) -> CrossEncoderLabeler:
    small = {
        "path": encoder,
        "max_tokens": 32,
        "epochs": 2,
        "min_steps": 1,
        "learning_rate": 1e-3,
        "head_learning_rate": 1e-2,
        "hidden": 16,
        "frozen_layers": 0,
        "threads": 1,
    }
    conf = CrossEncoderConf.model_validate(small | settings)
    return CrossEncoderLabeler(conf, TREES, EncoderConf(path=encoder), seed)


def fit(labeler: CrossEncoderLabeler, toy: Toy) -> dict[str, object]:
    pairs, targets = toy
    last = np.arange(len(pairs)) >= 450
    report = labeler.fit(
        pairs.take(~last), targets.take(~last), (pairs.take(last), targets.take(last))
    )
    return report.details


@pytest.fixture(scope="module")
def labeler(toy_pairs: Toy, tiny_encoder: str) -> CrossEncoderLabeler:
    """Fitted with all that the default has."""
    made = labeler_of(tiny_encoder)
    fit(made, toy_pairs)
    return made


def test_it_learns(labeler: CrossEncoderLabeler, toy_pairs: Toy) -> None:
    pairs, targets = toy_pairs
    grades = (targets.label_ge_1 + targets.label_ge_2).astype(int)
    assert label_metrics(labeler.predict(pairs), grades)["qwk"] > 0.9


def test_text_alone_is_read(tiny_encoder: str) -> None:
    """Without features and trees only the encoder can tell the grades apart."""
    draw = np.random.default_rng(0).integers(0, 3, 400)
    pairs = Pairs(["q"] * len(draw), ["xyz"[grade] for grade in draw])
    settings = {
        "lexical_features": False,
        "tree_shares": (0.0,),
        "cosine": False,
        "neighbours": False,
        "epochs": 6,
    }
    reader = labeler_of(tiny_encoder, **settings)
    data = pairs, Targets.of_grades(draw)
    reader.fit(*data, data)
    np.testing.assert_array_equal(reader.predict(pairs).grades, draw)


def test_saved_and_loaded_it_predicts_the_same(
    labeler: CrossEncoderLabeler, toy_pairs: Toy, tmp_path: Path
) -> None:
    save_labeler(labeler, tmp_path / "cross")
    loaded = load_labeler(tmp_path / "cross")
    before, after = labeler.predict(toy_pairs[0]), loaded.predict(toy_pairs[0])
    np.testing.assert_array_equal(before.p_ge_1, after.p_ge_1)
    np.testing.assert_array_equal(before.p_ge_2, after.p_ge_2)
    assert loaded.version == labeler.version and len(loaded.version) == 16


def test_same_seed_same_weights_other_seed_other_version(
    labeler: CrossEncoderLabeler, toy_pairs: Toy, tiny_encoder: str
) -> None:
    torch.manual_seed(99)
    again, other = labeler_of(tiny_encoder), labeler_of(tiny_encoder, seed=2)
    fit(again, toy_pairs)
    fit(other, toy_pairs)
    np.testing.assert_array_equal(
        labeler.predict(toy_pairs[0]).p_ge_2, again.predict(toy_pairs[0]).p_ge_2
    )
    assert again.version == labeler.version != other.version


def test_odd_texts_get_probabilities_in_their_order(labeler: CrossEncoderLabeler) -> None:
    queries = ["", "x" * 50_000, "🪜 лестница", "red sofa", "\ud800"]
    items = ["", "y " * 9_000, "梯子", "Red Sofa", "Red Sofa"]
    found = labeler.predict(Pairs(queries, items))
    alone = labeler.predict(Pairs(["red sofa"], ["Red Sofa"]))
    assert len(found) == 5
    assert found.p_ge_2[3] == pytest.approx(alone.p_ge_2[0], abs=0.02)
    assert len(labeler.predict(Pairs([], []))) == 0


def test_an_epoch_that_is_clearly_worse_is_dropped(toy_pairs: Toy, tiny_encoder: str) -> None:
    """Validation says the opposite of training, so learning makes it worse."""
    conf = CrossEncoderConf(
        path=tiny_encoder, epochs=3, min_steps=1, head_learning_rate=1e-3, max_tokens=32, threads=1
    )
    base = find_encoder_base(conf, EncoderConf())
    tokenizer = PairTokenizer(read_tokenizer(base.folder), 32)
    network = PairEncoder(read_trunk(base, 32, 0.0), 1, conf)
    pairs, targets = toy_pairs
    features = targets.label_ge_1[:, None].astype(np.float32)
    opposite = Targets(1 - targets.label_ge_1, 0 * targets.label_ge_2, targets.weight)
    train, judged = (
        PairData.of(tokenizer.tokens(pairs), features, labels) for labels in (targets, opposite)
    )
    run = Training(conf, tokenizer, autocast=False, device="cpu", seed=1)
    history = fine_tune(network, train, judged, run).history
    losses = [entry["validation_loss"] for entry in history]
    assert losses[0] < losses[2]
    assert own_losses(logits_of(network, judged, run), judged).mean() == pytest.approx(losses[0])


def test_an_epoch_a_little_worse_is_kept(toy_pairs: Toy, tiny_encoder: str) -> None:
    """The second epoch loses .1 a pair on one half and gains .09 on the other: within an error."""
    conf = CrossEncoderConf(path=tiny_encoder, epochs=2, min_steps=1, max_tokens=32, threads=1)
    base = find_encoder_base(conf, EncoderConf())
    tokenizer = PairTokenizer(read_tokenizer(base.folder), 32)
    network = PairEncoder(read_trunk(base, 32, 0.0), 0, conf)
    pairs, targets = (part.take(np.arange(64)) for part in toy_pairs)
    data = PairData.of(tokenizer.tokens(pairs), np.zeros((64, 0), np.float32), targets)
    seen: list[torch.Tensor] = []

    def score(logits: torch.Tensor) -> np.ndarray:
        seen.append(logits.clone())
        step = np.where(np.arange(64) % 2, 0.1, -0.09)
        return np.ones(64) + (len(seen) - 1) * step

    run = Training(conf, tokenizer, autocast=False, device="cpu", seed=1)
    history = fine_tune(network, data, data, run, score).history
    assert [entry["validation_loss"] for entry in history] == pytest.approx([1.0, 1.005])
    torch.testing.assert_close(logits_of(network, data, run), seen[1])
    assert not torch.equal(seen[0], seen[1])


def test_few_pairs_are_passed_over_more_often(toy_pairs: Toy, tiny_encoder: str) -> None:
    """64 pairs are 2 steps of 32, so 7 steps take 4 epochs."""
    reader = labeler_of(tiny_encoder, min_steps=7, tree_shares=(0.0,))
    pairs, targets = (part.take(np.arange(64)) for part in toy_pairs)
    report = reader.fit(pairs, targets, (pairs, targets))
    assert [entry["epoch"] for entry in report.details["epochs"]] == [1, 2, 3, 4]


def test_shares_mix_two_predictions() -> None:
    trees = Probabilities(np.array([0.5]), np.array([0.5]))
    found = mixed(np.array([[0.9, 0.1]]), trees, 0.25)
    assert (found.p_ge_1[0], found.p_ge_2[0]) == pytest.approx((0.8, 0.2))


def test_marks_start_as_nothing_and_are_learnt(toy_pairs: Toy, tiny_encoder: str) -> None:
    """Before the fit a network with marks answers as one without; after it the marks count."""
    plain, marked = (
        CrossEncoderConf(
            path=tiny_encoder, marks=marks, min_steps=1, max_tokens=32, dropout=0, threads=1
        )
        for marks in (False, True)
    )
    base = find_encoder_base(marked, EncoderConf())
    tokenizer = PairTokenizer(read_tokenizer(base.folder), 32)
    with_marks = PairEncoder(read_trunk(base, 32, 0.0), 0, marked)
    without = PairEncoder(with_marks.trunk, 0, plain)
    without.head.load_state_dict(with_marks.head.state_dict())
    pairs, targets = toy_pairs
    data = PairData.of(tokenizer.tokens(pairs), np.zeros((len(pairs), 0), np.float32), targets)
    run = Training(marked, tokenizer, autocast=False, device="cpu", seed=1)
    before = logits_of(with_marks, data, run)
    torch.testing.assert_close(before, logits_of(without, data, run), atol=1e-6, rtol=1e-5)
    fine_tune(with_marks, data, data, run)
    assert with_marks.marks is not None
    learnt = with_marks.marks.weight.abs().sum(dim=1)
    assert learnt[0] == 0 and (learnt[1:] > 0).all()
    without.head.load_state_dict(with_marks.head.state_dict())
    assert not torch.allclose(logits_of(with_marks, data, run), logits_of(without, data, run))


def test_what_was_chosen_is_learnt_again_from_all_pairs(toy_pairs: Toy, tiny_encoder: str) -> None:
    """Validation holds a noun that no other pair has; the answers for it are of before."""
    pairs, targets = toy_pairs
    last = np.arange(len(pairs)) >= 450
    judged = pairs.take(last)
    renamed = Pairs(
        [*judged.queries[:-2], "teal gazebo", "oak gazebo"],
        [*judged.items[:-2], "Teal Gazebo", "Oak Gazebo"],
    )
    data = pairs.take(~last), targets.take(~last), (renamed, targets.take(last))
    labelers = [
        labeler_of(tiny_encoder, refit=refit, tree_shares=(0.5,))
        for refit in ("none", "trees", "all")
    ]
    reports = [labeler.fit(*data) for labeler in labelers]
    assert [report.pairs for report in reports] == [450, 600, 600]
    before = labelers[0].predict(renamed).p_ge_2
    assert reports[0].validation is None
    for report in reports[1:]:
        assert report.validation is not None
        np.testing.assert_allclose(report.validation.p_ge_2, before, atol=1e-5, rtol=0)
    states = [labeler._fitted() for labeler in labelers]
    known = ["gazebo" in state.inputs.vocabulary.frequency for state in states]
    assert known == [False, True, True]
    network = [state.network.head[-1].weight for state in states]
    assert torch.equal(network[0], network[1]) and not torch.allclose(network[0], network[2])
    assert reports[1].details["refit"] == [] and len(reports[2].details["refit"]) >= 1
    trees = [state.boosters for state in states if state.boosters is not None]
    rounds = [[b.num_trees() for b in (*found.ge_1, *found.ge_2)] for found in trees]
    assert len(trees) == 3 and rounds[0] == rounds[1] == rounds[2]
    text = [found.as_json()["ge_1"] for found in trees]
    assert text[0] != text[1] == text[2]
    assert len({labeler.version for labeler in labelers}) == 3


def test_bad_base_models_are_named(toy_pairs: Toy, tiny_encoder: str, tmp_path: Path) -> None:
    with pytest.raises(LabelerError, match="no base model at"):
        fit(labeler_of(str(tmp_path / "nowhere")), toy_pairs)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(LabelerError, match=r"no weights \(model.safetensors\)"):
        fit(labeler_of(str(empty)), toy_pairs)
    (empty / "pytorch_model.bin").write_bytes(b"never read")
    with pytest.raises(LabelerError, match=r"pickle files only \(pytorch_model.bin\)"):
        fit(labeler_of(str(empty)), toy_pairs)
    with pytest.raises(LabelerError, match="expected 0000"):
        fit(labeler_of(tiny_encoder, sha256="0" * 64), toy_pairs)
    with pytest.raises(LabelerError, match=r"max_tokens is 128, .* reads 64"):
        fit(labeler_of(tiny_encoder, max_tokens=128), toy_pairs)
    bare = tmp_path / "bare"
    shutil.copytree(tiny_encoder, bare)
    (bare / "config.json").unlink()
    with pytest.raises(LabelerError, match=r"no config.json"):
        fit(labeler_of(str(bare)), toy_pairs)


def test_only_the_first_layers_are_used(deep_encoder: str) -> None:
    from transformers import AutoModel

    whole = AutoModel.from_pretrained(deep_encoder)

    def layers(wanted: int | None) -> list[torch.nn.Module]:
        conf = CrossEncoderConf(path=deep_encoder, layers=wanted)
        return list(read_trunk(find_encoder_base(conf, EncoderConf()), 32, 0.0).encoder.layer)

    assert len(layers(None)) == 3 and len(layers(2)) == 2
    for kept, known in zip(layers(2), whole.encoder.layer, strict=False):
        for name, tensor in kept.state_dict().items():
            assert torch.equal(tensor, known.state_dict()[name])
    with pytest.raises(LabelerError, match=r"labeler.cross_encoder.layers is 4, .*deep.* has 3"):
        layers(4)


def test_of_the_default_base_model_four_layers_are_used() -> None:
    base = find_encoder_base(CrossEncoderConf(), EncoderConf())
    assert len(read_trunk(base, 32, 0.0).encoder.layer) == base.layers == 4
    all_of_it = find_encoder_base(CrossEncoderConf(layers=6), EncoderConf())
    assert len(read_trunk(all_of_it, 32, 0.0).encoder.layer) == 6


def test_the_right_checksum_is_accepted(tiny_encoder: str) -> None:
    digest = hashlib.sha256((Path(tiny_encoder) / "model.safetensors").read_bytes()).hexdigest()
    conf = CrossEncoderConf(path=tiny_encoder, sha256=digest)
    assert find_encoder_base(conf, EncoderConf()).sha256 == digest


def test_what_cannot_be_learnt_from_is_refused(toy_pairs: Toy, tiny_encoder: str) -> None:
    pairs, targets = toy_pairs
    unfitted = labeler_of(tiny_encoder)
    with pytest.raises(LabelerError, match="not fitted"):
        unfitted.predict(pairs)
    without = targets.label_ge_1 == 1
    with pytest.raises(LabelerError, match="no training pair has grade 0"):
        unfitted.fit(pairs.take(without), targets.take(without), toy_pairs)
