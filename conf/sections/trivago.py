"""The hotel-search log of the RecSys Challenge 2019, which the experiments read."""

from typing import Literal

from pydantic import Field

from conf.sections.base import Section


class TrivagoSource(Section):
    """Sessions of a hotel search; an experiment reads them, the nightly chain cannot."""

    kind: Literal["trivago"] = "trivago"
    path: str = Field(description="folder of trivago_actions.parquet")
    largest_sites: int = Field(
        16,
        ge=1,
        description="country sites that are a region each, those with the most training sessions; "
        "all others are the region `other` (count)",
    )
    prior_impressions: float = Field(
        20.0, gt=0, description="strength of the prior of a hotel's rates (impressions)"
    )
    engaged_by_click: bool = Field(
        False,
        description="true: a click counts as engagement too, so that no hotel is clicked without "
        "engagement; false: only what came before the click",
    )
    logged_rank: bool = Field(
        False,
        description="true: the rank that the logger gave is a feature too, since it is known when "
        "the list is shown (then set model.position_bias none); false: it is `position` only",
    )
