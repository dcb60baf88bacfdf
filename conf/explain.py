"""Tells what is wrong with a conf: one line per key, with the layer that the value came from."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from conf.sections.source import SourceConf


def explain_errors(
    error: ValidationError,
    model: type[BaseModel],
    origins: Mapping[str, str],
    written: Mapping[str, Any],
) -> str:
    """Explain each key that is wrong in one line.

    Args:
        error: what pydantic said of the tree.
        model: the class of the tree.
        origins: the layer that set a dotted key.
        written: the tree as written: its names of variables are shown, not their values.
    """
    lines = []
    for detail in error.errors():
        parts = _without_kinds(detail["loc"])
        if not parts:  # of the whole tree: the message names its keys
            lines.append(detail["msg"].removeprefix("Value error, "))
            continue
        key = ".".join(map(str, parts))
        lines.append(
            f"{key} (from {origin_of(key, origins)}): {_explain_detail(detail, model, written)}"
        )
    return "\n".join(lines)


def origin_of(key: str, origins: Mapping[str, str]) -> str:
    """Return where the value of a dotted key came from: the longest prefix that a layer set."""
    parts = key.split(".")
    for end in range(len(parts), 0, -1):
        origin = origins.get(".".join(parts[:end]))
        if origin is not None:
            return origin
    return "schema default"


def _explain_detail(
    detail: ErrorDetails, model: type[BaseModel], written: Mapping[str, Any]
) -> str:
    if detail["type"] == "union_tag_not_found":
        return f"its `kind` is missing: one of {', '.join(source_models())}"
    parts = _without_kinds(detail["loc"])
    if detail["type"] != "extra_forbidden":
        return f"{detail['msg']}{_describe_given(parts, written)}"
    *parents, wrong = parts
    valid = _fields_at(model, parents, detail["loc"])
    near = difflib.get_close_matches(str(wrong), valid, n=1, cutoff=0.0)
    full = ".".join([*map(str, parents), near[0]]) if near else "none"
    return f"unknown key; the nearest valid one is {full}"


def _describe_given(parts: Sequence[int | str], written: Any) -> str:
    """Describe the value as written at a location; nothing where none was."""
    value: Any = written
    for part in parts:
        try:
            value = value[part]
        except (LookupError, TypeError):
            return ""
    return f", given {value!r}"


def _without_kinds(loc: tuple[int | str, ...]) -> list[int | str]:
    """Drop the discriminator that pydantic puts into the location behind `source`."""
    parts = list(loc)
    if len(parts) > 1 and parts[0] == "source" and parts[1] in source_models():
        del parts[1]
    return parts


def _fields_at(
    root: type[BaseModel], parents: Sequence[int | str], loc: tuple[int | str, ...]
) -> list[str]:
    model: Any = root
    for part in parents:
        if part == "source" and len(loc) > 1 and loc[1] in source_models():
            model = source_models()[str(loc[1])]
            continue
        info = getattr(model, "model_fields", {}).get(part)
        model = _model_in(info.annotation) if info is not None else model
    return list(getattr(model, "model_fields", {}))


def _model_in(annotation: Any) -> Any:
    """Find the section class inside an annotation such as X, X | None or dict[str, X]."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in get_args(annotation):
        section = _model_in(inner)
        if section is not None:
            return section
    return None


def source_models() -> dict[str, type[BaseModel]]:
    """Give the section of each kind of source."""
    kinds, _ = get_args(SourceConf)
    return {model.model_fields["kind"].default: model for model in get_args(kinds)}
