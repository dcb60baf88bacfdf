"""The base model: found, checked, and a GGUF file converted once into a cache.

A Hugging Face folder with safetensors is used where it lies. A GGUF file becomes such a folder,
`<cache>/<sha256 of the file>`, written beside its place and moved there whole.
"""

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from conf.sections.labelers.causal_lm import CausalLmConf
from model.files import file_sha256
from model.labelers.base import LabelerError

SMOLLM2_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
"""SmolLM2-135M-Instruct.Q4_1.gguf as the default package carries it."""
_SOURCE = "source.json"
_INDEX = "model.safetensors.index.json"
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")


@dataclass(frozen=True)
class BaseModel:
    """A Hugging Face folder with safetensors, and the sha256 of what it was made from."""

    folder: Path
    sha256: str


def find_base(conf: CausalLmConf) -> BaseModel:
    """Locate the base model, check its weights, convert it where it is a GGUF file.

    Raises:
        LabelerError: nothing there, no weights, weights of another sha256, weights as pickle
            files only, or a file that cannot be converted.
    """
    place = Path(conf.path) if conf.path is not None else packaged(conf.package)
    expected = conf.sha256
    if expected is None and conf.path is None and conf.package == _default_package():
        expected = SMOLLM2_SHA256
    weights = weight_files(place)
    digest = weights_sha256(weights)
    if expected is not None and digest != expected:
        raise LabelerError(
            f"weights of {place} have sha256 {digest}, expected {expected}; install them anew"
        )
    if weights[0].suffix == ".gguf":
        return BaseModel(_converted(weights[0], digest, cache_folder(conf)), digest)
    return BaseModel(place, digest)


def weight_files(place: Path) -> list[Path]:
    """The safetensors files of a Hugging Face folder, or one GGUF file.

    Raises:
        LabelerError: none, pickle files only, or a file that the index names is missing.
    """
    if place.is_file() and place.suffix == ".gguf":
        return [place]
    if not place.is_dir():
        raise LabelerError(f"no base model at {place}; set labeler.causal_lm.path to its folder")
    found = sorted(place.glob("model*.safetensors"))
    if found:
        return _complete(place, found)
    gguf = sorted(place.glob("*.gguf"))
    if len(gguf) == 1:
        return gguf
    if gguf:
        raise LabelerError(f"{len(gguf)} GGUF files in {place}; name one in labeler.causal_lm.path")
    pickles = [path.name for pattern in _PICKLES for path in sorted(place.glob(pattern))]
    if pickles:
        raise LabelerError(
            f"{place} holds pickle files only ({pickles[0]}), which can run code when they are "
            "read; save the model as safetensors first"
        )
    raise LabelerError(f"no weights (model*.safetensors or *.gguf) in {place}")


def weights_sha256(files: list[Path]) -> str:
    """sha256 of the one file, or over name and sha256 of several."""
    if len(files) == 1:
        return file_sha256(files[0])
    lines = "".join(f"{path.name} {file_sha256(path)}\n" for path in files)
    return hashlib.sha256(lines.encode()).hexdigest()


def cache_folder(conf: CausalLmConf) -> Path:
    """Where converted models are kept."""
    if conf.cache is not None:
        return Path(conf.cache)
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "counterpoise" / "models"


def quiet() -> None:
    """No bars, no warnings about the layers left out, and no look at a hub.

    Called before transformers is imported for the first time, which is when it reads the variable.
    """
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()


def _default_package() -> str:
    return str(CausalLmConf.model_fields["package"].default)


def packaged(package: str) -> Path:
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise LabelerError(
            f"package {package} with the model's weights is not installed; run `make setup` or set "
            "labeler.causal_lm.path"
        )
    return Path(next(iter(found.submodule_search_locations)))


def _complete(place: Path, found: list[Path]) -> list[Path]:
    """The files themselves, after a look at the config and at the index of a sharded model."""
    if not (place / "config.json").is_file():
        raise LabelerError(f"{place} has weights but no config.json; it is no model folder")
    index = place / _INDEX
    if index.is_file():
        shards = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        missing = sorted(shards - {path.name for path in found})
        if missing:
            raise LabelerError(f"{place} lacks {missing[0]}, which {_INDEX} names")
    return found


def _converted(gguf: Path, digest: str, cache: Path) -> Path:
    """The folder made from the file; made now where it is not there yet."""
    folder = cache / digest
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{digest[:12]}-", dir=cache) as partial:
            _convert(gguf, digest, Path(partial))
            _move(Path(partial), folder)
    source = folder / _SOURCE
    if not source.is_file() or json.loads(source.read_text())["weights_sha256"] != (
        weights_sha256(weight_files(folder))
    ):
        raise LabelerError(f"{folder} is damaged; delete it, it will be converted anew")
    return folder


def _convert(gguf: Path, digest: str, folder: Path) -> None:
    """Write weights (bfloat16), config and tokenizer of a GGUF file as a Hugging Face folder."""
    quiet()
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    where = {"gguf_file": gguf.name, "local_files_only": True}
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(gguf.parent), **where)
        model = AutoModelForCausalLM.from_pretrained(
            str(gguf.parent),
            dtype=torch.bfloat16,
            quantization_config=GgufConfig(dequantize=True),
            **where,
        )
    except Exception as error:  # the readers of foreign files raise whatever they meet
        raise LabelerError(f"{gguf} cannot be converted: {error}") from error
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)
    content = {
        "gguf": gguf.name,
        "gguf_sha256": digest,
        "weights_sha256": weights_sha256(weight_files(folder)),
    }
    (folder / _SOURCE).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _move(partial: Path, folder: Path) -> None:
    """Rename; where another process was faster, its folder stands."""
    ready = partial.with_name(f"{partial.name}.ready")
    partial.rename(ready)
    partial.mkdir()
    try:
        ready.rename(folder)
    except OSError:
        shutil.rmtree(ready)
        if not folder.is_dir():
            raise
