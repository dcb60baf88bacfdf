"""Which code trained: a hash of the source of `conf` and `model`."""

import hashlib
from functools import cache
from pathlib import Path

_ROOT = Path(__file__).parents[2]


@cache
def source_hash() -> str:
    """First 16 hex digits of the sha256 over the Python files of the two packages."""
    digest = hashlib.sha256()
    for package in ("conf", "model"):
        for path in sorted((_ROOT / package).rglob("*.py")):
            digest.update(path.relative_to(_ROOT).as_posix().encode() + b"\0")
            digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
