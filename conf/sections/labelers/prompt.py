"""What the labelers that read a prompt share."""

from pydantic import Field

from conf.sections.base import Section


class PromptConf(Section):
    """The template that asks for a grade, and how much of a text goes into it."""

    file: str | None = Field(
        None, description="JSON file of a template; null: the template of this version"
    )
    max_query_chars: int = Field(
        120, ge=8, le=10_000, description="characters kept of a query (count)"
    )
    max_item_chars: int = Field(
        300, ge=8, le=10_000, description="characters kept of an item's text (count)"
    )
