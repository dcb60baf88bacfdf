"""A change of a model or snapshot file is seen without reading what did not change."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from jobs.state.artifacts import stamps_of, why_changed


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A snapshot of one file."""
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "part").write_bytes(b"values")
    sha256 = hashlib.sha256(b"values").hexdigest()
    files = [{"path": "train/part", "sha256": sha256}]
    manifest = {"snapshot_version": "v1", "splits": {"train": {"files": files}}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    return tmp_path


def test_a_flipped_byte_and_a_lost_file(folder: Path) -> None:
    stamps = stamps_of(folder, "snapshot")
    assert stamps is not None and stamps["version"] == "v1"
    part = folder / "train" / "part"
    assert why_changed(folder, stamps) is None
    part.write_bytes(b"valueS")
    assert why_changed(folder, stamps) == f"{part} is not what was written"
    part.unlink()
    assert why_changed(folder, stamps) == f"{part} is gone"


def test_a_copy_with_other_times_is_read_and_is_the_same(folder: Path) -> None:
    stamps = stamps_of(folder, "snapshot")
    assert stamps is not None
    for path in (folder / "manifest.json", folder / "train" / "part"):
        os.utime(path, (1, 1))
    assert why_changed(folder, json.loads(json.dumps(stamps))) is None
    (folder / "manifest.json").write_text("{}")
    assert why_changed(folder, stamps) == f"{folder / 'manifest.json'} is not what was written"


def test_a_damaged_manifest_has_no_version(folder: Path) -> None:
    (folder / "manifest.json").write_text('{"snapshot_ver')
    assert stamps_of(folder, "snapshot") is None
