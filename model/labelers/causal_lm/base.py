"""The base model of `causal_lm`: a Hugging Face folder, or a GGUF file converted once.

A GGUF file becomes a folder, `<cache>/<sha256 of the file>`, because reading one takes minutes of
arithmetic; the folder is written beside its place and moved there whole.
"""

import os
from importlib.util import find_spec
from pathlib import Path

from conf.sections.labelers.causal_lm import CausalLmConf
from model.files import file_sha256, new_folder, read_json, write_json
from model.labelers.base import LabelerError
from model.labelers.kinds import CAUSAL_LM
from model.labelers.network.base_model import (
    BaseModel,
    be_quiet,
    check_sha256,
    count_layers,
    hash_weights,
    list_weight_files,
)

SECTION = f"labeler.{CAUSAL_LM}"
SMOLLM2_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
"""SmolLM2-135M-Instruct.Q4_1.gguf as the default package carries it."""
MIDDLE = 0.6
"""Share of the layers that is read: of SmolLM2's 30, validation chose 18 or 21."""
_SOURCE = "source.json"
"""Written last: a folder without it was not converted whole."""


def find_base(conf: CausalLmConf) -> BaseModel:
    """Locate the base model, check its weights, convert it where it is a GGUF file.

    Raises:
        LabelerError: no weights but pickles, another sha256, or a file that cannot be converted.
    """
    place = Path(conf.path) if conf.path is not None else find_package_folder(conf.package)
    gguf = find_gguf(place)
    digest = file_sha256(gguf) if gguf else hash_weights(list_weight_files(place, SECTION))
    check_sha256(place, digest, conf.sha256 or _choose_sha256(conf), SECTION)
    folder = _convert_once(gguf, digest, choose_cache_folder(conf)) if gguf else place
    layers = conf.layers or max(1, round(MIDDLE * count_layers(folder)))
    return BaseModel(folder, digest, SECTION, layers)


def find_gguf(place: Path) -> Path | None:
    """Find a GGUF file: the place itself, or the only one of a folder without safetensors.

    Raises:
        LabelerError: a folder holds several.
    """
    if place.is_file() and place.suffix == ".gguf":
        return place
    if not place.is_dir() or any(place.glob("model*.safetensors")):
        return None
    files = sorted(place.glob("*.gguf"))
    if len(files) > 1:
        raise LabelerError(f"{len(files)} GGUF files in {place}; name one in {SECTION}.path")
    return files[0] if files else None


def choose_cache_folder(conf: CausalLmConf) -> Path:
    """Choose the folder in which converted models are kept."""
    if conf.cache is not None:
        return Path(conf.cache)
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "counterpoise" / "models"


def find_package_folder(package: str) -> Path:
    """Find the folder of an installed package.

    Raises:
        LabelerError: it is not installed.
    """
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise LabelerError(
            f"package {package} with the model's weights is not installed; run `make setup` or set "
            f"{SECTION}.path"
        )
    return Path(next(iter(spec.submodule_search_locations)))


def _choose_sha256(conf: CausalLmConf) -> str | None:
    default = CausalLmConf.model_fields["package"].default
    return SMOLLM2_SHA256 if conf.path is None and conf.package == default else None


def _convert_once(gguf: Path, digest: str, cache: Path) -> Path:
    """Find the folder made from the file; make it where it is not there yet."""
    folder = cache / digest
    if not folder.is_dir():
        with new_folder(folder) as written:
            _convert(gguf, written)
    source = folder / _SOURCE
    weights = hash_weights(list_weight_files(folder, SECTION))
    if not source.is_file() or read_json(source, LabelerError)["weights_sha256"] != weights:
        raise LabelerError(f"{folder} is damaged; delete it, it will be converted anew")
    return folder


def _convert(gguf: Path, folder: Path) -> None:
    """Write weights (bfloat16), config and tokenizer of a GGUF file as a Hugging Face folder."""
    be_quiet()
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
    digest = hash_weights(list_weight_files(folder, SECTION))
    write_json(folder / _SOURCE, {"gguf": gguf.name, "weights_sha256": digest})
