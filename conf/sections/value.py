"""Value model, scoring and evaluation."""

from itertools import pairwise
from typing import Literal

from pydantic import Field, field_validator

from conf.sections.base import Section


class Weights(Section):
    """Weights of the value model: value = sum_t w_t p_t + w_rel * relevance / 2."""

    click: float = Field(0.2, ge=0, description="weight of p_click")
    cart: float = Field(0.3, ge=0, description="weight of p_cart")
    purchase: float = Field(0.5, ge=0, description="weight of p_purchase")
    relevance: float = Field(0.1, ge=0, description="weight of relevance / 2")


class ValueConf(Section):
    """Weights by region, and how `tune_value_model` picks the relevance weight."""

    weights: Weights = Field(default_factory=Weights, description="weights of every region")
    by_region: dict[str, Weights] = Field(
        default_factory=dict, description="weights of a region, instead of `weights`"
    )
    sweep: tuple[float, ...] = Field(
        (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0),
        description="relevance weights tried on validation queries",
    )
    rule: Literal["max_engagement", "max_relevance"] = Field(
        "max_relevance",
        description="max_engagement: subject to relevance NDCG@10 >= tau; "
        "max_relevance: subject to engagement within engagement_loss",
    )
    tau: float = Field(0.9, ge=0, le=1, description="least relevance NDCG@10 (fraction)")
    engagement_loss: float = Field(
        0.01, ge=0, le=1, description="largest relative loss of engagement NDCG@10 (fraction)"
    )
    noise: float = Field(
        0.5,
        ge=0,
        description="how uncertain the losses measured on the log may be: their largest standard "
        "error over the weights of the sweep, as a multiple of engagement_loss (ratio); above it "
        "the losses are taken from the ranker's own calibrated probabilities",
    )
    min_queries: int = Field(
        50,
        ge=1,
        description="validation queries behind each of the two figures that a region needs for a "
        "pick of its own; else it takes the pick of all regions (count)",
    )
    tuned: bool = Field(True, description="score with the tuned weights where they exist")

    @property
    def largest_error(self) -> float:
        """Largest standard error of a measured loss of engagement (fraction)."""
        return self.noise * self.engagement_loss

    @field_validator("sweep")
    @classmethod
    def _check_ascending(cls, sweep: tuple[float, ...]) -> tuple[float, ...]:
        if not sweep or sweep[0] < 0 or any(b <= a for a, b in pairwise(sweep)):
            raise ValueError("give weights from 0 upwards, each larger than the one before")
        return sweep


class ScoringConf(Section):
    """The nightly scoring."""

    batch_queries: int = Field(64, ge=1, description="queries per batch sent to a worker (count)")
    max_candidates: int = Field(
        2_000,
        ge=1,
        le=100_000,
        description="candidates scored per query at most (count); judged ones and then the best "
        "by BM25 are kept, the rest is noted in the report",
    )


class EvaluationConf(Section):
    """Metrics and their intervals."""

    k: int = Field(10, ge=1, description="cut-off of NDCG (ranks)")
    bootstrap: int = Field(500, ge=10, description="bootstrap replicates over queries (count)")
    confidence: float = Field(0.95, gt=0.5, lt=1, description="level of the intervals (fraction)")
    blocks: int = Field(
        200, ge=20, le=2_000, description="groups of query texts that the bootstrap draws (count)"
    )
    examination: tuple[float, ...] | None = Field(
        None,
        description="P(examined) at positions 1, 2, ... over that at position 1 (fraction); null: "
        "estimated from validation pages",
    )
    max_position: int = Field(
        100,
        ge=1,
        le=1_000,
        description="positions beyond this one are examined as much as it is (rank)",
    )
    min_examination: float = Field(
        0.02,
        gt=0,
        le=1,
        description="least examination that is used, so that its inverse stays bounded (fraction)",
    )
    currency: Literal["auto", "off_policy", "debiased", "logged"] = Field(
        "auto",
        description="yardstick of engagement that picks weights and that the gate uses; auto: "
        "off_policy where min_effective is reached, else debiased",
    )
    min_effective: float = Field(
        200.0,
        ge=1,
        description="effective sample size that the off-policy estimate needs to be the currency "
        "(clicks of equal weight); 200 hold its standard error near .015",
    )
    max_weight: float = Field(
        1_000.0,
        ge=1,
        description="largest inverse propensity of the off-policy estimates; 1,000 is 5 % of "
        "exploration over 50 items, beyond it the estimate leans towards the logger's order",
    )
    calibration_groups: int = Field(
        15, ge=2, description="groups of equal mass of the calibration error (count)"
    )
    logit_bin: float = Field(
        0.05, gt=0, le=1, description="width of a bin of predictions (logits), for the AUC"
    )
    truth_sample: int = Field(
        100_000, ge=100, description="pairs that `check_market` compares with the truth (count)"
    )

    @field_validator("examination")
    @classmethod
    def _relative_to_the_first(cls, curve: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if curve is not None and (
            not curve or curve[0] != 1.0 or not all(0 < e <= 1 for e in curve)
        ):
            raise ValueError("give 1.0 for position 1, then values above 0 and at most 1")
        return curve
