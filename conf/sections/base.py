"""What every section of the tree shares."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A frozen section: unknown keys are errors, defaults are validated like given values."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)
