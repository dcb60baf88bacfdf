"""How alike two tokens are, typing errors allowed."""

from functools import lru_cache

_PAIRS_KEPT = 1 << 18
"""Pairs of tokens whose similarity is kept (count): words come back often."""
_WORTH_EDITING = 0.3
"""Bigram similarity from which the edit distance, which takes longer, is computed."""


@lru_cache(maxsize=_PAIRS_KEPT)
def compare_tokens(a: str, b: str) -> float:
    """Compare two tokens: 1 where they are equal, else the better of bigram and edit similarity, in
    [0, 1).

    Tokens with a digit are alike only where they are equal: `2` is not almost `3`.
    """
    if a == b:
        return 1.0
    if any(c.isdigit() for c in a) or any(c.isdigit() for c in b):
        return 0.0
    shared = _compute_dice(_split_bigrams(a), _split_bigrams(b))
    return max(shared, compare_edits(a, b)) if shared >= _WORTH_EDITING else shared


def compare_edits(a: str, b: str) -> float:
    """Compute 1 - edits / length of the longer; an edit inserts, deletes, replaces or swaps
    neighbours.

    The restricted Damerau-Levenshtein distance.
    """
    longest = max(len(a), len(b))
    if longest == 0:
        return 1.0
    before: list[int] = []
    last = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        row = [i]
        for j, y in enumerate(b, start=1):
            cost = min(last[j] + 1, row[-1] + 1, last[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return 1.0 - last[-1] / longest


@lru_cache(maxsize=1 << 16)
def _split_bigrams(token: str) -> frozenset[str]:
    padded = f"^{token}$"
    return frozenset(padded[at : at + 2] for at in range(len(padded) - 1))


def _compute_dice(a: frozenset[str], b: frozenset[str]) -> float:
    return 2 * len(a & b) / (len(a) + len(b))
