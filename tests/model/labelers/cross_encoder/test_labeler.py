"""The labeler `cross_encoder` on a tiny encoder: it learns, keeps itself, refuses bad models."""

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from conf.sections.features import EncoderConf
from conf.sections.labelers import CrossEncoderConf
from model.labelers.base import FitReport, LabelerError, Pairs, Targets
from model.labelers.cross_encoder.base import find_base, read_encoder
from model.labelers.cross_encoder.labeler import CrossEncoderLabeler
from model.labelers.cross_encoder.network import PairEncoder
from model.labelers.cross_encoder.tokens import MARKS, PairTokenizer
from model.labelers.network.base_model import read_tokenizer
from model.labelers.network.machine import FineTuning
from model.labelers.network.reading import compute_logits
from model.labelers.network.token_pairs import TokenPairs
from model.labelers.network.training import fine_tune
from model.labelers.store import load_labeler, save_labeler

Toy = tuple[Pairs, Targets]


def letters(count: int = 120) -> Toy:
    """Grade 0 items read x, grade 1 y, grade 2 z."""
    grades = np.arange(count) % 3
    items = ["xyz"[grade] * (1 + at % 4) for at, grade in enumerate(grades)]
    return Pairs([f"q{at % 5}" for at in range(count)], items), Targets.from_grades(grades)


def conf_of(encoder: str, **settings: object) -> CrossEncoderConf:
    small = {
        "path": encoder,
        "max_tokens": 32,
        "epochs": 6,
        "min_steps": 1,
        "learning_rate": 1e-2,
        "head_learning_rate": 1e-2,
        "hidden": 16,
        "frozen_layers": 0,
        "threads": 1,
    }
    return CrossEncoderConf.model_validate(small | settings)


def fitted(
    encoder: str, seed: int = 1, **settings: object
) -> tuple[CrossEncoderLabeler, FitReport]:
    labeler = CrossEncoderLabeler(conf_of(encoder, **settings), EncoderConf(path=encoder), seed)
    return labeler, labeler.fit(*letters(), letters(30))


@pytest.fixture(scope="module")
def labeler(tiny_encoder: str) -> CrossEncoderLabeler:
    return fitted(tiny_encoder)[0]


def test_it_learns(labeler: CrossEncoderLabeler) -> None:
    np.testing.assert_array_equal(labeler.predict(letters()[0]).grades, np.arange(120) % 3)


def test_saved_and_loaded_it_predicts_the_same(
    labeler: CrossEncoderLabeler, tmp_path: Path
) -> None:
    save_labeler(labeler, tmp_path / "cross")
    loaded = load_labeler(tmp_path / "cross")
    before, after = labeler.predict(letters()[0]), loaded.predict(letters()[0])
    np.testing.assert_array_equal(before.p_ge_1, after.p_ge_1)
    np.testing.assert_array_equal(before.p_ge_2, after.p_ge_2)
    assert loaded.version == labeler.version and len(loaded.version) == 16


def test_same_seed_same_weights_other_seed_other_version(
    labeler: CrossEncoderLabeler, tiny_encoder: str
) -> None:
    torch.manual_seed(99)
    again, other = fitted(tiny_encoder)[0], fitted(tiny_encoder, seed=2, epochs=1)[0]
    pairs = letters(30)[0]
    np.testing.assert_array_equal(labeler.predict(pairs).p_ge_2, again.predict(pairs).p_ge_2)
    assert again.version == labeler.version != other.version


def test_odd_texts_get_probabilities_in_their_order(labeler: CrossEncoderLabeler) -> None:
    queries = ["", "x" * 50_000, "🪜 лестница", "red sofa", "\ud800"]
    items = ["", "y " * 9_000, "梯子", "Red Sofa", "Red Sofa"]
    found = labeler.predict(Pairs(queries, items))
    alone = labeler.predict(Pairs(["red sofa"], ["Red Sofa"]))
    assert len(found) == 5
    assert found.p_ge_2[3] == pytest.approx(alone.p_ge_2[0], abs=0.02)
    assert len(labeler.predict(Pairs([], []))) == 0


def test_what_was_chosen_is_learnt_again_from_all_pairs(
    labeler: CrossEncoderLabeler, tiny_encoder: str
) -> None:
    """The answers for the validation pairs are of before; as many epochs are learnt anew."""
    again, report = fitted(tiny_encoder, refit=True)
    assert report.pairs == 150 and report.validation is not None
    before = labeler.predict(letters(30)[0])
    np.testing.assert_array_equal(report.validation.p_ge_2, before.p_ge_2)
    assert not np.array_equal(again.predict(letters(30)[0]).p_ge_2, before.p_ge_2)
    assert len(report.details["refit"]) <= len(report.details["epochs"]) == 6
    assert again.version != labeler.version
    assert fitted(tiny_encoder, epochs=1)[1].validation is None


def test_marks_start_as_nothing_and_are_learnt(tiny_encoder: str) -> None:
    """Before the fit a network with marks answers as one without; after it the marks count."""
    marked = conf_of(tiny_encoder, dropout=0, epochs=1)
    base = find_base(marked, EncoderConf())
    tokenizer = PairTokenizer(read_tokenizer(base.folder), 32)
    with_marks = PairEncoder(read_encoder(base, marked), marked)
    without = PairEncoder(with_marks.trunk, conf_of(tiny_encoder, marks=False, dropout=0))
    without.head.load_state_dict(with_marks.head.state_dict())
    pairs = Pairs(["red sofa", "oak desk"], ["Red Lamp", "Oak Desk"])
    targets = Targets.from_grades(np.array([0, 2]))
    data = TokenPairs.from_tokens(tokenizer.tokenise(pairs), tokenizer.fillers, targets)
    assert {mark for row in data.tokens for mark in row[MARKS]} == {0, 1, 2, 3, 4}
    run = FineTuning(marked, autocast=False, device="cpu", seed=1)
    before = compute_logits(with_marks, data, run)
    torch.testing.assert_close(before, compute_logits(without, data, run), atol=1e-6, rtol=1e-5)
    fine_tune(with_marks, data, data, run)
    assert with_marks.marks is not None
    learnt = with_marks.marks.weight.abs().sum(dim=1)
    assert learnt[0] == 0 and (learnt[1:] > 0).all()
    without.head.load_state_dict(with_marks.head.state_dict())
    assert not torch.allclose(
        compute_logits(with_marks, data, run), compute_logits(without, data, run)
    )


def test_the_head_starts_at_the_rates_of_the_labels(tiny_encoder: str) -> None:
    """Of .8 and .2 of all pairs, 1 of 4 that pass the first threshold pass the second."""
    network = PairEncoder(
        read_encoder(find_base(conf := conf_of(tiny_encoder), EncoderConf()), conf), conf
    )
    network.start_at(0.8, 0.2)
    last = network.head[-1]
    assert isinstance(last, torch.nn.Linear)
    torch.testing.assert_close(torch.sigmoid(last.bias), torch.tensor([0.8, 0.25]))


def test_parts_are_frozen_from_below(deep_encoder: str) -> None:
    conf = conf_of(deep_encoder)
    network = PairEncoder(read_encoder(find_base(conf, EncoderConf()), conf), conf)
    network.freeze_parts(2)
    layers = [next(layer.parameters()).requires_grad for layer in network.trunk.encoder.layer]
    embeddings = {p.requires_grad for p in network.trunk.embeddings.parameters()}
    assert embeddings == {False} and layers == [False, True, True]


def test_bad_base_models_are_named(tiny_encoder: str, tmp_path: Path) -> None:
    def read(path: Path, **settings: object) -> None:
        conf = conf_of(str(path), **settings)
        read_encoder(find_base(conf, EncoderConf()), conf)

    with pytest.raises(LabelerError, match=r"no base model at .*set labeler.cross_encoder.path"):
        read(tmp_path / "nowhere")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(LabelerError, match=r"no weights \(model\*.safetensors\)"):
        read(empty)
    (empty / "pytorch_model.bin").write_bytes(b"never read")
    with pytest.raises(LabelerError, match=r"pickle files only \(pytorch_model.bin\)"):
        read(empty)
    with pytest.raises(LabelerError, match="expected 0000"):
        read(Path(tiny_encoder), sha256="0" * 64)
    with pytest.raises(LabelerError, match=r"max_tokens is 128, .* reads 64"):
        read(Path(tiny_encoder), max_tokens=128)
    bare = tmp_path / "bare"
    shutil.copytree(tiny_encoder, bare)
    (bare / "config.json").unlink()
    with pytest.raises(LabelerError, match=r"no config.json"):
        read(bare)


def test_only_the_first_layers_are_used(deep_encoder: str) -> None:
    from transformers import AutoModel

    whole = AutoModel.from_pretrained(deep_encoder)

    def layers(wanted: int | None) -> list[torch.nn.Module]:
        conf = conf_of(deep_encoder, layers=wanted)
        return list(read_encoder(find_base(conf, EncoderConf()), conf).encoder.layer)

    assert len(layers(None)) == 3 and len(layers(2)) == 2
    for kept, known in zip(layers(2), whole.encoder.layer, strict=False):
        for name, tensor in kept.state_dict().items():
            assert torch.equal(tensor, known.state_dict()[name])
    with pytest.raises(LabelerError, match=r"labeler.cross_encoder.layers is 4, .*deep.* has 3"):
        layers(4)


def test_of_the_default_base_model_four_layers_are_used() -> None:
    conf = CrossEncoderConf()
    base = find_base(conf, EncoderConf())
    assert len(read_encoder(base, conf).encoder.layer) == base.layers == 4
    assert find_base(CrossEncoderConf(layers=6), EncoderConf()).layers == 6


def test_the_right_checksum_is_accepted(tiny_encoder: str) -> None:
    digest = hashlib.sha256((Path(tiny_encoder) / "model.safetensors").read_bytes()).hexdigest()
    conf = conf_of(tiny_encoder, sha256=digest)
    assert find_base(conf, EncoderConf()).sha256 == digest


def test_what_cannot_be_learnt_from_is_refused(tiny_encoder: str) -> None:
    pairs, targets = letters()
    unfitted = CrossEncoderLabeler(conf_of(tiny_encoder), EncoderConf(), 1)
    with pytest.raises(LabelerError, match="not fitted"):
        unfitted.predict(pairs)
    without = targets.label_ge_1 == 1
    with pytest.raises(LabelerError, match="no training pair has grade 0"):
        unfitted.fit(pairs.select_rows(without), targets.select_rows(without), letters())


@pytest.mark.parametrize(
    ("key", "place"), [("tree_shares", "labeler.ensemble.shares"), ("cosine", "lexical.cosine")]
)
def test_a_key_of_the_trees_is_pointed_to_its_new_place(key: str, place: str) -> None:
    with pytest.raises(ValueError, match=f"{key} of an earlier version is now .*{place}"):
        CrossEncoderConf.model_validate({key: True})
