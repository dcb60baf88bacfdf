"""Batches of whole lists: what a loss over the items of a list needs."""

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from conf.errors import UserError
from conf.sections.training import FeedConf
from model.feed.engines import Floats
from model.feed.snapshot import Snapshot

LIST = "list_code"
"""Column of the list that a row belongs to: a whole number from 0, exact in float32."""


class ListError(UserError, ValueError):
    """Whole lists cannot be read; the message says why and what to change."""


def require_lists(snapshot: Snapshot, conf: FeedConf) -> None:
    """Refuse to train a loss over lists on anything but whole lists.

    Raises:
        ListError: conf does not ask for whole lists, or the snapshot has no column list_code.
    """
    if not conf.group_by_list:
        raise ListError(
            "the relevance head compares the items of a list: set feed.group_by_list: true, or "
            "choose a head that needs no lists"
        )
    if LIST not in snapshot.columns:
        raise ListError(
            f"snapshot {snapshot.folder} has no column {LIST}: whole lists cannot be told apart"
        )


def cut_list_blocks(
    windows: Iterable[Floats], size: int, mix: np.random.Generator | None
) -> Iterator[Floats]:
    """Cut blocks of at most `size` rows, made of whole lists in random order (None: by their code).

    A list that does not fit in what is left of a block starts the next one, so blocks may be
    short; a list of more than `size` rows is cut.

    Args:
        windows: matrices [rows, columns] whose last column is the list code.

    Raises:
        ListError: a list has rows in two windows.
    """
    seen = np.zeros(0, np.bool_)
    for rows in windows:
        codes, at = np.unique(rows[:, -1].astype(np.int64), return_inverse=True)
        seen = _mark_codes(seen, codes)
        rank = np.arange(len(codes)) if mix is None else mix.permutation(len(codes))
        order = np.argsort(rank[at], kind="stable")
        counts = np.bincount(rank[at], minlength=len(codes))
        for start, end in _find_cuts(counts, size):
            yield rows[order[start:end]]


def _mark_codes(seen: npt.NDArray[np.bool_], codes: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Add the codes of one more window to `seen`."""
    if not len(codes):
        return seen
    grown = np.zeros(max(len(seen), int(codes[-1]) + 1), np.bool_)
    grown[: len(seen)] = seen
    if grown[codes].any():
        torn = int(codes[grown[codes]][0])
        raise ListError(
            f"list {torn} has rows in files that are not read together: set feed.shuffle_files "
            "to all files of the split, or write the rows of a list side by side"
        )
    grown[codes] = True
    return grown


def _find_cuts(counts: npt.NDArray[np.int64], size: int) -> Iterator[tuple[int, int]]:
    """Yield the first row and the end of each block, for lists of `counts` rows one after the
    other."""
    start = end = 0
    for count in counts.tolist():
        if end - start + count > size and end > start:
            yield start, end
            start = end
        end += count
        while end - start > size:
            yield start, start + size
            start += size
    if end > start:
        yield start, end
