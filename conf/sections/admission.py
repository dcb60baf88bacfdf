"""The gate of the ranker: what tonight's model must reach to be served."""

from typing import Literal

from pydantic import Field

from conf.sections.base import Section


class AdmissionConf(Section):
    """Thresholds of `admit_model`, on validation queries.

    A figure counts where `value.min_queries` queries stand behind it. A loss against the model in
    force counts where its whole paired interval (`evaluation.confidence`) lies on the wrong side of
    0 and it is larger than the allowed one: so neither noise alone nor a certain but small loss
    refuses a model.
    """

    max_loss: float = Field(
        0.01,
        ge=0,
        le=1,
        description="largest clear loss of relevance or engagement over all regions (of a figure "
        "whose best is 1); as much as value.engagement_loss lets the weights cost",
    )
    max_region_loss: float = Field(
        0.03,
        ge=0,
        le=1,
        description="the same for one region; wider, since a night asks some twenty such questions",
    )
    max_baseline_loss: float = Field(
        0.01,
        ge=0,
        le=1,
        description="largest clear loss of the engagement alone to the best of popularity, BM25 "
        "and `baselines.arms`, or of the relevance alone to the cosine, over all regions (of a "
        "figure whose best is 1). It refuses a model where the one in force is better by more than "
        "this; else it is a warning",
    )
    max_calibration_error: float = Field(
        0.05,
        ge=0,
        le=1,
        description="largest calibration error of a task, judged by the lower end of its interval "
        "(fraction); a trained ranker has about .01 over all regions, an untrained one .2 and "
        "more",
    )
    max_calibration_loss: float = Field(
        0.02,
        ge=0,
        le=1,
        description="largest clear gain of that error over the model in force (fraction)",
    )
    max_disorder: float = Field(
        0.01,
        ge=0,
        le=1,
        description="largest share of rows where a later step of the funnel is likelier than an "
        "earlier one, or grade 2 likelier than grade 1 or more (fraction); 0 for a conditional "
        "chain, above it a value model pays for steps that cannot happen",
    )
    on_refusal: Literal["score_with_last", "stop"] = Field(
        "score_with_last",
        description="score_with_last: the night goes on with the model in force and warns; stop: "
        "the step fails with the exit code of a gate",
    )
