"""How the labelers that are networks are trained."""

from typing import Literal

from pydantic import Field

from conf.sections.base import Section


class FineTuningConf(Section):
    """Steps, step sizes and arithmetic of a network's training."""

    epochs: int = Field(2, ge=1, description="passes over the training pairs at least (count)")
    min_steps: int = Field(
        300,
        ge=1,
        description="steps at least: few pairs are passed over more than `epochs` times (count)",
    )
    batch_size: int = Field(32, ge=1, description="pairs per step (count)")
    accumulation: int = Field(
        1,
        ge=1,
        description="parts in which a step's pairs are computed, one after the other, their "
        "gradients added up (count); more parts need less memory and give the same step",
    )
    learning_rate: float = Field(5e-5, gt=0, description="AdamW step size of the base model")
    head_learning_rate: float = Field(
        1e-3, gt=0, description="AdamW step size of what stands beside the base model"
    )
    weight_decay: float = Field(0.01, ge=0, description="AdamW decay of matrices")
    warmup: float = Field(
        0.06,
        ge=0,
        lt=1,
        description="share of the steps, from the start, in which the step size rises (fraction)",
    )
    predict_batch_size: int = Field(128, ge=1, description="pairs of a prediction batch (count)")
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="arithmetic; auto: bfloat16 where the machine multiplies it natively"
    )
    threads: int = Field(
        0,
        ge=0,
        description="threads of a fit (count); 0: all cores that the process may use",
    )
