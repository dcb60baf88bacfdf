"""What is kept of training pairs: neighbours and directions, in one file."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from conf.sections.language import read_english
from model.labelers.base import LabelerError, Pairs, Targets
from model.labelers.lexical import directions
from model.labelers.lexical.directions import COUNT, Directions
from model.labelers.lexical.graded import FEATURES, GradedPairs
from model.labelers.lexical.hashes import hash_keys
from model.labelers.lexical.inputs import LexicalInputs


class Inputs(LexicalInputs):
    """Random unit vectors by text."""

    def read_vectors(self, pairs: Pairs) -> tuple[np.ndarray, np.ndarray]:
        return self._unit(pairs.queries), self._unit(pairs.items)

    def _unit(self, texts: Sequence[str]) -> np.ndarray:
        seeds = hash_keys(texts) % 2**32
        drawn = np.stack([np.random.default_rng(seed).normal(size=24) for seed in seeds])
        unit: np.ndarray = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
        return unit.astype(np.float32)


def learnt(toy: tuple[Pairs, Targets]) -> tuple[GradedPairs, np.ndarray, LexicalInputs]:
    inputs = Inputs.fit(toy[0], None, read_english())
    return *GradedPairs.learn_pairs(*toy, inputs), inputs


def test_directions_are_those_of_the_largest_variance() -> None:
    """Points on a line: the first axis is the line, its sign the one of its largest entry."""
    along = np.linspace(-1.0, 1.0, 9, dtype=np.float32)[:, None]
    line = along * np.array([[0.6, -0.8]], np.float32) + 1.0
    found = Directions.from_vectors(line, line)
    np.testing.assert_allclose(found.query_axes[0], [-0.6, 0.8], atol=1e-6)
    features = found.compute_features(line, line)
    np.testing.assert_allclose(features[:, 0], -along[:, 0], atol=1e-6)
    np.testing.assert_allclose(features[:, 2:COUNT], 0.0)
    np.testing.assert_allclose(features[:, :COUNT], features[:, COUNT:])


def test_saved_and_loaded_it_answers_the_same(
    toy_pairs: tuple[Pairs, Targets], tmp_path: Path
) -> None:
    made, own, inputs = learnt(toy_pairs)
    assert own.shape == (600, len(FEATURES)) and np.isfinite(own).all()
    made.save(tmp_path / "graded.safetensors")
    again = GradedPairs.load(tmp_path / "graded.safetensors")
    asked = Pairs(["new"] * 600, toy_pairs[0].items)
    found = made.compute_features(asked, inputs)
    np.testing.assert_array_equal(found, again.compute_features(asked, inputs))


def test_own_features_differ_from_later_ones_in_what_others_said_alone(
    toy_pairs: tuple[Pairs, Targets],
) -> None:
    """Neighbours are heard out of fold; directions need no fold."""
    made, own, inputs = learnt(toy_pairs)
    later = made.compute_features(toy_pairs[0], inputs)
    same = {n for at, n in enumerate(FEATURES) if np.array_equal(own[:, at], later[:, at])}
    assert same >= set(directions.FEATURES)
    assert not same & {"near_grade", "near_query_grade", "near_surplus"}


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "graded.safetensors"
    file.write_bytes(b"damaged")
    with pytest.raises(LabelerError, match=r"graded\.safetensors cannot be read"):
        GradedPairs.load(file)


def test_a_file_of_another_version_asks_for_a_fit(
    toy_pairs: tuple[Pairs, Targets], tmp_path: Path
) -> None:
    file = tmp_path / "graded.safetensors"
    learnt(toy_pairs)[0].save(file)
    kept = {name: v for name, v in load_file(file).items() if not name.startswith("directions.")}
    save_file(kept, file)
    with pytest.raises(LabelerError, match=r"lack 'directions\.query_mean'.*fit anew"):
        GradedPairs.load(file)
