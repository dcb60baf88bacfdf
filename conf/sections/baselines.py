"""The rankers that a team would take instead, fitted on the same snapshot and shown beside ours."""

from typing import Literal

from pydantic import Field

from conf.sections.base import Section

Arm = Literal[
    "popularity",
    "bm25",
    "cosine",
    "lightgbm",
    "lightgbm_position",
    "lambdamart_engagement",
    "lambdamart_relevance",
    "lambdamart_mixed",
]


class BaselinesConf(Section):
    """Which baselines are measured, and what their fit may cost."""

    arms: tuple[Arm, ...] = Field(
        (
            "popularity",
            "bm25",
            "cosine",
            "lightgbm",
            "lightgbm_position",
            "lambdamart_engagement",
        ),
        description="baselines measured; popularity, bm25, cosine: that feature; lightgbm: one "
        "binary model per task and grade under the value formula, lightgbm_position with the "
        "logged position as a feature; lambdamart_*: LambdaMART on engagement, grades or both",
    )
    trials: int = Field(
        1,
        ge=1,
        description="points of the grid tried for each model on validation (count); the first is "
        "the usual one",
    )
    rounds: int = Field(200, ge=1, description="trees of a model at most (count)")
    patience: int = Field(
        20, ge=1, description="trees without a better validation figure after which a fit ends"
    )
    threads: int = Field(
        1,
        ge=1,
        description="threads of a fit (count); as many fits run side by side as cores are left. "
        "Figures differ in the last bits by it; more threads than idle cores make a fit many "
        "times slower, since LightGBM's threads wait for each other",
    )
    max_rows: int = Field(
        2_000_000,
        ge=1_000,
        description="rows of a split kept for the fits, whole lists (count); they lie in memory, "
        "and each fit under way copies its part of them",
    )
