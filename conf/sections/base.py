"""What every section of the tree shares."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A frozen section: unknown keys are errors, defaults are validated like given values, and a
    number is finite."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False
    )


def refuse_moved_keys(given: Any, moved: Mapping[str, str]) -> Any:
    """Return the given values of a section, if none is of a key that an earlier version had.

    Args:
        moved: what stands in the place of each key.

    Raises:
        ValueError: such a key is given.
    """
    for key, place in moved.items():
        if isinstance(given, Mapping) and key in given:
            raise ValueError(f"the key {key} of an earlier version is now {place}")
    return given
