"""The model directory: written atomically, verified before it is used.

model.safetensors   weights
spec.json           format, features, tasks, regions, standardisation, architecture
calibrators.json    calibration maps
metrics.json        validation metrics
metrics.jsonl       one line per epoch
conf.yaml           resolved configuration
manifest.json       sha256 of every other file, model version, snapshot, conf hash, code version
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from conf.errors import UserError
from conf.sections.model import ModelConf
from model.files import new_folder, read_json, short_hash
from model.ranker import Ranker, build_ranker
from model.serving.calibrators import Calibrators
from model.serving.ranker import LoadedRanker
from model.spec import InputSpec, describe_difference
from model.standardise import Standardisation

FORMAT_VERSION = 2
"""Rises when an older directory can no longer be read."""
WEIGHTS, SPEC, CALIBRATORS = "model.safetensors", "spec.json", "calibrators.json"
MANIFEST = "manifest.json"
_DEFINING = (WEIGHTS, SPEC, CALIBRATORS)
_MEND = "`counterpoise nightly` of its run date trains it again"


class ModelError(UserError, ValueError):
    """A model directory must not be used; the message names the file and the reason."""


@dataclass(frozen=True)
class Artifact:
    """A trained ranker and what is kept with it.

    Attributes:
        extra: further small text files by name (metrics.json, metrics.jsonl, conf.yaml).
        origin: further entries of the manifest (snapshot, conf hash, code version).
    """

    ranker: Ranker
    scale: Standardisation
    conf: ModelConf
    calibrators: Calibrators
    extra: Mapping[str, str] = field(default_factory=dict)
    origin: Mapping[str, Any] = field(default_factory=dict)


def save_model(artifact: Artifact, folder: Path) -> str:
    """Write the directory beside its place, then move it there; returns the model version.

    A directory that is already there is replaced.
    """
    files = _build_contents(artifact)
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    version = _compute_version(digests)
    manifest = {
        "format_version": FORMAT_VERSION,
        "model_version": version,
        **artifact.origin,
        "files": digests,
    }
    files[MANIFEST] = _encode_json(manifest)
    with new_folder(folder) as new:
        for name, content in files.items():
            (new / name).write_bytes(content)
    return version


def load_model(folder: Path | str, features: list[str] | None = None) -> LoadedRanker:
    """Load a model's directory as a ranker that is ready to predict; every file is compared with
    its sha256.

    Args:
        folder: model directory.
        features: names that the caller will send, in order; refused where the model's differ.

    Raises:
        ModelError: missing or changed file, files of another version than the manifest says,
            unknown format version, other features.
    """
    root = Path(folder)
    with _explain_errors(root):
        manifest, content = _read_contents(root)
        ranker, *_ = _build_network(content, features)
        calibrators = Calibrators.from_json(json.loads(content[CALIBRATORS]), ranker.spec.regions)
        return LoadedRanker(ranker, calibrators, str(manifest["model_version"]))


def load_network(folder: Path | str) -> tuple[Ranker, Standardisation, ModelConf]:
    """Load the network of a model's directory as it was trained, its standardisation and its
    architecture.

    Raises:
        ModelError: as `load_model`.
    """
    root = Path(folder)
    with _explain_errors(root):
        return _build_network(_read_contents(root)[1])


def read_manifest(folder: Path | str) -> dict[str, Any]:
    """Read the manifest of a model directory.

    Raises:
        ModelError: it is missing, unreadable, or of an unknown format version.
    """
    root = Path(folder)
    path = root / MANIFEST
    if not path.is_file():
        raise ModelError(f"no model at {root}: {MANIFEST} is missing; run train first")
    manifest: dict[str, Any] = read_json(path, ModelError, _MEND)
    format_version = manifest.get("format_version")
    if format_version != FORMAT_VERSION:
        raise ModelError(
            f"{path} has format version {format_version}, this code reads {FORMAT_VERSION}"
        )
    missing = [name for name in _DEFINING if name not in manifest.get("files", {})]
    if missing or "model_version" not in manifest:
        raise ModelError(f"{path} is incomplete: lists no {missing or 'model_version'}")
    if _compute_version(manifest["files"]) != manifest["model_version"]:
        raise ModelError(
            f"{path} was edited: its files are not those of version {manifest['model_version']}; "
            f"{_MEND}"
        )
    return manifest


@contextmanager
def _explain_errors(root: Path) -> Iterator[None]:
    """Raise what cannot be read as a ModelError that names the directory."""
    try:
        yield
    except (KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"model {root} cannot be read: {error}") from error


def _read_contents(root: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Read the manifest and every file, each compared with its sha256."""
    manifest = read_manifest(root)
    names = dict.fromkeys([*_DEFINING, *manifest["files"]])
    return manifest, {name: _read_checked(root, name, manifest) for name in names}


def _build_network(
    content: Mapping[str, bytes], features: list[str] | None = None
) -> tuple[Ranker, Standardisation, ModelConf]:
    described = json.loads(content[SPEC])
    spec = InputSpec.from_json(described)
    if features is not None:
        other = describe_difference(spec.names, features)
        if other:
            raise ModelError(f"the features differ from the model's: {other}")
    scale = Standardisation(**described["standardisation"])
    conf = ModelConf.model_validate(described["architecture"])
    ranker = build_ranker(spec, scale, conf)
    ranker.load_state_dict(load_tensors(content[WEIGHTS]))
    return ranker, scale, conf


def _build_contents(artifact: Artifact) -> dict[str, bytes]:
    spec = {
        "format_version": FORMAT_VERSION,
        **artifact.ranker.spec.to_json(),
        "standardisation": artifact.scale.to_json(),
        "architecture": artifact.conf.model_dump(mode="json"),
    }
    state = {k: v.detach().cpu().contiguous() for k, v in artifact.ranker.state_dict().items()}
    files = {
        WEIGHTS: save_tensors(state),
        SPEC: _encode_json(spec),
        CALIBRATORS: _encode_json(artifact.calibrators.to_json()),
    }
    return files | {name: text.encode() for name, text in artifact.extra.items()}


def _compute_version(digests: Mapping[str, str]) -> str:
    """Hash what decides the predictions (16 hex digits)."""
    return short_hash("|".join(digests[name] for name in _DEFINING))


def _read_checked(root: Path, name: str, manifest: Mapping[str, Any]) -> bytes:
    path = root / name
    if not path.is_file():
        raise ModelError(f"model file {path} is missing; {_MEND}")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != manifest["files"][name]:
        raise ModelError(f"model file {path} differs from its sha256 in {MANIFEST}; {_MEND}")
    return content


def _encode_json(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=1, sort_keys=False) + "\n").encode()
