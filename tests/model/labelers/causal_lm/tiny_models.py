"""Random base models of three families, and conf for a labeler on one of them."""

from pathlib import Path
from typing import Any

import torch
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from conf.sections.labelers import CausalLmConf
from model.labelers.prompt import Template

LAYERS, HIDDEN, WORDS = 4, 16, 258
SHORT = Template("short", system="Grade.", pair="<<<{query}>>> <<<{item}>>>", answer=":")
"""A token a byte would make hundreds of the default's words."""
SIZES: dict[str, Any] = {
    "vocab_size": WORDS,
    "hidden_size": HIDDEN,
    "intermediate_size": 24,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}


def llama() -> LlamaForCausalLM:
    return LlamaForCausalLM(
        LlamaConfig(**SIZES, num_hidden_layers=LAYERS, max_position_embeddings=2048)
    )


def gpt2() -> GPT2LMHeadModel:
    return GPT2LMHeadModel(
        GPT2Config(vocab_size=WORDS, n_embd=HIDDEN, n_layer=LAYERS, n_head=4, n_positions=2048)
    )


def gemma() -> Gemma2ForCausalLM:
    """As the large models are: layers of a sliding window between whole ones, capped logits."""
    return Gemma2ForCausalLM(
        Gemma2Config(**SIZES, num_hidden_layers=12, head_dim=8, sliding_window=16)
    )


def save_models(root: Path, tokenizer: PreTrainedTokenizerFast) -> dict[str, str]:
    """Save one model a family; their folders by family."""
    for make in (llama, gpt2, gemma):
        torch.manual_seed(0)
        make().save_pretrained(root / make.__name__)
        tokenizer.save_pretrained(root / make.__name__)
    return {make.__name__: str(root / make.__name__) for make in (llama, gpt2, gemma)}


def conf(path: str, **settings: Any) -> CausalLmConf:
    given = {
        "path": path,
        "dtype": "float32",
        "layers": 2,
        "ridge": 0.01,
        "max_tokens": 40,
        "epochs": 0,
        "threads": 1,
    }
    return CausalLmConf.model_validate({**given, **settings})
