"""The gradient-boosted labeler on overlap features."""

from pydantic import Field

from conf.sections.base import Section


class LexicalConf(Section):
    """Gradient boosting on overlap features and the cosine of the sentence encoder."""

    rounds: int = Field(300, ge=1, description="boosting rounds (count)")
    learning_rate: float = Field(0.05, gt=0, le=1, description="shrinkage of a round")
    leaves: int = Field(31, ge=2, description="leaves of a tree at most (count)")
    min_leaf: int = Field(40, ge=1, description="pairs of a leaf at least (count)")
