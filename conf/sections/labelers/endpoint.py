"""A chat endpoint as a labeler."""

from typing import Literal

from pydantic import Field

from conf.sections.base import Section
from conf.sections.labelers.prompt import PromptConf


class RetryConf(Section):
    """What is tried again, after how long, and when to stop."""

    attempts: int = Field(
        4, ge=1, description="requests per pair at most, the first one included (count)"
    )
    answer_attempts: int = Field(
        2,
        ge=1,
        description="requests per pair, at most, that may bring an answer without a grade (count)",
    )
    base_seconds: float = Field(
        0.5, gt=0, description="longest wait before the second request (s); doubles each time"
    )
    max_seconds: float = Field(
        60.0,
        gt=0,
        description="longest wait (s); a pair whose Retry-After asks for more is left without a "
        "grade",
    )
    down_after: int = Field(
        8,
        ge=1,
        description="after this many pairs in a row without any reply the endpoint counts as "
        "down, and the rest is left without a grade (count)",
    )


class BudgetConf(Section):
    """What may be spent by a run; the partitions of a labeling job share it equally."""

    calls: int | None = Field(None, ge=1, description="requests, retries included; null: no limit")
    tokens: int | None = Field(
        None, ge=1, description="tokens of prompts and answers; null: no limit"
    )
    when_spent: Literal["leave", "stop"] = Field(
        "leave", description="leave: the rest has no grade and says why; stop: an error"
    )


class EndpointConf(Section):
    """An OpenAI-compatible chat endpoint that grades pairs."""

    url: str = Field("http://127.0.0.1:8080/v1", description="base address of the endpoint")
    model: str = Field("default", description="model name sent with a request")
    key_variable: str = Field(
        "COUNTERPOISE_LABELER_KEY", description="environment variable that holds the key"
    )
    prompt: PromptConf = Field(default_factory=PromptConf, description="template and text lengths")
    answer: Literal["json_schema", "json_object", "text"] = Field(
        "json_schema",
        description="how the answer is constrained; what the endpoint refuses falls back to the "
        "next",
    )
    log_probabilities: bool = Field(
        True, description="ask for the log-probabilities of the answer's tokens"
    )
    max_answer_tokens: int = Field(24, ge=1, description="tokens of an answer at most (count)")
    smoothing: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="for a grade that came without log-probabilities: the share of its "
        "probability that is spread over all grades (fraction)",
    )
    concurrency: int = Field(4, ge=1, le=256, description="requests at a time (count)")
    connect_seconds: float = Field(5.0, gt=0, description="time to connect (s)")
    timeout_seconds: float = Field(60.0, gt=0, description="time of a whole request (s)")
    retry: RetryConf = Field(default_factory=RetryConf, description="retries")
    budget: BudgetConf = Field(default_factory=BudgetConf, description="limits of calls and tokens")
    calibration: Literal["none", "platt", "balanced"] = Field(
        "none",
        description="what fitting does; platt: one logistic map per threshold, fitted on the "
        "labels as given; balanced: the same with equal weight for each grade, so that the "
        "labels' mix does not matter",
    )
    calibration_pairs: int = Field(
        300, ge=30, description="pairs asked for the calibration at most (count)"
    )
    seed: int = Field(0, ge=0, description="seed of the draw of calibration pairs")
