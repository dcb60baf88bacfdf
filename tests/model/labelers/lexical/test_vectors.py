"""Stored vectors are not computed again, and of very many the last are kept."""

import numpy as np
import pytest

from conf.sections.features import EncoderConf
from conf.sections.language import read_english
from model.labelers.base import LabelerError, Pairs
from model.labelers.lexical import inputs as lexical_inputs
from model.labelers.lexical.inputs import LexicalInputs


def test_stored_vectors_are_not_computed_again(
    tiny_encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = Pairs(["red sofa", "red sofa"], ["blue lamp", "green rug"])
    inputs = LexicalInputs.fit(pairs, EncoderConf(path=tiny_encoder), read_english())
    computed = inputs.build_matrix(pairs)[:, -1]
    known = {"red sofa": [1.0, 0.0], "blue lamp": [0.6, 0.8], "green rug": [0.0, 1.0]}
    inputs.add_vectors({text: np.array(vector, np.float32) for text, vector in known.items()})
    monkeypatch.setattr(lexical_inputs, "load_encoder", lambda _: pytest.fail("encoder was read"))
    stored = inputs.build_matrix(pairs)[:, -1]
    np.testing.assert_allclose(stored, [0.6, 0.0], atol=1e-6)
    assert not np.allclose(stored, computed)
    np.testing.assert_allclose(inputs.read_vectors(pairs)[1], [[0.6, 0.8], [0.0, 1.0]], atol=1e-6)
    with pytest.raises(LabelerError, match="no vectors without the sentence encoder"):
        LexicalInputs.fit(pairs, None, read_english()).add_vectors({})


def test_of_very_many_vectors_the_last_are_kept(
    tiny_encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lexical_inputs, "_KEPT_VECTORS", 2)
    inputs = LexicalInputs.fit(
        Pairs(["a"], ["b"]), EncoderConf(path=tiny_encoder, max_tokens=9), read_english()
    )
    assert inputs.spec is not None
    for text in ("x", "y", "z"):
        inputs.add_vectors({text: np.zeros(2, np.float32)})
    assert list(lexical_inputs._open_cache(inputs.spec)) == ["y", "z"]
