"""The cross-encoder labeler."""

from typing import Literal, Self

from pydantic import Field, model_validator

from conf.sections.base import Section


class CrossEncoderConf(Section):
    """An encoder that reads query and item together, with an ordinal head."""

    path: str | None = Field(
        None, description="folder of the base model; null: the encoder of section `encoder`"
    )
    sha256: str | None = Field(
        None, description="expected sha256 of the base weights; null: not checked for a path"
    )
    layers: int | None = Field(
        None,
        ge=1,
        description="layers of the base model that are used, from the first (count); null: 4 of "
        "the default base model's 6, all of another's",
    )
    max_tokens: int = Field(48, ge=8, le=512, description="tokens kept of a pair (count)")
    pooling: Literal["mean", "first"] = Field(
        "mean", description="mean: mean of the tokens of the pair; first: its first token"
    )
    marks: bool = Field(
        True,
        description="true: the network is told of each token whether the other text has it, too",
    )
    lexical_features: bool = Field(
        False, description="true: the overlap features join the pooled text in the head"
    )
    cosine: bool = Field(
        True,
        description="true: the cosine of the encoder of section `encoder` is one of the features",
    )
    neighbours: bool = Field(
        True,
        description="true: the trees also see what people graded of near queries and items and of "
        "single words, and where a pair stands among all the known items (vectors of the encoder "
        "of the cosine), where that lowers the validation loss",
    )
    tree_shares: tuple[float, ...] = Field(
        (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
        min_length=1,
        description="share of the boosted trees (section `labeler.lexical`) in the probabilities, "
        "0 to 1; validation pairs choose among these; only 0: no trees",
    )
    hidden: int = Field(128, ge=1, description="width of the head's hidden layer (units)")
    dropout: float = Field(0.1, ge=0, lt=1, description="dropped units in training (fraction)")
    frozen_layers: int = Field(
        1,
        ge=0,
        description="parts that keep the base weights: 0 none, 1 the embeddings, 1 + n also the "
        "first n layers (count)",
    )
    epochs: int = Field(2, ge=1, description="passes over the training pairs at least (count)")
    min_steps: int = Field(
        300,
        ge=1,
        description="steps at least: few pairs are passed over more than `epochs` times (count)",
    )
    batch_size: int = Field(32, ge=1, description="pairs a step (count)")
    learning_rate: float = Field(5e-5, gt=0, description="AdamW step size of the encoder")
    head_learning_rate: float = Field(1e-3, gt=0, description="AdamW step size of the head")
    weight_decay: float = Field(0.01, ge=0, description="AdamW decay of matrices")
    warmup: float = Field(
        0.06, ge=0, lt=1, description="steps of rising step size at the start (fraction)"
    )
    predict_batch_size: int = Field(128, ge=1, description="pairs of a prediction batch (count)")
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="arithmetic; auto: bfloat16 where the machine multiplies it natively"
    )
    refit: Literal["none", "trees", "all"] = Field(
        "trees",
        description="what is fitted once more after validation chose, on the validation pairs, "
        "too: trees: the boosted trees and what they know of graded pairs; all: the network, too, "
        "which takes twice the time",
    )
    threads: int = Field(
        0,
        ge=0,
        description="threads of a fit (count); 0: all cores that the process may use. On a machine "
        "that others use, one is several times faster than two",
    )

    @model_validator(mode="after")
    def _neighbours_need_the_encoder(self) -> Self:
        if self.neighbours and not self.cosine:
            raise ValueError("neighbours: true needs cosine: true, whose encoder finds them")
        return self
