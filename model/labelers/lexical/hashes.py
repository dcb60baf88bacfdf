"""Texts and words as integers, which files of arrays can hold."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_KEPT_WORDS = 65_536


def key_hashes(queries: Sequence[str]) -> NDArray[np.int64]:
    """[N] hashes of the query texts, trimmed and in lower case; 0 to 2**63 - 1."""
    known = {text: text_hash(text.strip().lower()) for text in set(queries)}
    return np.array([known[text] for text in queries], np.int64)


def text_hash(text: str) -> int:
    """First eight bytes of the sha256 of a text as it stands; 0 to 2**63 - 1."""
    digest = hashlib.sha256(text.encode(errors="replace")).digest()
    return int.from_bytes(digest[:8]) >> 1


@lru_cache(maxsize=_KEPT_WORDS)
def word_hash(word: str) -> int:
    """The same of a word; words come back often."""
    return text_hash(word)
