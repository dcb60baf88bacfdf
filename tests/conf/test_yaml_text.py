"""What a conf file or --set may hold, and the one line that answers the rest."""

from pathlib import Path

import pytest

from conf.errors import ConfError
from conf.load import load_conf
from conf.yaml_text import parse_yaml


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("run_date: 2026-02-30", "run_date (from x.yaml): Input should be a valid date"),
        ("run_date: 12026-01-01", "run_date (from x.yaml): Input should be a valid date"),
        ("run_date: !!timestamp 2026-02-30", "holds a value that is not what its tag says"),
        ("seed: !!bool perhaps", "holds a value that is not what its tag says"),
        ("seed: 1\nregions: [us]\nseed: 2", "line 3: key 'seed' stands here a second time"),
        ("value: {tau: 0.5, tau: 0.6}", "line 1: key 'tau' stands here a second time"),
        ("regions: &a [*a]", "found unconstructable recursive node"),
        ("spark: &a {options: *a}", "found unconstructable recursive node"),
        ("seed: " + "[" * 3_000, "is nested too deeply"),
        ("seed: \x00", "is not valid YAML"),
        ("seed: [1", "line 1: while parsing a flow sequence"),
        ("[us]: 1", "unhashable"),
        ("value: {tau: .inf}", "value.tau (from x.yaml): Input should be a finite number"),
        ("value: {tau: .nan}", "value.tau (from x.yaml): Input should be a finite number"),
    ],
)
def test_a_wrong_file_is_one_line_that_names_it(tmp_path: Path, text: str, line: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(ConfError) as raised:
        load_conf([path])
    message = str(raised.value)
    assert "x.yaml" in message and line in message and "\n" not in message


@pytest.mark.parametrize("setting", ["x=2026-13-45", "seed=[[", "seed={a: 1, a: 2}", "seed=.nan"])
def test_a_wrong_setting_is_one_line_that_names_it(setting: str) -> None:
    with pytest.raises(ConfError) as raised:
        load_conf(settings=[setting])
    assert setting.partition("=")[0] in str(raised.value) and "\n" not in str(raised.value)


def test_a_folder_and_an_unreadable_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfError, match=r"cannot be read: Is a directory; name a YAML file"):
        load_conf([tmp_path])
    loop = tmp_path / "loop.yaml"
    loop.symlink_to(loop)
    with pytest.raises(ConfError, match=r"loop\.yaml cannot be read"):
        load_conf([loop])


def test_anchors_merge_keys_and_dates_as_text() -> None:
    text = "a: &a {x: 1}\nb: {<<: *a, x: 2}\nc: *a\nd: 2026-03-01\n"
    assert parse_yaml(text, "text") == {
        "a": {"x": 1},
        "b": {"x": 2},
        "c": {"x": 1},
        "d": "2026-03-01",
    }
