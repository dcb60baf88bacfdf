"""Whether a model or snapshot directory is still what a step recorded of it.

A file is looked at by size and time of change first, so that a night in which nothing changed reads
none of them; one that differs in either is read, and its sha256 compared. What a disk garbles
without a change of time is seen where the file is read: its reader compares the sha256, too.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model.files import file_sha256

MANIFEST = "manifest.json"
Stamps = dict[str, Any]


def stamps_of(folder: Path, name: str) -> Stamps | None:
    """Return the version in the manifest and [size, time of change, sha256] of each file that it
    names.

    None where there is no readable manifest.
    """
    manifest = find_manifest(folder)
    if manifest is None or f"{name}_version" not in manifest:
        return None
    digests = {MANIFEST: file_sha256(folder / MANIFEST), **_list_digests(manifest)}
    return {
        "version": str(manifest[f"{name}_version"]),
        "files": {path: [*_read_stamp(folder / path), digest] for path, digest in digests.items()},
    }


def why_changed(folder: Path, stamps: Stamps) -> str | None:
    """Return what differs from the stamps, or None."""
    for name, (*stamp, digest) in stamps["files"].items():
        path = folder / name
        if not path.is_file():
            return f"{path} is gone"
        if stamp != _read_stamp(path) and file_sha256(path) != digest:
            return f"{path} is not what was written"
    return None


def find_manifest(folder: Path) -> dict[str, Any] | None:
    """Read the manifest; None where it is missing or damaged."""
    try:
        content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _list_digests(manifest: Mapping[str, Any]) -> dict[str, str]:
    """List sha256 by file: of a model's manifest, or of a snapshot's."""
    files = dict(manifest.get("files", {}))
    for split in manifest.get("splits", {}).values():
        files |= {entry["path"]: entry["sha256"] for entry in split["files"]}
    return files


def _read_stamp(path: Path) -> list[int]:
    """Read size and time of change; nothing for a missing file."""
    if not path.is_file():
        return []
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns]
