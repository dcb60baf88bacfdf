"""Values from the environment: `${NAME}` and `${NAME:-default}` in the text of a conf.

They may be secrets. A run uses the values; what is kept and shown has the names in their place.
"""

import os
import re
from collections.abc import Callable, Mapping
from typing import Any

from conf.errors import ConfError

_VARIABLE = re.compile(r"\$\{([A-Z_][A-Z0-9_]*)(?::-([^}]*))?\}")


def expand_variables(written: Any, where: Callable[[str], str]) -> Any:
    """Replace the variables of a conf as written by their values.

    Raises:
        ConfError: a variable is not set and has no default; `where` names the layer that a dotted
            key is from.
    """

    def look_up_value(match: re.Match[str], key: str) -> str:
        text = os.environ.get(match[1]) or match[2]
        if text is None:
            place = f"{key} ({where(key)})" if key else where(key)
            raise ConfError(
                f"{place}: {match[0]} is used, and {match[1]} is not set: set it, or "
                f"write ${{{match[1]}:-default}}"
            )
        return text

    return _replace_variables(written, look_up_value, "")


def restore_names(dumped: Any, written: Any) -> Any:
    """Put back the text as written wherever the environment gave a part of a dumped value.

    A default that was taken stood in the conf itself, and is shown.
    """
    if isinstance(written, str):
        text = _VARIABLE.sub(_name_or_default, written)
        return text if _VARIABLE.search(text) else dumped
    if isinstance(dumped, Mapping) and isinstance(written, Mapping):
        texts = {str(key): value for key, value in written.items()}
        return {key: restore_names(value, texts.get(str(key))) for key, value in dumped.items()}
    if isinstance(dumped, list) and isinstance(written, list) and len(dumped) == len(written):
        return [restore_names(value, text) for value, text in zip(dumped, written, strict=True)]
    return dumped


def _name_or_default(match: re.Match[str]) -> str:
    return match[0] if os.environ.get(match[1]) else match[2] or match[0]


def _replace_variables(value: Any, by: Callable[[re.Match[str], str], str], key: str) -> Any:
    if isinstance(value, dict):
        at = f"{key}." if key else ""
        return {name: _replace_variables(inner, by, f"{at}{name}") for name, inner in value.items()}
    if isinstance(value, list):
        return [_replace_variables(inner, by, key) for inner in value]
    if isinstance(value, str):
        return _VARIABLE.sub(lambda match: by(match, key), value)
    return value
