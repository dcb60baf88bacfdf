"""The notebook runs the night that its widgets name."""

import runpy
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "nightly.py"


class Widgets:
    """Text widgets as dbutils has them; `given` is what a person or a job put in."""

    def __init__(self, given: dict[str, str]) -> None:
        self.given, self.values = given, dict[str, str]()

    def text(self, name: str, default: str, label: str) -> None:
        self.values[name] = self.given.get(name, default)

    def get(self, name: str) -> str:
        return self.values[name]


@pytest.mark.parametrize("code", [0, 3])
def test_the_notebook_runs_the_conf_and_run_date_of_its_widgets(
    code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[Sequence[str]] = []

    def run_command(arguments: Sequence[str]) -> int:
        called.append(arguments)
        return code

    monkeypatch.setattr("jobs.command.cli.run_command", run_command)
    widgets = Widgets({"conf": "/Volumes/a/b/c.yaml", "run_date": "2026-03-01"})
    failed = pytest.raises(RuntimeError, match="ended with exit code 3") if code else nullcontext()
    with failed:
        runpy.run_path(str(NOTEBOOK), {"dbutils": SimpleNamespace(widgets=widgets)})
    assert called == [["nightly", "--conf", "/Volumes/a/b/c.yaml", "--run-date", "2026-03-01"]]
