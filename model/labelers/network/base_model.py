"""The base model of a network: its files checked, never a pickle, and its first layers read."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from model.files import file_sha256, read_json
from model.labelers.base import LabelerError

_INDEX = "model.safetensors.index.json"
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
_UNREADABLE = (OSError, ValueError, TypeError, KeyError, RuntimeError, SafetensorError)
"""What the readers of foreign files raise."""
_POOLER = "pooler."
"""Layer that many encoders are saved without, and that no labeler reads."""


@dataclass(frozen=True)
class BaseModel:
    """A Hugging Face folder with safetensors.

    Attributes:
        sha256: of the weights, or of the file that they were made from.
        section: of the conf that names it, e.g. labeler.causal_lm.
        layers: how many are used, from the first; None: all.
    """

    folder: Path
    sha256: str
    section: str
    layers: int | None = None


def list_weight_files(folder: Path, section: str) -> list[Path]:
    """List the safetensors files of a Hugging Face folder.

    Raises:
        LabelerError: none, pickle files only, no config, or a file that the index names is missing.
    """
    if not folder.is_dir():
        raise LabelerError(f"no base model at {folder}; set {section}.path to its folder")
    files = sorted(folder.glob("model*.safetensors"))
    if not files:
        pickles = [path.name for pattern in _PICKLES for path in sorted(folder.glob(pattern))]
        if pickles:
            raise LabelerError(
                f"{folder} holds pickle files only ({pickles[0]}), which can run code when they "
                "are read; save the model as safetensors first"
            )
        raise LabelerError(f"no weights (model*.safetensors) in {folder}; correct {section}.path")
    if not (folder / "config.json").is_file():
        raise LabelerError(f"{folder} has weights but no config.json; it is no model folder")
    index = folder / _INDEX
    if index.is_file():
        shards = set(read_json(index, LabelerError)["weight_map"].values())
        missing = sorted(shards - {path.name for path in files})
        if missing:
            raise LabelerError(f"{folder} lacks {missing[0]}, which {_INDEX} names")
    return files


def hash_weights(files: list[Path]) -> str:
    """Hash the weights: sha256 of the one file, or over name and sha256 of several."""
    if len(files) == 1:
        return file_sha256(files[0])
    lines = "".join(f"{path.name} {file_sha256(path)}\n" for path in files)
    return hashlib.sha256(lines.encode()).hexdigest()


def check_sha256(place: Path, digest: str, expected: str | None, section: str) -> None:
    """Compare the digest of weights with the one that is expected, if any.

    Raises:
        LabelerError: they differ.
    """
    if expected is not None and digest != expected:
        raise LabelerError(
            f"weights of {place} have sha256 {digest}, expected {expected}; install them anew or "
            f"correct {section}.sha256"
        )


def read_trunk(
    base: BaseModel,
    dtype: str,
    attention: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Any:
    """Read the base model without a language head, its first layers only, set to predict.

    Args:
        dtype: float32 or bfloat16.
        attention: implementation of transformers; None: its default.
        settings: entries of the model's config that are replaced, where it has them.

    Raises:
        LabelerError: it has fewer layers than wanted, or weights that are unreadable or missing.
    """
    be_quiet()
    from transformers import AutoConfig, AutoModel

    try:
        config = AutoConfig.from_pretrained(base.folder, local_files_only=True)
        _cut_config(config, base)
        for name, value in (settings or {}).items():
            if hasattr(config, name):
                setattr(config, name, value)
        trunk, loading = AutoModel.from_pretrained(
            base.folder,
            config=config,
            local_files_only=True,
            use_safetensors=True,
            dtype=dtype,
            attn_implementation=attention,
            output_loading_info=True,
        )
    except LabelerError:
        raise
    except _UNREADABLE as error:
        raise LabelerError(f"the base model in {base.folder} cannot be read: {error}") from error
    missing = [name for name in loading["missing_keys"] if not name.startswith(_POOLER)]
    if missing:
        raise LabelerError(f"the base model in {base.folder} lacks weights: {min(missing)}")
    return trunk.eval()


def count_layers(folder: Path) -> int:
    """Count the layers of the model in a folder.

    Raises:
        LabelerError: its config cannot be read.
    """
    be_quiet()
    from transformers import AutoConfig

    try:
        return int(AutoConfig.from_pretrained(folder, local_files_only=True).num_hidden_layers)
    except (*_UNREADABLE, AttributeError) as error:
        raise LabelerError(f"the model's config in {folder} cannot be read: {error}") from error


def build_trunk(folder: Path, attention: str | None = None) -> Any:
    """Build a model of the config in a folder; its weights are not read yet.

    Raises:
        LabelerError: the config cannot be read.
    """
    be_quiet()
    from transformers import AutoConfig, AutoModel

    try:
        config: Any = AutoConfig.from_pretrained(folder, local_files_only=True)
        return AutoModel.from_config(config, attn_implementation=attention)
    except _UNREADABLE as error:
        raise LabelerError(f"the model's config in {folder} cannot be read: {error}") from error


def read_tokenizer(folder: Path) -> Any:
    """Read the tokenizer of a folder.

    Raises:
        LabelerError: there is none, or it cannot be read.
    """
    be_quiet()
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except _UNREADABLE as error:
        raise LabelerError(f"no tokenizer can be read from {folder}: {error}") from error


def be_quiet() -> None:
    """Show no bars and no warnings of transformers, and let it look at no hub.

    Called before transformers is imported for the first time, which is when it reads the variable.
    """
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()


def _cut_config(config: Any, base: BaseModel) -> None:
    """Leave the first layers, also in the lists that have one entry per layer."""
    if base.layers is None:
        return
    layers = int(config.num_hidden_layers)
    if layers < base.layers:
        raise LabelerError(f"{base.section}.layers is {base.layers}, {base.folder} has {layers}")
    for name, value in list(vars(config).items()):
        if isinstance(value, list) and len(value) == layers and name.endswith("layer_types"):
            setattr(config, name, value[: base.layers])
    config.num_hidden_layers = base.layers
