"""What the driver reads of a model directory."""

import json
from pathlib import Path
from typing import Any

import pytest

from udfs.model_files import ModelFilesError, taught_regions


def described(folder: Path, mask: str | None, **standardisation: Any) -> Path:
    content = {
        "features": [{"name": "price", "table": "item"}],
        "tasks": ["click"],
        "regions": ["east", "north", "west"],
        "architecture": {} if mask is None else {"region_mask": mask},
        "standardisation": standardisation,
    }
    (folder / "spec.json").write_text(json.dumps(content))
    return folder


def test_regions_with_training_rows_are_taught(tmp_path: Path) -> None:
    found = taught_regions(described(tmp_path, "md", region_rows=[7, 0, 12, 1]))
    assert found == ("north", "west")


def test_where_rows_were_not_counted_all_are(tmp_path: Path) -> None:
    assert taught_regions(described(tmp_path, "star")) == ("east", "north", "west")


@pytest.mark.parametrize("mask", ["none", None])
def test_without_a_region_part_all_regions_are_alike(tmp_path: Path, mask: str | None) -> None:
    assert taught_regions(described(tmp_path, mask, region_rows=[7, 0, 12, 1])) is None


def test_a_folder_that_is_no_model_directory(tmp_path: Path) -> None:
    with pytest.raises(ModelFilesError, match=r"has no spec\.json"):
        taught_regions(tmp_path)
