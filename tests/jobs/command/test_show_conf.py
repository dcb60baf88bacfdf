"""show-conf: whole in a pipe, a file that --conf takes again, and no secret."""

import json
from pathlib import Path

import pytest

from conf.load import SIMULATED, flatten_tree, load_conf
from jobs.command.cli import run_command

SETTINGS = ("trainer.learning_rate=1e-05", "value.by_region={us: {relevance: 2.0}}", "regions=[us]")
ARGUMENTS = ["show-conf", "--conf", str(SIMULATED), *(x for s in SETTINGS for x in ("--set", s))]


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_a_shown_conf_is_taken_again(
    form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command([*ARGUMENTS, "--format", form]) == 0
    again = tmp_path / f"shown.{form}"
    again.write_text(capsys.readouterr().out)
    assert load_conf([again]).hash == load_conf([SIMULATED], SETTINGS).hash
    if form == "json":
        assert json.loads(again.read_text())["regions"] == ["us"]


def test_the_table_is_whole_in_a_pipe(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    run_command(ARGUMENTS)
    cells = [line.strip("│ ").split("│") for line in capsys.readouterr().out.splitlines()]
    shown = {row[0].strip(): row[1].strip() for row in cells if len(row) == 3}
    expected = flatten_tree(load_conf([SIMULATED], SETTINGS).shown)
    assert shown == {key: str(value) for key, value in expected.items()}


def test_no_secret_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_PASSWORD", "hunter2")
    for form in ("table", "yaml", "json"):
        uri = "tracking.uri=https://me:${MLFLOW_PASSWORD}@mlflow"
        assert run_command(["show-conf", "--set", uri, "--format", form]) == 0
        out = capsys.readouterr().out
        assert "hunter2" not in out and "${MLFLOW_PASSWORD}" in out
