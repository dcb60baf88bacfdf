"""The cross-encoder labeler."""

from typing import Literal

from pydantic import Field

from conf.sections.base import Section


class CrossEncoderConf(Section):
    """An encoder that reads query and item together, with an ordinal head."""

    path: str | None = Field(
        None, description="folder of the base model; null: the encoder of section `encoder`"
    )
    sha256: str | None = Field(
        None, description="expected sha256 of the base weights; null: not checked for a path"
    )
    max_tokens: int = Field(64, ge=8, le=512, description="tokens kept of a pair (count)")
    epochs: int = Field(3, ge=1, description="passes over the training pairs (count)")
    batch_size: int = Field(32, ge=1, description="pairs a step (count)")
    learning_rate: float = Field(5e-5, gt=0, description="AdamW step size of the encoder")
    head_learning_rate: float = Field(1e-3, gt=0, description="AdamW step size of the head")
    lexical_features: bool = Field(
        True, description="true: the overlap features join the pooled text in the head"
    )
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="arithmetic; auto: bfloat16 where the machine multiplies it natively"
    )
