"""The base model of the cross-encoder: found, checked, read with its dropout."""

from pathlib import Path
from typing import Any

from conf.sections.features import EncoderConf
from conf.sections.labelers.cross_encoder import CrossEncoderConf
from model.labelers.base import LabelerError
from model.labelers.kinds import CROSS_ENCODER
from model.labelers.network.base_model import (
    BaseModel,
    check_sha256,
    hash_weights,
    list_weight_files,
    read_trunk,
)
from model.text.encoder import MINILM_SHA256, find_encoder

SECTION = f"labeler.{CROSS_ENCODER}"
ATTENTION = "eager"
"""On a CPU the backward pass of torch's fused attention takes as long as all the rest together."""
_LAYERS = {MINILM_SHA256: 4}
"""Of so many first layers a model serves as well as of all, by base weights: bench/README.md."""


def find_base(conf: CrossEncoderConf, encoder: EncoderConf) -> BaseModel:
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
        digest = hash_weights(list_weight_files(folder, SECTION))
    check_sha256(folder, digest, conf.sha256, SECTION)
    return BaseModel(folder, digest, SECTION, conf.layers or _LAYERS.get(digest))


def read_encoder(base: BaseModel, conf: CrossEncoderConf) -> Any:
    """Read the encoder in float32, with dropout in its layers but not within attention, where it
    would cost a CPU much time.

    Raises:
        LabelerError: it cannot be read, has fewer layers than wanted, or knows fewer positions
            than `max_tokens`.
    """
    dropouts = {
        **dict.fromkeys(("hidden_dropout_prob", "dropout"), conf.dropout),
        **dict.fromkeys(("attention_probs_dropout_prob", "attention_dropout"), 0.0),
    }
    trunk = read_trunk(base, "float32", ATTENTION, dropouts)
    positions = getattr(trunk.config, "max_position_embeddings", conf.max_tokens)
    if positions < conf.max_tokens:
        raise LabelerError(
            f"{SECTION}.max_tokens is {conf.max_tokens}, {base.folder} reads {positions}"
        )
    return trunk
