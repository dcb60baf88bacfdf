"""Lists every key of the conf as a page in Markdown; `docs/conf_keys.md` holds it."""

from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from conf.explain import source_models
from conf.schema import Conf

_HEAD = """# Every key of the conf

This page is written by `make docs` from the conf's own classes. A key is set in a YAML file
(`--conf FILE`, later files win) or with `--set KEY=VALUE`; `counterpoise show-conf` tells the value
of each key of a run and where it came from.
"""
_WORDS = {"str": "text", "int": "whole number", "float": "number", "bool": "true or false"}
_COLUMNS = "| key | type | default | what it is |\n| --- | --- | --- | --- |\n"


def key_page() -> str:
    """Give one table per section of the conf, one row per key; each kind of source has its own."""
    plain = [name for name, field in Conf.model_fields.items() if not _list_sections(field)]
    tables = [("The top", list(_render_rows(Conf, "", only=plain)))]
    for name, field in Conf.model_fields.items():
        if name == "source":
            kinds = source_models().items()
            tables += [
                (f"source, kind: {kind}", list(_render_rows(m, "source."))) for kind, m in kinds
            ]
        elif _list_sections(field):
            tables.append((name, list(_render_rows(_list_sections(field)[0], f"{name}."))))
    return _HEAD + "".join(f"\n## {title}\n\n{_COLUMNS}{''.join(r)}" for title, r in tables)


def _render_rows(
    model: type[BaseModel], prefix: str, only: list[str] | None = None
) -> Iterator[str]:
    for name, field in model.model_fields.items():
        if only is not None and name not in only:
            continue
        nested = _list_sections(field)
        origin = get_origin(field.annotation)
        each = "NAME." if origin is dict else "N." if origin is tuple else ""
        if each or len(nested) != 1:
            kind, default = _describe_type(field.annotation), _describe_default(field)
            description = _escape_cell(field.description or "")
            yield f"| `{prefix}{name}` | {kind} | {default} | {description} |\n"
        if len(nested) == 1:
            yield from _render_rows(nested[0], f"{prefix}{name}.{each}")


def _list_sections(field: FieldInfo) -> list[type[BaseModel]]:
    """List the sections inside a field's annotation: one for a nested section, several for a
    choice.
    """
    return list(_iterate_models(field.annotation))


def _iterate_models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        if not isinstance(inner, str | int | float):
            yield from _iterate_models(inner)


def _describe_type(annotation: Any) -> str:
    """Describe the type as a reader of YAML says it."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _describe_type(inner[0])
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in inner)
    if origin in (Union, UnionType):
        return " or ".join("null" if part is NoneType else _describe_type(part) for part in inner)
    if origin is tuple:
        return f"list of {_describe_type(inner[0])}"
    if origin is dict:
        return f"map of {_describe_type(inner[1])}"
    name = str(getattr(annotation, "__name__", annotation))
    return _WORDS.get(name, name)


def _describe_default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, BaseModel):
        return "its keys'"
    return f"`{_escape_cell(_render_value(value))}`"


def _render_value(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_render_value, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_render_value(one)}' for key, one in value.items())}}}"
    return str(value) or "''"


def _escape_cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
