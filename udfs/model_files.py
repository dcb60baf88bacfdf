"""What the driver reads of a model directory, without loading the model."""

from pathlib import Path
from typing import Any

from conf.errors import UserError
from model.files import read_json
from model.spec import InputSpec

_MEND = "`counterpoise nightly` of its run date trains it again"


class ModelFilesError(UserError, ValueError):
    """A folder is no model directory; the message says what it lacks."""


def read_spec(model_dir: str | Path) -> InputSpec:
    """Read the features, tasks and regions of the model.

    Raises:
        ModelFilesError: the folder has no spec.json, or a damaged one.
    """
    return InputSpec.from_json(_read_json(model_dir, "spec.json"))


def taught_regions(model_dir: str | Path) -> tuple[str, ...] | None:
    """Return the regions for which the model's region part learned something: training rows were
    theirs.

    None for a model without such a part, to which all regions are alike.

    Raises:
        ModelFilesError: the folder has no spec.json, or a damaged one.
    """
    described = _read_json(model_dir, "spec.json")
    if described["architecture"].get("region_mask", "none") == "none":
        return None
    regions = InputSpec.from_json(described).regions
    rows = described["standardisation"].get("region_rows") or [1] * (len(regions) + 1)
    return tuple(region for region, n in zip(regions, rows[1:], strict=True) if n)


def model_version(model_dir: str | Path) -> str:
    """Read the version of the model.

    Raises:
        ModelFilesError: its manifest.json is missing, damaged, or without a version.
    """
    manifest = _read_json(model_dir, "manifest.json")
    if "model_version" not in manifest:
        raise ModelFilesError(f"{model_dir}/manifest.json names no model_version")
    return str(manifest["model_version"])


def _read_json(model_dir: str | Path, name: str) -> dict[str, Any]:
    path = Path(model_dir) / name
    if not path.is_file():
        raise ModelFilesError(f"{model_dir} is not a model directory: it has no {name}")
    content: dict[str, Any] = read_json(path, ModelFilesError, _MEND)
    return content
