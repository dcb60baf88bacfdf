"""The labeler directory: written atomically, verified before it is read.

labeler.json holds the kind, version, prompt hash, metrics and the sha256 of every other file, by
its path in the directory. What the other files are is the labeler's own: safetensors, JSON,
tokenizer files; never a pickle.
"""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from model.files import file_sha256, new_folder, read_json, write_json
from model.labelers.base import Labeler, LabelerError
from model.labelers.kinds import CAUSAL_LM, CROSS_ENCODER, ENDPOINT, ENSEMBLE, LEXICAL

DESCRIPTION = "labeler.json"
FORMAT_VERSION = 2
"""1: the cross-encoder held trees, causal_lm a probe of a layer."""
MODULES = {
    CROSS_ENCODER: "model.labelers.cross_encoder.labeler",
    CAUSAL_LM: "model.labelers.causal_lm.labeler",
    ENDPOINT: "model.labelers.endpoint.labeler",
    LEXICAL: "model.labelers.lexical.labeler",
    ENSEMBLE: "model.labelers.ensemble",
}
"""Each module has `load(folder: Path) -> Labeler`."""


def save_labeler(labeler: Labeler, folder: Path, extra: Mapping[str, Any] | None = None) -> None:
    """Write the labeler beside its place, then move it there; what was there is replaced.

    Args:
        extra: further entries of labeler.json (metrics, data, conf hash).
    """
    with new_folder(folder) as partial:
        labeler.save(partial)
        written = sorted(path for path in partial.rglob("*") if path.is_file())
        files = {path.relative_to(partial).as_posix(): file_sha256(path) for path in written}
        description = {
            "format_version": FORMAT_VERSION,
            "kind": labeler.kind,
            "version": labeler.version,
            "prompt_hash": labeler.prompt_hash,
            **(extra or {}),
            "files": files,
        }
        write_json(partial / DESCRIPTION, description)


def read_description(folder: Path) -> dict[str, Any]:
    """Read labeler.json of a directory.

    Raises:
        LabelerError: it is missing, unreadable, or of an unknown format or kind.
    """
    path = folder / DESCRIPTION
    if not path.is_file():
        raise LabelerError(f"no labeler at {folder}: {DESCRIPTION} is missing; fit one first")
    description: dict[str, Any] = read_json(path, LabelerError, "fit anew")
    written = description.get("format_version")
    if written != FORMAT_VERSION:
        raise LabelerError(
            f"{path} has format version {written}, this code reads {FORMAT_VERSION}; fit anew"
        )
    if description.get("kind") not in MODULES:
        kinds = ", ".join(MODULES)
        raise LabelerError(f"{path}: kind {description.get('kind')!r} is not one of {kinds}")
    return description


def load_labeler(folder: Path | str) -> Labeler:
    """Load a labeler ready to predict.

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
