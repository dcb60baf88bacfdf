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
    for name in ("python3.11", "python3", "python"):
        script(tmp_path, name, "echo 3.9")
    done = run("find-python", PATH=f"{tmp_path}:/usr/bin:/bin")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "Python 3.11 is needed (python3.11 is 3.9" in done.stderr


def test_given_python_wins(tmp_path: Path) -> None:
    script(tmp_path, "mine", 'case "$2" in *version*) echo 3.11;; *) echo /opt/mine;; esac')
    done = run("find-python", PYTHON=str(tmp_path / "mine"))
    assert done.stdout == "/opt/mine\n"
