"""Hashes, files and folders that appear whole or not at all, and JSON checked as it is read.

Only what Python brings is imported here: Spark's workers and the command line read this, too.
"""

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

SHORT = 16
"""Hex digits of a version: 64 bits, so that a table of millions of versions has no two alike."""
PACKAGES = ("conf", "features", "model", "udfs", "jobs")


def short_hash(text: str) -> str:
    """Hash a text: the first hex digits of its sha256."""
    return hashlib.sha256(text.encode()).hexdigest()[:SHORT]


def file_sha256(path: Path) -> str:
    """Hash a file's bytes, read in pieces: sha256 in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@cache
def source_hash(packages: tuple[str, ...] = PACKAGES) -> str:
    """Hash the sources of our packages: a changed function runs its step again.

    A zip (`spark-submit --py-files counterpoise-*.whl`) has no files to open, so the sources are
    read through importlib.
    """
    digest = hashlib.sha256()
    for package in packages:
        for name, content in _list_sources(files(package), package):
            digest.update(name.encode())
            digest.update(content)
    return digest.hexdigest()[:SHORT]


@contextmanager
def new_file(path: Path, mode: int = 0o666) -> Iterator[Path]:
    """Give the place of a file to write, which takes the place of `path` when the block ends well.

    Args:
        path: missing folders are made.
        mode: permissions, less those that the umask takes.

    Raises:
        OSError: the file cannot be written; no part of it is left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.touch(mode)
        yield partial
        partial.replace(path)
    except BaseException:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str, mode: int = 0o666) -> None:
    """Write a small file so that a reader sees the old or the new one, never half of it.

    Raises:
        OSError: as `new_file`.
    """
    with new_file(path, mode) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(
    path: Path, content: Mapping[str, Any], default: Callable[[Any], str] | None = None
) -> None:
    """Write a small JSON file as `write_text` does.

    Args:
        default: writes a value that JSON lacks.

    Raises:
        TypeError: there is such a value, and no `default`.
        OSError: as `new_file`.
    """
    write_text(path, json.dumps(content, indent=1, default=default) + "\n")


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Give a new folder, which takes the place of `folder` when the block ends well.

    A kill between the two renames leaves no folder, never half of one; what a killed run left is
    removed.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    for stale in folder.parent.glob(f".{folder.name}.*-????????"):
        shutil.rmtree(stale)
    new, old = (
        folder.with_name(f".{folder.name}.{what}-{uuid.uuid4().hex[:8]}") for what in ("new", "old")
    )
    new.mkdir()
    try:
        yield new
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise


def read_json(path: Path, error: type[Exception], mend: str = "") -> Any:
    """Read a JSON file that exists.

    Raises:
        error: it is damaged; the message names it and, where given, the mend.
    """
    try:
        return json.loads(path.read_bytes())
    except ValueError as fault:  # of JSON or of UTF-8
        raise error(f"{path} is damaged ({fault}){mend and f': {mend}'}") from fault


def _list_sources(folder: Traversable, name: str) -> Iterator[tuple[str, bytes]]:
    """Yield (path below the top folder, content) of each module, in the order of the paths."""
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        path = f"{name}/{entry.name}"
        if entry.is_dir():
            yield from _list_sources(entry, path)
        elif path.endswith(".py"):
            yield path, entry.read_bytes()
