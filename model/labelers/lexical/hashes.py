"""Texts as integers, which files of arrays can hold."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def hash_keys(queries: Sequence[str]) -> NDArray[np.int64]:
    """Hash the query texts [N], trimmed and in lower case; 0 to 2**63 - 1."""
    by_text = {text: _hash_text(text.strip().lower()) for text in set(queries)}
    return np.array([by_text[text] for text in queries], np.int64)


def _hash_text(text: str) -> int:
    """Hash a text as it stands: the first eight bytes of its sha256; 0 to 2**63 - 1."""
    digest = hashlib.sha256(text.encode(errors="replace")).digest()
    return int.from_bytes(digest[:8]) >> 1
