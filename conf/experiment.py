"""Reads a file of conf/experiments: its own keys, the quick profile, and --set on top."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conf.errors import ConfError
from conf.load import ResolvedConf, load_conf, load_layers
from conf.sections.experiment import ArmConf, DataConf, ExperimentConf, Settings
from conf.variables import expand_variables
from conf.yaml_text import parse_setting, read_yaml

OWN = "experiment."
ROOT = "warehouse/experiments"
QUICK = "quick"
_RUN_DATE = "2026-03-01"
"""Of an experiment's own tables and reports: it serves no day."""


@dataclass(frozen=True)
class Experiment:
    """A validated experiment, the folder that its paths start from, and settings of every arm.

    Its conf keeps `${NAME}` as written: a value enters where a path or a conf is made from it.
    """

    conf: ExperimentConf
    folder: Path
    settings: tuple[str, ...]

    @property
    def outputs(self) -> ResolvedConf:
        """The conf of the tables and folders: ROOT unless --set names another storage root."""
        settings = [f"storage.root={ROOT}", f"run_date={_RUN_DATE}", *self.settings]
        return load_conf(settings=settings)

    def data_conf(self, data: DataConf) -> ResolvedConf:
        """Resolve the conf of a data set, as its snapshot is made from it.

        Raises:
            ConfError: as `load_conf`.
        """
        settings = [f"storage.root={ROOT}", *as_settings(data.set), *self.settings]
        return load_conf(self._layers(data), settings)

    def arm_conf(self, data: DataConf, arm: ArmConf, more: Settings) -> ResolvedConf:
        """Resolve the conf of a training: base, data set, arm, a trial's settings and seed, --set.

        Raises:
            ConfError: as `load_conf`; an unknown part is named like any other wrong value.
        """
        base = [
            f"storage.root={ROOT}",
            *as_settings(self.conf.base),
            *as_settings(data.set),
            *self.settings,
        ]
        settings = [*base, *as_settings(arm.settings), *as_settings(more)]
        return load_conf(self._layers(data), settings)

    def _layers(self, data: DataConf) -> list[Path]:
        return [self.folder / _expand_text(name) for name in data.files]

    def given_snapshot(self, data: DataConf) -> Path | None:
        """Return the folder of the snapshot that a data set names; None where it is made from the
        conf.
        """
        return Path(_expand_text(data.folder)) if data.folder else None


def load_experiment(path: Path, quick: bool, settings: Sequence[str]) -> Experiment:
    """Load the experiment in a file.

    Args:
        path: YAML with the keys of ExperimentConf and, under `quick`, those that the quick
            profile changes.
        quick: take that profile; its name ends in "-quick".
        settings: `experiment.a.b=c` changes the experiment, `a.b=c` the conf of every arm.

    Raises:
        ConfError: unreadable file, unknown key, wrong value.
    """
    content = read_yaml(path)
    profile = content.pop(QUICK, None)
    layers: list[tuple[str, Mapping[str, Any]]] = [(path.name, content)]
    if quick:
        if not isinstance(profile, dict):
            raise ConfError(f"experiment {path} has no quick profile (a mapping under `quick`)")
        layers.append((f"{path.name}, quick", profile))
        layers.append((f"{path.name}, quick", {"name": f"{content.get('name')}-quick"}))
    changes = [s.removeprefix(OWN) for s in settings if s.startswith(OWN)]
    layers += [(f"--set {OWN}{s.partition('=')[0]}", parse_setting(s)) for s in changes]
    conf = load_layers(ExperimentConf, layers, variables=False).tree
    rest = tuple(s for s in settings if not s.startswith(OWN))
    return Experiment(conf, path.absolute().parent, rest)


def _expand_text(text: str) -> str:
    return str(expand_variables(text, lambda _: "a path of the experiment"))


def as_settings(settings: Mapping[str, Any]) -> list[str]:
    """Write dotted keys and plain values as `key=value`, the value as JSON (which is YAML)."""
    return [f"{key}={json.dumps(value)}" for key, value in settings.items()]
