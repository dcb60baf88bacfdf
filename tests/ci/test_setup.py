"""The set-up scripts say in one line what to install."""

import os
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


def script(folder: Path, name: str, body: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(0o755)


def run(name: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/bash", str(REPOSITORY / ".ci" / name)],
        env={"PATH": os.environ["PATH"], **environment},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("printed", "accepted"),
    [("17.0.15", True), ("21.0.2", True), ("11.0.2", False), ("1.8.0_392", False)],
)
def test_java_version(tmp_path: Path, printed: str, accepted: bool) -> None:
    (tmp_path / "bin").mkdir()
    script(tmp_path / "bin", "java", f"echo 'openjdk version \"{printed}\" 2025-04-15' >&2")
    done = run("check-java", JAVA_HOME=str(tmp_path))
    assert (done.returncode == 0) is accepted
    if not accepted:
        assert done.stderr.count("\n") == 1
        assert f"is Java {printed.split('.')[0]}): install it" in done.stderr


def test_missing_java(tmp_path: Path) -> None:
    done = run("check-java", JAVA_HOME=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "Java 17 is needed" in done.stderr


def test_wrong_python(tmp_path: Path) -> None:
    for name in ("python3.11", "python3.12", "python3", "python"):
        script(tmp_path, name, "echo 3.9")
    done = run("find-python", PATH=f"{tmp_path}:/usr/bin:/bin")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "Python 3.11 or 3.12 is needed (python3.11 is 3.9" in done.stderr


@pytest.mark.parametrize("printed", ["3.11", "3.12"])
def test_given_python_wins(tmp_path: Path, printed: str) -> None:
    program = f'case "$2" in *version*) echo {printed};; *) echo /opt/mine;; esac'
    script(tmp_path, "mine", program)
    done = run("find-python", PYTHON=str(tmp_path / "mine"))
    assert done.stdout == "/opt/mine\n"


@pytest.mark.parametrize(
    ("name", "told"), [("absent", "absent not found"), ("old", "old is 3.10"), ("bad", "is broken")]
)
def test_given_python_is_not_replaced_by_another(tmp_path: Path, name: str, told: str) -> None:
    script(tmp_path, "old", "echo 3.10")
    script(tmp_path, "bad", "exit 1")
    done = run("find-python", PYTHON=str(tmp_path / name))
    assert (done.returncode, done.stdout) == (1, "")
    assert told in done.stderr and "install it" in done.stderr


def planned(*command: str) -> str:
    """What `make` would run; also where `make test` itself runs this."""
    ours = {"ARGS", "CONF", "MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PYTHON", "RUN_DATE", "VENV"}
    done = subprocess.run(
        ["make", "-n", *command],
        cwd=REPOSITORY,
        env={name: value for name, value in os.environ.items() if name not in ours},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize(
    ("given", "folder"),
    [
        ([], ".venv"),
        (["PYTHON=python3.12"], ".venv-python3.12"),
        (["PYTHON=/opt/bin/python3.12"], ".venv-python3.12"),
    ],
)
def test_each_given_python_has_an_environment_of_its_own(given: list[str], folder: str) -> None:
    assert planned("test", *given).splitlines()[-1].startswith(f"{folder}/bin/python -m pytest")


def test_a_wheel_needs_neither_java_nor_an_environment() -> None:
    assert ".ci/uv build" in planned("wheel")
    assert ".ci/setup" not in planned("wheel")


@pytest.mark.parametrize(
    ("given", "passed"),
    [
        ([], "nightly --conf conf/simulated.yaml"),
        (["CONF=a.yaml b.yaml"], "nightly --conf a.yaml --conf b.yaml"),
    ],
)
def test_make_nightly_names_the_conf(given: list[str], passed: str) -> None:
    assert planned("nightly", *given).split("counterpoise ")[-1].strip() == passed
