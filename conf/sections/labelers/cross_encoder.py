"""The cross-encoder labeler."""

from typing import Any, Literal

from pydantic import Field, model_validator

from conf.sections.base import refuse_moved_keys
from conf.sections.labelers.fine_tuning import FineTuningConf

_MOVED = {
    "tree_shares": "labeler.ensemble.shares (null: validation chooses)",
    "neighbours": "labeler.lexical.graded",
    "cosine": "labeler.lexical.cosine",
    "lexical_features": "gone: labeler.kind=ensemble takes the mean with lexical",
}
"""Keys of the time when this labeler held the trees of `lexical`, too."""


class CrossEncoderConf(FineTuningConf):
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
        description="true: the network is told for each token whether the other text has it, too",
    )
    hidden: int = Field(128, ge=1, description="width of the head's hidden layer (units)")
    dropout: float = Field(
        0.1, ge=0, lt=1, description="share of units that are dropped in training (fraction)"
    )
    frozen_layers: int = Field(
        1,
        ge=0,
        description="parts of the base model that are not trained: 0 none, 1 the embeddings, 1 + "
        "n also the first n layers (count)",
    )
    refit: bool = Field(
        False,
        description="true: the chosen epochs are learnt once more, from the validation pairs, "
        "too, which takes twice the time",
    )

    @model_validator(mode="before")
    @classmethod
    def _without_trees(cls, given: Any) -> Any:
        return refuse_moved_keys(given, _MOVED)
