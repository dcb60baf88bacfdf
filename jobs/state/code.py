"""Which code runs: the hash of our packages' sources, read where Python imported them from."""

import hashlib
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

_PACKAGES = ("conf", "features", "model", "udfs", "jobs")


@cache
def code_hash() -> str:
    """Hash the packages' sources, in a folder as in a zip: a changed function runs its step again.

    A zip (`spark-submit --py-files counterpoise-*.whl`) has no files to open, so the sources are
    read through importlib.
    """
    digest = hashlib.sha256()
    for package in _PACKAGES:
        for name, content in _sources(files(package), package):
            digest.update(name.encode())
            digest.update(content)
    return digest.hexdigest()[:16]


def _sources(folder: Traversable, name: str) -> Iterator[tuple[str, bytes]]:
    """Yield (path below the top folder, content) of each module, in the order of the paths."""
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        path = f"{name}/{entry.name}"
        if entry.is_dir():
            yield from _sources(entry, path)
        elif path.endswith(".py"):
            yield path, entry.read_bytes()
