"""The base model is found, checked and converted once; what cannot be used is named."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gguf import GGUFWriter, TokenType
from safetensors.torch import load_file, save_file
from tokenizers import pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

from conf.sections.labelers import CausalLmConf
from model.files import file_sha256
from model.labelers.base import LabelerError
from model.labelers.causal_lm.base import choose_cache_folder, find_base, find_gguf
from model.labelers.network.base_model import read_tokenizer, read_trunk

WEIGHTS = "model.safetensors"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A base model without a tokenizer, 2 layers; a test may damage it."""
    torch.manual_seed(0)
    place = tmp_path / "base"
    sizes: dict[str, Any] = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1}
    LlamaForCausalLM(LlamaConfig(vocab_size=16, **sizes, **heads)).save_pretrained(place)
    return place


def conf(folder: Path, **settings: Any) -> CausalLmConf:
    return CausalLmConf.model_validate({"path": str(folder), **settings})


def test_a_folder_is_used_where_it_lies(folder: Path) -> None:
    base = find_base(conf(folder))
    assert base.folder == folder and base.sha256 == file_sha256(folder / WEIGHTS)
    assert find_base(conf(folder, sha256=base.sha256)) == base
    assert base.layers == 1 and find_base(conf(folder, layers=2)).layers == 2
    assert read_trunk(base, "float32").config.num_hidden_layers == 1


def test_a_wrong_checksum(folder: Path) -> None:
    with pytest.raises(LabelerError, match=r"have sha256 .*, expected 00"):
        find_base(conf(folder, sha256="00"))


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(LabelerError, match=r"set labeler.causal_lm.path"):
        find_base(conf(tmp_path / "none"))


def test_no_weights(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    with pytest.raises(LabelerError, match="no weights"):
        find_base(conf(folder))


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt"])
def test_pickle_files_only(folder: Path, name: str) -> None:
    (folder / WEIGHTS).rename(folder / name)
    with pytest.raises(LabelerError, match=rf"pickle files only \({name}\)"):
        find_base(conf(folder))


def test_an_adapter_is_no_model(folder: Path) -> None:
    (folder / WEIGHTS).rename(folder / "adapter_model.safetensors")
    with pytest.raises(LabelerError, match="no weights"):
        find_base(conf(folder))


def test_no_config(folder: Path) -> None:
    (folder / "config.json").unlink()
    with pytest.raises(LabelerError, match=r"no config.json"):
        find_base(conf(folder))


def test_a_shard_is_missing(folder: Path) -> None:
    shard = "model-00002-of-00002.safetensors"
    index = {"weight_map": {"a": WEIGHTS, "b": shard}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(LabelerError, match=f"lacks {shard}"):
        find_base(conf(folder))
    shutil.copy(folder / WEIGHTS, folder / shard)
    two = find_base(conf(folder)).sha256
    (folder / shard).write_bytes(b"other")
    assert find_base(conf(folder)).sha256 != two


def test_cut_weights(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:400])
    with pytest.raises(LabelerError, match="cannot be read"):
        read_trunk(find_base(conf(folder)), "float32")


def test_weights_that_are_missing_are_not_made_up(folder: Path) -> None:
    state = load_file(folder / WEIGHTS)
    del state["model.layers.0.mlp.up_proj.weight"]
    save_file(state, folder / WEIGHTS, metadata={"format": "pt"})
    with pytest.raises(LabelerError, match=r"lacks weights: .*up_proj"):
        read_trunk(find_base(conf(folder)), "float32")


def test_more_layers_than_there_are(folder: Path) -> None:
    with pytest.raises(LabelerError, match=r"causal_lm.layers is 3, .*base has 2"):
        read_trunk(find_base(conf(folder, layers=3)), "float32")


def test_no_tokenizer(folder: Path) -> None:
    with pytest.raises(LabelerError, match="no tokenizer can be read"):
        read_tokenizer(find_base(conf(folder)).folder)


def test_a_package_that_is_not_installed() -> None:
    with pytest.raises(LabelerError, match="package no_such_weights"):
        find_base(CausalLmConf(package="no_such_weights"))


def test_the_cache_follows_xdg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert choose_cache_folder(CausalLmConf()) == tmp_path / "counterpoise" / "models"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert choose_cache_folder(CausalLmConf()) == tmp_path / ".cache" / "counterpoise" / "models"


def write_gguf(path: Path) -> None:
    """A llama of one layer, 8 wide, with a tokenizer of bytes."""
    words = ["<|im_start|>", "<|im_end|>", *sorted(pre_tokenizers.ByteLevel.alphabet()), "ab"]
    writer = GGUFWriter(path, "llama")
    writer.add_context_length(64)
    writer.add_embedding_length(8)
    writer.add_block_count(1)
    writer.add_feed_forward_length(8)
    writer.add_head_count(2)
    writer.add_head_count_kv(1)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(4)
    writer.add_vocab_size(len(words))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(words)
    writer.add_token_types([TokenType.CONTROL] * 2 + [TokenType.NORMAL] * (len(words) - 2))
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    draw = np.random.default_rng(0)
    square = {"attn_q": (8, 8), "attn_k": (4, 8), "attn_v": (4, 8), "attn_output": (8, 8)}
    shapes = {f"blk.0.{name}": shape for name, shape in square.items()}
    shapes |= {f"blk.0.ffn_{name}": (8, 8) for name in ("gate", "up", "down")}
    shapes |= {"blk.0.attn_norm": (8,), "blk.0.ffn_norm": (8,), "output_norm": (8,)}
    shapes["token_embd"] = (len(words), 8)
    for name, shape in shapes.items():
        writer.add_tensor(f"{name}.weight", draw.normal(size=shape).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.gguf"
    write_gguf(path)
    return path


def test_a_gguf_file_is_converted_once(gguf: Path, tmp_path: Path) -> None:
    settings = conf(gguf, cache=str(tmp_path / "cache"), sha256=file_sha256(gguf))
    base = find_base(settings)
    assert base.folder == tmp_path / "cache" / file_sha256(gguf) and base.sha256 == settings.sha256
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [base.sha256]
    written = (base.folder / WEIGHTS).stat().st_mtime_ns
    assert find_base(settings) == base
    assert (base.folder / WEIGHTS).stat().st_mtime_ns == written
    model = AutoModelForCausalLM.from_pretrained(str(base.folder))
    assert model.config.num_hidden_layers == 1
    assert AutoTokenizer.from_pretrained(str(base.folder))("<|im_end|>")["input_ids"] == [1]
    assert find_gguf(gguf.parent) == gguf


def test_a_damaged_cache_is_named(gguf: Path, tmp_path: Path) -> None:
    settings = conf(gguf, cache=str(tmp_path / "cache"))
    weights = find_base(settings).folder / WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(LabelerError, match="is damaged; delete it"):
        find_base(settings)


def test_a_file_that_is_no_gguf_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(b"GGUF but not really" * 10)
    with pytest.raises(LabelerError, match="cannot be converted"):
        find_base(conf(path, cache=str(tmp_path / "cache")))
    assert not list((tmp_path / "cache").iterdir())


def test_several_gguf_files_are_not_guessed(gguf: Path) -> None:
    shutil.copy(gguf, gguf.with_name("other.gguf"))
    with pytest.raises(LabelerError, match="2 GGUF files"):
        find_base(conf(gguf.parent))
