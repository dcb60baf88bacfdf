"""The labeler directory: written atomically, verified before it is read.

labeler.json holds the kind, version, prompt hash, metrics and the sha256 of every other file.
What the other files are is the labeler's own: safetensors, JSON, tokenizer files; never a pickle.
"""

import json
import shutil
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from model.files import file_sha256
from model.labelers.base import Labeler, LabelerError

DESCRIPTION = "labeler.json"
FORMAT_VERSION = 1
MODULES = {
    "cross_encoder": "model.labelers.cross_encoder.labeler",
    "causal_lm": "model.labelers.causal_lm.labeler",
    "openai_compatible": "model.labelers.endpoint.labeler",
    "lexical": "model.labelers.lexical.labeler",
}
"""Each module has `load(folder: Path) -> Labeler`."""


def save_labeler(labeler: Labeler, folder: Path, extra: Mapping[str, Any] | None = None) -> None:
    """Write the labeler beside its place, then move it there; what was there is replaced.

    Args:
        extra: further entries of labeler.json (metrics, data, conf hash).
    """
    partial = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    labeler.save(partial)
    files = {path.name: file_sha256(path) for path in sorted(partial.iterdir())}
    description = {
        "format_version": FORMAT_VERSION,
        "kind": labeler.kind,
        "version": labeler.version,
        "prompt_hash": labeler.prompt_hash,
        **(extra or {}),
        "files": files,
    }
    text = json.dumps(description, indent=1) + "\n"
    (partial / DESCRIPTION).write_text(text, encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


def read_description(folder: Path) -> dict[str, Any]:
    """labeler.json of a directory.

    Raises:
        LabelerError: it is missing, unreadable, or of an unknown format or kind.
    """
    path = folder / DESCRIPTION
    if not path.is_file():
        raise LabelerError(f"no labeler at {folder}: {DESCRIPTION} is missing; fit one first")
    try:
        description: dict[str, Any] = json.loads(path.read_bytes())
    except json.JSONDecodeError as error:
        raise LabelerError(f"{path} is not JSON: {error}") from error
    found = description.get("format_version")
    if found != FORMAT_VERSION:
        raise LabelerError(f"{path} has format version {found}, this code reads {FORMAT_VERSION}")
    if description.get("kind") not in MODULES:
        kinds = ", ".join(MODULES)
        raise LabelerError(f"{path}: kind {description.get('kind')!r} is not one of {kinds}")
    return description


def load_labeler(folder: Path | str) -> Labeler:
    """A labeler ready to predict.

    Raises:
        LabelerError: a file is missing or differs from its sha256, or cannot be read.
    """
    root = Path(folder)
    description = read_description(root)
    for name, digest in description["files"].items():
        path = root / name
        if not path.is_file():
            raise LabelerError(f"labeler file {path} is missing")
        if file_sha256(path) != digest:
            raise LabelerError(f"labeler file {path} differs from its sha256 in {DESCRIPTION}")
    labeler: Labeler = import_module(MODULES[description["kind"]]).load(root)
    if labeler.version != description["version"]:
        raise LabelerError(
            f"{root} says version {description['version']}, its files make {labeler.version}: "
            "another version of this code saved it, or it was edited; fit anew"
        )
    return labeler
