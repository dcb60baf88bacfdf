"""The encoder is found and checked, has a version of its own, and gives unit vectors."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import BatchEncoding

from conf.sections.features import EncoderConf
from model.files import file_sha256
from model.text.encoder import (
    MINILM_SHA256,
    WEIGHTS,
    Encoder,
    EncoderError,
    find_encoder,
    load_encoder,
    resolve_dtype,
)

TEXTS = ["red sofa", "a much longer text about a lamp", "", "red sofa"]


def tiny(folder: str, **settings: object) -> EncoderConf:
    return EncoderConf.model_validate(
        {"path": folder, "dtype": "float32", "max_tokens": 32, "batch_size": 2, **settings}
    )


def test_vectors_are_unit_length_whatever_the_batch(tiny_encoder: str) -> None:
    pairs = load_encoder(find_encoder(tiny(tiny_encoder))).encode(TEXTS)
    singly = load_encoder(find_encoder(tiny(tiny_encoder, batch_size=1))).encode(TEXTS)
    assert pairs.shape == (4, 16) and pairs.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(pairs, axis=1), 1.0, atol=1e-6)
    np.testing.assert_allclose(pairs, singly, atol=1e-5)
    np.testing.assert_allclose(pairs[0], pairs[3], atol=1e-6)


def test_long_texts_are_cut(tiny_encoder: str) -> None:
    encoder = load_encoder(find_encoder(tiny(tiny_encoder, max_tokens=8)))
    long, cut = encoder.encode(["abcdef" + "z" * 500, "abcdef"])
    assert np.isfinite(long).all() and not np.allclose(long, cut)


def test_version_follows_what_changes_a_vector(tiny_encoder: str) -> None:
    version = find_encoder(tiny(tiny_encoder)).version
    assert find_encoder(tiny(tiny_encoder, batch_size=64)).version == version
    assert find_encoder(tiny(tiny_encoder, device="cuda")).version == version
    assert find_encoder(tiny(tiny_encoder, max_tokens=16)).version != version
    assert find_encoder(tiny(tiny_encoder, dtype="bfloat16")).version != version


def test_wrong_digest_is_refused(tiny_encoder: str) -> None:
    digest = file_sha256(Path(tiny_encoder) / WEIGHTS)
    assert find_encoder(tiny(tiny_encoder, sha256=digest)).sha256 == digest
    with pytest.raises(EncoderError, match=f"has sha256 {digest}, expected {MINILM_SHA256}"):
        find_encoder(tiny(tiny_encoder, sha256=MINILM_SHA256))


def test_absent_encoder_is_named(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r"no model.safetensors in .*; set encoder.path"):
        find_encoder(tiny(str(tmp_path)))
    with pytest.raises(EncoderError, match=r"package no_such_package .* is not installed"):
        find_encoder(EncoderConf(package="no_such_package"))


def test_auto_dtype_is_resolved() -> None:
    assert resolve_dtype("auto") in ("float32", "bfloat16")
    assert resolve_dtype("float32") == "float32"


@pytest.mark.parametrize(
    ("asked", "gpu", "used"),
    [("auto", True, "cuda"), ("auto", False, "cpu"), ("cpu", True, "cpu"), ("cuda", False, "cuda")],
)
def test_texts_are_encoded_on_the_gpu_where_there_is_one(
    tiny_encoder: str, monkeypatch: pytest.MonkeyPatch, asked: str, gpu: bool, used: str
) -> None:
    """There is none here: what would be sent to it is seen, and stays."""
    sent: list[object] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.setattr(torch.nn.Module, "to", lambda self, device: sent.append(device) or self)
    monkeypatch.setattr(BatchEncoding, "to", lambda self, device: sent.append(device) or self)
    Encoder(find_encoder(tiny(tiny_encoder, device=asked))).encode(["red sofa"])
    assert sent == [used, used], "the model, then the tokens"


def test_packaged_encoder_knows_what_belongs_together() -> None:
    conf = EncoderConf(dtype="float32")
    if find_spec(conf.package) is None:
        pytest.skip(f"package {conf.package} is not installed")
    encoder = load_encoder(find_encoder(conf))
    sofa, couch, drill = encoder.encode(["red sofa", "crimson couch", "cordless drill"])
    assert sofa.shape == (384,)
    assert sofa @ couch > 0.6 > 0.4 > sofa @ drill


def test_texts_of_one_length_share_a_batch(
    tiny_encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = Encoder(find_encoder(tiny(tiny_encoder)))
    seen: list[list[int]] = []
    forward = encoder._forward

    def watched(rows: list[list[int]]) -> torch.Tensor:
        seen.append([len(row) for row in rows])
        return forward(rows)

    monkeypatch.setattr(encoder, "_forward", watched)
    encoder.encode(["a b c d", "a", "a b c d", "b"])
    assert seen == [[3, 3], [6, 6]]


def test_no_texts_have_no_vectors(tiny_encoder: str) -> None:
    assert load_encoder(find_encoder(tiny(tiny_encoder))).encode([]).shape == (0, 16)
