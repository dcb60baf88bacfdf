"""The code hash sees a changed function, in a checkout as in a zipped wheel."""

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

from model.files import source_hash

REPOSITORY = Path(__file__).parents[2]
PACKAGES = ("conf", "features", "model", "udfs", "jobs")
# Without site-packages: what is imported can only come from the zip.
PROGRAM = "import sys; sys.path.insert(0, sys.argv[1]); from model import files; \
print(files.__file__, files.source_hash())"


def zipped(path: Path, added: str = "") -> Path:
    """Our packages as `--py-files` gets them; `added` is a line more in one module."""
    with ZipFile(path, "w") as zipped:
        for source in (p for package in PACKAGES for p in (REPOSITORY / package).rglob("*.py")):
            name = str(source.relative_to(REPOSITORY))
            more = added if name == "features/split.py" else ""
            zipped.writestr(name, source.read_text(encoding="utf-8") + more)
    return path


def hash_inside(path: Path) -> str:
    command = [sys.executable, "-I", "-S", "-c", PROGRAM, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    place, found = done.stdout.split()
    assert place.startswith(str(path))
    return found


def test_a_zipped_wheel_has_the_hash_of_its_sources(tmp_path: Path) -> None:
    assert hash_inside(zipped(tmp_path / "same.whl")) == source_hash()
    assert hash_inside(zipped(tmp_path / "mended.whl", "# mended\n")) != source_hash()
