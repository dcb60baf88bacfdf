"""What the tasks say of a snapshot's files is held against the plan."""

from pathlib import Path
from typing import Any

import pytest

from jobs.platform.snapshot import SnapshotWriteError, _name_files


def _written(folder: Path, **more: Any) -> dict[tuple[str, int], dict[str, Any]]:
    path = folder / "of_a_task.parquet"
    path.write_bytes(b"rows")
    plain = {"path": str(path), "rows": 5, "row_groups": 1, "sha256": "s", "content": "c"}
    return {("train", 0): plain | more}


def test_a_file_is_moved_to_its_name(tmp_path: Path) -> None:
    described = _name_files(tmp_path, "train", 5, _written(tmp_path))
    (file,) = described["files"]
    assert described["rows"] == 5 and file["path"] == "train/part-00000.parquet"
    assert (tmp_path / file["path"]).read_bytes() == b"rows"


def test_a_file_of_several_row_groups_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SnapshotWriteError, match="has 2 row groups instead of one"):
        _name_files(tmp_path, "train", 5, _written(tmp_path, row_groups=2))


def test_rows_that_no_task_wrote_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(SnapshotWriteError, match="train: 6 rows planned, 5 rows written"):
        _name_files(tmp_path, "train", 6, _written(tmp_path))
