"""Reads the YAML layers of a run into the typed tree and remembers where each value came from.

Layers, later ones win: the defaults of `conf.schema`, each `--conf` file in order, each
`--set key.path=value` in order, `--run-date`. The defaults name no source and no run date.
"""

import difflib
import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from conf.errors import UserError
from conf.schema import Conf
from conf.sections.source import SourceConf

SIMULATED = Path(__file__).with_name("simulated.yaml")
"""The simulated market: what `make nightly`, benches and tests run on."""
Tree = TypeVar("Tree", bound=BaseModel)
_VARIABLE = re.compile(r"\$\{([A-Z_][A-Z0-9_]*)(?::-([^}]*))?\}")


class ConfError(UserError, ValueError):
    """The configuration cannot be used; the message names the key or file and the mend."""


@dataclass(frozen=True)
class ResolvedConf:
    """A validated tree, where its values came from, and how this run was asked for."""

    tree: Conf
    origins: Mapping[str, str] = field(default_factory=dict)
    dry_run: bool = False

    @property
    def run_date(self) -> date:
        """The run date. Raises ConfError where neither an argument nor a file gives one."""
        if self.tree.run_date is None:
            raise ConfError(
                "no run date: pass --run-date YYYY-MM-DD or set run_date in a conf file"
            )
        return self.tree.run_date

    @property
    def source(self) -> SourceConf:
        """The section of the raw data. Raises ConfError where no layer names one."""
        if self.tree.source is None:
            raise ConfError(
                "conf names no source: give --conf FILE with a section `source` (conf/tables.yaml "
                "for tables of your own, conf/simulated.yaml for the simulated market)"
            )
        return self.tree.source

    @property
    def shown(self) -> dict[str, Any]:
        """The tree as plain values, as it is kept and shown."""
        return self.tree.model_dump(mode="json")

    @property
    def hash(self) -> str:
        """First 16 hex digits of the sha256 of the canonical JSON of the tree."""
        return section_hash(self.tree.model_dump(mode="json"))


def section_hash(value: Any) -> str:
    """First 16 hex digits of the sha256 of `value` as canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def load_conf(
    layers: Sequence[str | Path] = (),
    settings: Sequence[str] = (),
    run_date: str | None = None,
    dry_run: bool = False,
) -> ResolvedConf:
    """Resolve the layers into one tree.

    Raises:
        ConfError: unreadable file, unknown key (the nearest valid one is named), wrong value.
    """
    contents = [(path.name, read_yaml(path)) for path in map(Path, layers)]
    contents += [(f"--set {s.partition('=')[0]}", parse_setting(s)) for s in settings]
    if run_date is not None:
        contents.append(("--run-date", {"run_date": run_date}))
    tree, origins = load_layers(Conf, contents)
    return ResolvedConf(tree=tree, origins=origins, dry_run=dry_run)


def load_layers(
    model: type[Tree], contents: Sequence[tuple[str, Mapping[str, Any]]]
) -> tuple[Tree, dict[str, str]]:
    """Merge (name, content) layers, later ones win, into a validated tree and its origins.

    Raises:
        ConfError: unknown key (the nearest valid one is named), wrong value.
    """
    merged: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for name, content in contents:
        _merge(merged, content, name, origins)
    try:
        return model.model_validate(_expand(merged)), origins
    except ValidationError as error:
        raise ConfError(_explain(error, origins, model)) from None


def flatten(tree: Mapping[str, Any]) -> dict[str, Any]:
    """A dumped tree as dotted keys and plain values, in the order of the schema."""
    return dict(_leaves(tree, ""))


def origin_of(key: str, origins: Mapping[str, str]) -> str:
    """Where the value of a dotted key came from: the longest prefix that a layer set."""
    parts = key.split(".")
    for end in range(len(parts), 0, -1):
        found = origins.get(".".join(parts[:end]))
        if found is not None:
            return found
    return "schema default"


def _leaves(value: Any, prefix: str) -> Iterable[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; raises ConfError where it is none."""
    try:
        return _parse_yaml(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError:
        raise ConfError(f"conf file {path} does not exist") from None
    except UnicodeDecodeError as error:
        raise ConfError(f"conf file {path} is not UTF-8: {error}") from None


def _parse_yaml(text: str, name: str) -> dict[str, Any]:
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfError(f"conf file {name} is not valid YAML: {error}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfError(f"conf file {name} must hold a mapping, not a {type(content).__name__}")
    return content


def parse_setting(setting: str) -> dict[str, Any]:
    """`a.b=c` as a nested mapping, c read as YAML; raises ConfError where it is none."""
    key, equals, text = setting.partition("=")
    if not equals or not key:
        raise ConfError(f"--set {setting!r}: write it as key.path=value")
    try:
        value: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfError(f"--set {setting!r}: the value is not YAML: {error}") from None
    for part in reversed(key.split(".")):
        value = {part: value}
    return dict(value)


def _merge(
    into: dict[str, Any],
    layer: Mapping[str, Any],
    origin: str,
    origins: dict[str, str],
    at: str = "",
) -> None:
    for key, value in layer.items():
        path = f"{at}.{key}" if at else str(key)
        old = into.get(key)
        if isinstance(value, dict) and isinstance(old, dict) and not _changes_kind(old, value):
            _merge(old, value, origin, origins, path)
            continue
        for known in [k for k in origins if k == path or k.startswith(f"{path}.")]:
            del origins[known]
        into[key] = {} if isinstance(value, dict) else value
        if isinstance(value, dict) and value:
            _merge(into[key], value, origin, origins, path)
        else:
            origins[path] = origin


def _changes_kind(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Another kind of source replaces the section: its keys mean nothing to the new kind."""
    return "kind" in new and new["kind"] != old.get("kind")


def _expand(value: Any) -> Any:
    """Replace ${NAME} and ${NAME:-default} in text by environment variables."""
    if isinstance(value, dict):
        return {key: _expand(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_expand(inner) for inner in value]
    if isinstance(value, str):
        return _VARIABLE.sub(_variable, value)
    return value


def _variable(match: re.Match[str]) -> str:
    name, default = match.group(1), match.group(2)
    found = os.environ.get(name) or default
    if found is None:
        raise ConfError(f"${{{name}}} is used in a conf file but {name} is not set")
    return found


def _explain(error: ValidationError, origins: Mapping[str, str], model: type[BaseModel]) -> str:
    lines = []
    for detail in error.errors():
        key = ".".join(str(part) for part in _without_kinds(detail["loc"]))
        where = f" (from {origin_of(key, origins)})" if key else ""
        lines.append(f"{key}{where}: {_reason(detail, model)}")
    return "\n".join(lines)


def _reason(detail: ErrorDetails, model: type[BaseModel]) -> str:
    if detail["type"] == "union_tag_not_found":
        return f"its `kind` is missing: one of {', '.join(_source_models())}"
    if detail["type"] != "extra_forbidden":
        return f"{detail['msg']}, given {detail['input']!r}"
    *parents, wrong = _without_kinds(detail["loc"])
    valid = _fields_at(model, parents, detail["loc"])
    near = difflib.get_close_matches(str(wrong), valid, n=1, cutoff=0.0)
    full = ".".join([*map(str, parents), near[0]]) if near else "none"
    return f"unknown key; the nearest valid one is {full}"


def _without_kinds(loc: tuple[int | str, ...]) -> list[int | str]:
    """Drop the discriminator that pydantic puts into the location behind `source`."""
    parts = list(loc)
    if len(parts) > 1 and parts[0] == "source" and parts[1] in _source_models():
        del parts[1]
    return parts


def _fields_at(
    root: type[BaseModel], parents: Sequence[int | str], loc: tuple[int | str, ...]
) -> list[str]:
    model: Any = root
    for part in parents:
        if part == "source" and len(loc) > 1 and loc[1] in _source_models():
            model = _source_models()[str(loc[1])]
            continue
        info = getattr(model, "model_fields", {}).get(part)
        model = _model_in(info.annotation) if info is not None else model
    return list(getattr(model, "model_fields", {}))


def _model_in(annotation: Any) -> Any:
    """The section class inside an annotation such as X, X | None or dict[str, X]."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in get_args(annotation):
        found = _model_in(inner)
        if found is not None:
            return found
    return None


def _source_models() -> dict[str, type[BaseModel]]:
    kinds, _ = get_args(SourceConf)
    return {model.model_fields["kind"].default: model for model in get_args(kinds)}
