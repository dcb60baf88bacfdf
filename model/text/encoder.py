"""The sentence encoder: where its files are, that they are the right ones, and texts to vectors."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from conf.errors import UserError
from conf.sections.features import EncoderConf
from model.files import file_sha256, short_hash

WEIGHTS = "model.safetensors"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""all-MiniLM-L6-v2 as the default package carries it."""


class EncoderError(UserError, RuntimeError):
    """The encoder is absent or not the expected one; the message names the file and the mend."""


@dataclass(frozen=True)
class EncoderSpec:
    """Which encoder, and how it is run: all that an embedding depends on.

    Attributes:
        folder: folder of model.safetensors, config.json and tokenizer.json.
        sha256: digest of the weights.
        max_tokens: tokens kept of a text (count).
        batch_size: texts per forward pass (count).
        dtype: float32 or bfloat16.
        device: auto (a GPU where the process that encodes sees one, else the CPU), cpu or cuda;
            rounding aside no vector depends on it.
    """

    folder: str
    sha256: str
    max_tokens: int
    batch_size: int
    dtype: str
    device: str = "auto"

    @property
    def version(self) -> str:
        """First 16 hex digits of the sha256 over the weights' digest and the settings."""
        settings = asdict(self)
        del settings["folder"], settings["batch_size"], settings["device"]
        return short_hash(json.dumps(settings, sort_keys=True))


def find_encoder(conf: EncoderConf) -> EncoderSpec:
    """Locate the encoder of `conf` and check its weights.

    Raises:
        EncoderError: package not installed, file missing, or digest not the expected one.
    """
    folder = Path(conf.path) if conf.path is not None else _find_package_folder(conf)
    weights = folder / WEIGHTS
    if not weights.is_file():
        raise EncoderError(f"no {WEIGHTS} in {folder}; set encoder.path to the encoder's folder")
    digest = file_sha256(weights)
    expected = conf.sha256 or (MINILM_SHA256 if _is_default(conf) else None)
    if expected is not None and digest != expected:
        raise EncoderError(f"{weights} has sha256 {digest}, expected {expected}; install it anew")
    return EncoderSpec(
        str(folder),
        digest,
        conf.max_tokens,
        conf.batch_size,
        resolve_dtype(conf.dtype),
        conf.device,
    )


def resolve_dtype(dtype: str) -> str:
    """Resolve `auto` to bfloat16 where this machine's CPU multiplies it natively, else to
    float32."""
    if dtype != "auto":
        return dtype
    native = {"amx_bf16", "avx512_bf16"} & _read_cpu_flags()
    return "bfloat16" if native else "float32"


def resolve_encoder_device(device: str) -> str:
    """Resolve `auto` to cuda where this process sees a GPU, else to cpu."""
    if device != "auto":
        return device
    return "cuda" if torch.cuda.is_available() else "cpu"


class Encoder:
    """A BERT-like encoder with mean pooling over the tokens and unit-length output."""

    def __init__(self, spec: EncoderSpec) -> None:
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils import logging

        logging.disable_progress_bar()
        torch.set_num_threads(1)
        self.spec = spec
        self._dtype = getattr(torch, spec.dtype)
        self._tokenizer: Any = AutoTokenizer.from_pretrained(spec.folder, local_files_only=True)
        model: Any = AutoModel.from_pretrained(
            spec.folder, local_files_only=True, dtype=self._dtype
        )
        self._device = resolve_encoder_device(spec.device)
        self._model = model.eval().to(self._device)
        self.dimension = int(model.config.hidden_size)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Encode the texts as unit vectors, (len(texts), dimension).

        A batch is padded to its longest text, so texts of about as many tokens share one.
        """
        out = np.empty((len(texts), self.dimension), dtype=np.float32)
        rows = self._tokenize(texts)
        order = np.argsort([len(row) for row in rows], kind="stable")
        for start in range(0, len(texts), self.spec.batch_size):
            at = order[start : start + self.spec.batch_size]
            out[at] = self._forward([rows[place] for place in at]).cpu().numpy()
        return out

    def _tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        if len(texts) == 0:
            return []
        cut = {"truncation": True, "max_length": self.spec.max_tokens}
        token_ids: list[list[int]] = self._tokenizer(list(texts), **cut)["input_ids"]
        return token_ids

    @torch.inference_mode()
    def _forward(self, rows: list[list[int]]) -> torch.Tensor:
        tokens = self._tokenizer.pad({"input_ids": rows}, return_tensors="pt").to(self._device)
        hidden = self._model(**tokens).last_hidden_state.float()  # (B, T, D)
        mask = tokens["attention_mask"].unsqueeze(-1).float()  # (B, T, 1)
        pooled = (hidden * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1.0)
        return torch.nn.functional.normalize(pooled, dim=1)


@lru_cache(maxsize=1)
def load_encoder(spec: EncoderSpec) -> Encoder:
    """Load the encoder, once per process."""
    return Encoder(spec)


def _find_package_folder(conf: EncoderConf) -> Path:
    spec = find_spec(conf.package)
    if spec is None or not spec.submodule_search_locations:
        raise EncoderError(
            f"package {conf.package} with the encoder's weights is not installed; run `make setup` "
            "or set encoder.path"
        )
    return Path(next(iter(spec.submodule_search_locations))) / conf.folder


def _is_default(conf: EncoderConf) -> bool:
    default = EncoderConf()
    return conf.path is None and (conf.package, conf.folder) == (default.package, default.folder)


def _read_cpu_flags() -> set[str]:
    info = Path("/proc/cpuinfo")
    if not info.is_file():
        return set()
    for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("flags"):
            return set(line.split())
    return set()
