"""A team's own features: where their values are, what their rows are keyed by, what they mean."""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from conf.sections.base import Section
from conf.sections.datasets import TableInput

KeyColumn = Literal["query_id", "query_text", "region", "item_id"]
OwnName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
"""A column and a key of JSON in our tables: as short as any catalogue's names may be."""


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
    features: dict[OwnName, OwnFeature] = Field(
        min_length=1, description="the features, by the name that they get here"
    )

    @model_validator(mode="after")
    def _a_key(self) -> Self:
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
