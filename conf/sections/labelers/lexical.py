"""The gradient-boosted labeler on overlap features."""

from pydantic import Field

from conf.sections.base import Section


class LexicalConf(Section):
    """Gradient boosting on overlap features, the cosine of the sentence encoder, graded pairs."""

    cosine: bool = Field(
        True, description="true: the cosine of the encoder of section `encoder` is a feature"
    )
    graded: bool = Field(
        True,
        description="true: the trees also see how people graded similar queries and items, and "
        "where the two texts stand among all, if that lowers the validation loss; needs the "
        "encoder of `cosine`",
    )
    rounds: int = Field(
        400, ge=1, description="boosting rounds at most; validation pairs choose how many (count)"
    )
    patience: int = Field(
        40, ge=1, description="rounds without a better validation loss before it stops (count)"
    )
    learning_rate: float = Field(0.05, gt=0, le=1, description="shrinkage per round")
    leaves: tuple[int, ...] = Field(
        (6, 31),
        min_length=1,
        description="largest number of leaves per tree (count); validation pairs choose among "
        "these",
    )
    bag: int = Field(
        8,
        ge=1,
        description="fits with the chosen leaves, each with its own seed, whose mean is taken "
        "(count)",
    )
    min_leaf: int = Field(40, ge=1, description="least number of pairs in a leaf (count)")
    l2: float = Field(1.0, ge=0, description="L2 penalty on the value of a leaf")
    feature_fraction: float = Field(
        0.4, gt=0, le=1, description="share of the features that a tree sees (fraction)"
    )
    pair_fraction: float = Field(
        0.8, gt=0, le=1, description="share of the pairs that a tree is grown on (fraction)"
    )
    refit: bool = Field(
        True,
        description="true: what validation chose is fitted once more, on the validation pairs, too",
    )
    threads: int = Field(
        0, ge=0, description="threads of a fit (count); 0: all cores. A prediction takes one"
    )
