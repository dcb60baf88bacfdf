"""A small snapshot with planted effects, and short conf for a training on it."""

from pathlib import Path

import pytest

from bench.synthetic import Planted, write_snapshot
from model.feed import Snapshot, open_snapshot
from model.standardise import Standardisation, measure


@pytest.fixture(scope="session")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """3 train files of 333, 333, 334 rows and 2 validation files of 150; never written to."""
    folder = tmp_path_factory.mktemp("snapshot")
    return open_snapshot(write_snapshot(folder, Planted(rows=(1_000, 300), files=(3, 2))))


@pytest.fixture(scope="session")
def scale(snapshot: Snapshot) -> Standardisation:
    """Statistics of its train split."""
    return measure(snapshot)


@pytest.fixture
def own_snapshot(tmp_path: Path) -> Path:
    """Folder of a snapshot that a test may damage: 3 train files, 30 rows."""
    return write_snapshot(tmp_path / "snapshot", Planted(rows=(30, 10), files=(3, 1)))
