"""The ensemble of labelers."""

from math import isclose
from typing import Literal, Self

from pydantic import Field, model_validator

from conf.sections.base import Section

MemberKind = Literal["cross_encoder", "lexical", "causal_lm", "openai_compatible"]


class EnsembleConf(Section):
    """The weighted mean of two or more labelers, each fitted by its own section."""

    members: tuple[MemberKind, ...] = Field(
        ("cross_encoder", "lexical"), min_length=2, description="labelers whose mean is taken"
    )
    shares: tuple[float, ...] | None = Field(
        None,
        description="share of each member, which add up to 1 (fractions); null: tenths that "
        "validation pairs choose",
    )

    @model_validator(mode="after")
    def _each_member_has_a_share(self) -> Self:
        if len(set(self.members)) < len(self.members):
            raise ValueError(f"members must differ: {', '.join(self.members)}")
        shares = self.shares
        if shares is None:
            return self
        if len(shares) != len(self.members):
            raise ValueError(f"{len(shares)} shares beside {len(self.members)} members")
        if min(shares) < 0 or not isclose(sum(shares), 1.0, abs_tol=1e-6):
            raise ValueError(f"shares must be 0 or more and add up to 1: {shares}")
        return self
