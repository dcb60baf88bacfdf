"""Reads the YAML layers of a run into the typed tree and remembers where each value came from.

Layers, later ones win: the defaults of `conf.schema`, each `--conf` file in order, each
`--set key.path=value` in order, `--run-date`. The defaults name no source and no run date.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from conf.errors import ConfError as ConfError
from conf.explain import explain_errors, origin_of
from conf.schema import Conf
from conf.sections.source import SourceConf
from conf.variables import expand_variables, restore_names
from conf.yaml_text import parse_setting, read_yaml

SIMULATED = Path(__file__).with_name("simulated.yaml")
"""The simulated market: what `make nightly`, benches and tests run on."""
Tree = TypeVar("Tree", bound=BaseModel)


@dataclass(frozen=True)
class Layers(Generic[Tree]):
    """Merged layers.

    Attributes:
        tree: validated, with the values of variables.
        origins: the layer that set a dotted key.
        written: the merged content before `${NAME}` was replaced by a value.
    """

    tree: Tree
    origins: Mapping[str, str]
    written: Mapping[str, Any]


@dataclass(frozen=True)
class ResolvedConf:
    """A validated tree, where its values came from, and how this run was asked for.

    `allow_shrink` names the tables that may lose rows this once. It is no part of the tree, so that
    the hash stays the same, and the next night does not allow it.
    """

    tree: Conf
    origins: Mapping[str, str] = field(default_factory=dict)
    dry_run: bool = False
    written: Mapping[str, Any] = field(default_factory=dict, repr=False)
    allow_shrink: frozenset[str] = frozenset()

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
        """The tree as plain values, as it is kept and shown: `${NAME}` for what NAME gave."""
        shown: dict[str, Any] = restore_names(self.tree.model_dump(mode="json"), self.written)
        return shown

    @property
    def hash(self) -> str:
        """First 16 hex digits of the sha256 of the canonical JSON of the tree.

        Of the values that variables gave, too: another value is another conf, though both are
        shown by the same name. The value cannot be read from the digits.
        """
        return section_hash(self.tree.model_dump(mode="json"))


def section_hash(value: Any) -> str:
    """Hash `value` as canonical JSON: the first 16 hex digits of its sha256."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def load_conf(
    layers: Sequence[str | Path] = (),
    settings: Sequence[str] = (),
    run_date: str | None = None,
    dry_run: bool = False,
    allow_shrink: Iterable[str] = (),
) -> ResolvedConf:
    """Resolve the layers into one tree.

    Raises:
        ConfError: unreadable file, unknown key (the nearest valid one is named), wrong value.
    """
    contents = [(path.name, read_yaml(path)) for path in map(Path, layers)]
    contents += [(f"--set {s.partition('=')[0]}", parse_setting(s)) for s in settings]
    if run_date is not None:
        contents.append(("--run-date", {"run_date": run_date}))
    merged = load_layers(Conf, contents)
    shrink = frozenset(allow_shrink)
    return ResolvedConf(merged.tree, merged.origins, dry_run, merged.written, shrink)


def load_layers(
    model: type[Tree], contents: Sequence[tuple[str, Mapping[str, Any]]], variables: bool = True
) -> Layers[Tree]:
    """Merge (name, content) layers, later ones win, into a validated tree.

    Args:
        model: class of the tree.
        contents: name and content of each layer.
        variables: false: `${NAME}` stays in the tree as it is written.

    Raises:
        ConfError: unknown key (the nearest valid one is named), wrong value.
    """
    merged: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for name, content in contents:
        _merge_layer(merged, content, name, origins)
    values = merged
    if variables:
        values = expand_variables(merged, lambda key: f"from {origin_of(key, origins)}")
    try:
        return Layers(model.model_validate(values), origins, merged)
    except ValidationError as error:
        raise ConfError(explain_errors(error, model, origins, merged)) from None


def flatten_tree(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Flatten a dumped tree to dotted keys and plain values, in the order of the schema."""
    return dict(_iterate_leaves(tree, ""))


def _iterate_leaves(value: Any, prefix: str) -> Iterable[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _iterate_leaves(inner, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value


def _merge_layer(
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
            _merge_layer(old, value, origin, origins, path)
            continue
        for replaced in [k for k in origins if k == path or k.startswith(f"{path}.")]:
            del origins[replaced]
        into[key] = {} if isinstance(value, dict) else value
        if isinstance(value, dict) and value:
            _merge_layer(into[key], value, origin, origins, path)
        else:
            origins[path] = origin


def _changes_kind(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Return whether another kind of source replaces the section: the new kind has other keys."""
    return "kind" in new and new["kind"] != old.get("kind")
