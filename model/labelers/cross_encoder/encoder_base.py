"""The base model of the cross-encoder: found, checked, read."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conf.sections.features import EncoderConf
from conf.sections.labelers.cross_encoder import CrossEncoderConf
from model.files import file_sha256
from model.labelers.base import LabelerError
from model.text.encoder import MINILM_SHA256, find_encoder

_WEIGHTS = "model.safetensors"
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
_ATTENTION = "eager"
"""On a CPU the backward pass of torch's fused attention takes as long as all the rest together."""
_SETTING = "labeler.cross_encoder.path"
_LAYERS = {MINILM_SHA256: 4}
"""Of so many first layers a model serves as well as of all, by base weights: bench/README.md."""


@dataclass(frozen=True)
class EncoderBase:
    """A Hugging Face folder with safetensors.

    Attributes:
        sha256: of the weights.
        layers: how many are used, from the first; None: all.
    """

    folder: Path
    sha256: str
    layers: int | None = None


def find_encoder_base(conf: CrossEncoderConf, encoder: EncoderConf) -> EncoderBase:
    """Locate the base model and check its weights.

    Raises:
        LabelerError: nothing there, no weights or config, pickle files only, or another sha256.
        EncoderError: the installed encoder is absent or not the expected one.
    """
    if conf.path is None:
        spec = find_encoder(encoder)
        folder, digest = Path(spec.folder), spec.sha256
    else:
        folder = Path(conf.path)
        digest = file_sha256(_weights(folder))
    if conf.sha256 is not None and digest != conf.sha256:
        raise LabelerError(
            f"{folder / _WEIGHTS} has sha256 {digest}, expected {conf.sha256}; get it anew or "
            "correct labeler.cross_encoder.sha256"
        )
    return EncoderBase(folder, digest, conf.layers or _LAYERS.get(digest))


def read_trunk(base: EncoderBase, max_tokens: int, dropout: float) -> Any:
    """The encoder in float32.

    Raises:
        LabelerError: it cannot be read, knows fewer positions than `max_tokens`, or has fewer
            layers than wanted.
    """
    from transformers import AutoModel

    config = _config(base, dropout)
    try:
        trunk: Any = AutoModel.from_pretrained(
            base.folder,
            config=config,
            local_files_only=True,
            use_safetensors=True,
            dtype="float32",
            attn_implementation=_ATTENTION,
        )
    except (OSError, ValueError, TypeError) as error:
        raise _unreadable(base, error) from error
    positions = getattr(trunk.config, "max_position_embeddings", max_tokens)
    if positions < max_tokens:
        raise LabelerError(
            f"labeler.cross_encoder.max_tokens is {max_tokens}, {base.folder} reads {positions}"
        )
    return trunk


def _config(base: EncoderBase, dropout: float) -> Any:
    """The base model's config with our dropout and with the layers that are used."""
    from transformers import AutoConfig

    quiet()
    try:
        config: Any = AutoConfig.from_pretrained(base.folder, local_files_only=True)
    except (OSError, ValueError, TypeError) as error:
        raise _unreadable(base, error) from error
    for name, value in _dropouts(dropout).items():
        if hasattr(config, name):
            setattr(config, name, value)
    if base.layers is not None:
        there = getattr(config, "num_hidden_layers", 0)
        if there < base.layers:
            raise LabelerError(
                f"labeler.cross_encoder.layers is {base.layers}, {base.folder} has {there}"
            )
        config.num_hidden_layers = base.layers
    return config


def _unreadable(base: EncoderBase, error: Exception) -> LabelerError:
    return LabelerError(f"the base model in {base.folder} cannot be read: {error}")


def trunk_of_config(folder: Path) -> Any:
    """An encoder of the config in a folder, its weights not yet read.

    Raises:
        LabelerError: the config cannot be read.
    """
    from transformers import AutoConfig, AutoModel

    quiet()
    try:
        config: Any = AutoConfig.from_pretrained(folder, local_files_only=True)
        return AutoModel.from_config(config, attn_implementation=_ATTENTION)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise LabelerError(f"the encoder's config in {folder} cannot be read: {error}") from error


def read_tokenizer(folder: Path) -> Any:
    """The tokenizer of a folder.

    Raises:
        LabelerError: there is none, or it cannot be read.
    """
    from transformers import AutoTokenizer

    quiet()
    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise LabelerError(f"no tokenizer can be read from {folder}: {error}") from error


def quiet() -> None:
    """No bars and no look at a hub."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()


def _dropouts(dropout: float) -> dict[str, float]:
    """Names of dropout in encoders' configs; within attention it costs a CPU much time."""
    return {
        "hidden_dropout_prob": dropout,
        "dropout": dropout,
        "attention_probs_dropout_prob": 0.0,
        "attention_dropout": 0.0,
    }


def _weights(folder: Path) -> Path:
    if not folder.is_dir():
        raise LabelerError(f"no base model at {folder}; set {_SETTING} to its folder")
    weights = folder / _WEIGHTS
    if not weights.is_file():
        pickles = [path.name for pattern in _PICKLES for path in sorted(folder.glob(pattern))]
        if pickles:
            raise LabelerError(
                f"{folder} holds pickle files only ({pickles[0]}), which can run code when they "
                f"are read; save the model as {_WEIGHTS} first"
            )
        raise LabelerError(f"no weights ({_WEIGHTS}) in {folder}; set {_SETTING} to a model folder")
    if not (folder / "config.json").is_file():
        raise LabelerError(f"{folder} has weights but no config.json; it is no model folder")
    return weights
