"""What is kept of graded pairs: neighbours and main directions, in one file."""

from pathlib import Path

import numpy as np
import pytest

from model.labelers.base import LabelerError, Pairs, Targets
from model.labelers.directions import COUNT, Directions
from model.labelers.graded import FEATURES, Graded


def graded(draw: np.random.Generator, count: int = 30) -> tuple[Pairs, Graded, np.ndarray]:
    vectors = draw.normal(size=(count, 24)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    pairs = Pairs([f"q{n}" for n in range(count)], [f"i{n}" for n in range(count)])
    targets = Targets.of_grades(draw.integers(0, 3, count))
    return pairs, Graded.of(pairs, targets, vectors, vectors[::-1].copy()), vectors


def test_directions_are_those_of_the_largest_variance() -> None:
    """Points on a line: the first axis is the line, its sign the one of its largest entry."""
    along = np.linspace(-1.0, 1.0, 9, dtype=np.float32)[:, None]
    line = along * np.array([[0.6, -0.8]], np.float32) + 1.0
    found = Directions.of(line, line)
    np.testing.assert_allclose(found.query_axes[0], [-0.6, 0.8], atol=1e-6)
    features = found.features(line, line)
    np.testing.assert_allclose(features[:, 0], -along[:, 0], atol=1e-6)
    np.testing.assert_allclose(features[:, 2:COUNT], 0.0)
    np.testing.assert_allclose(features[:, :COUNT], features[:, COUNT:])


def test_saved_and_loaded_it_answers_the_same(tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    pairs, made, vectors = graded(draw)
    made.save(tmp_path / "graded.safetensors")
    again = Graded.load(tmp_path / "graded.safetensors")
    asked = Pairs(["new"] * len(pairs), pairs.items)
    found = made.features(asked, vectors, vectors)
    assert found.shape == (30, len(FEATURES))
    np.testing.assert_array_equal(found, again.features(asked, vectors, vectors))


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "graded.safetensors"
    file.write_bytes(b"damaged")
    with pytest.raises(LabelerError, match=r"graded\.safetensors cannot be read"):
        Graded.load(file)
