"""Value model, scoring and evaluation."""

from typing import Literal

from pydantic import Field

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
    tuned: bool = Field(True, description="score with the tuned weights where they exist")


class ScoringConf(Section):
    """The nightly scoring."""

    batch_queries: int = Field(64, ge=1, description="queries a batch sent to a worker (count)")
    max_candidates: int = Field(
        2_000,
        ge=1,
        le=100_000,
        description="candidates scored a query at most (count); judged ones and then the best by "
        "BM25 are kept, the rest is noted in the report",
    )


class EvaluationConf(Section):
    """Metrics and their intervals."""

    k: int = Field(10, ge=1, description="cut-off of NDCG (ranks)")
    bootstrap: int = Field(500, ge=10, description="bootstrap replicates over queries (count)")
    confidence: float = Field(0.95, gt=0.5, lt=1, description="level of the intervals (fraction)")
