"""Query and item as one sequence of tokens.

Where conf asks for marks, each token has one: whether it is of the query or of the item, and
whether the other text has it, too.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from model.labelers.base import LabelerError, Pairs
from model.labelers.cross_encoder.base import SECTION
from model.labelers.network.token_pairs import Tokens
from model.text.rules import mend_text

MARKS = "marks"
"""Beside the model inputs: 0 a special token; 1, 2 of the query, the item lacks (1) or has it (2);
3, 4 of the item, the query lacks (3) or has it (4)."""
MARK_COUNT = 5
"""Values of a mark, 0 to 4."""
_CHARACTERS_A_TOKEN = 16
"""Characters read of a text a token kept: no token of a shop's texts is longer (count)."""


class PairTokenizer:
    """A tokenizer of pairs: query and item as the two segments, cut to `max_tokens`.

    Of an over-long pair the longer text loses its end first. Text that is no valid unicode is
    mended, not refused.

    Attributes:
        fillers: what pads a batch, see `TokenPairs`.
    """

    def __init__(self, tokenizer: Any, max_tokens: int, marks: bool = True) -> None:
        """
        Args:
            max_tokens: kept of a pair (count).
            marks: whether the tokens are marked.

        Raises:
            LabelerError: marks are wanted of a tokenizer that does not say whose a token is.
        """
        if marks and not tokenizer.is_fast:
            raise LabelerError(
                f"{type(tokenizer).__name__} does not say which text a token is of; set "
                f"{SECTION}.marks=false, or take a base model with a fast tokenizer"
            )
        self._marks = marks
        self.tokenizer = tokenizer
        self.max_tokens = max_tokens
        self.fillers: Mapping[str, int] = {
            "input_ids": tokenizer.pad_token_id or 0,
            "token_type_ids": tokenizer.pad_token_type_id,
        }

    def tokenise(self, pairs: Pairs) -> list[Tokens]:
        """Tokenise every pair: its model inputs and, where wanted, its marks; not padded."""
        if len(pairs) == 0:
            return []
        encoded = self.tokenizer(
            [self._mend_text(query) for query in pairs.queries],
            [self._mend_text(item) for item in pairs.items],
            truncation="longest_first",
            max_length=self.max_tokens,
        )
        names = [name for name in self.tokenizer.model_input_names if name in encoded]
        rows = [{name: encoded[name][row] for name in names} for row in range(len(pairs))]
        if self._marks:
            for number, row in enumerate(rows):
                row[MARKS] = _mark_tokens(row["input_ids"], encoded.sequence_ids(number))
        return rows

    def _mend_text(self, text: str) -> str:
        return mend_text(text[: _CHARACTERS_A_TOKEN * self.max_tokens])


def _mark_tokens(ids: Sequence[int], parts: Sequence[int | None]) -> list[int]:
    """Mark the tokens of one pair; parts: 0 of the query, 1 of the item, None of neither."""
    sides: tuple[set[int], set[int]] = (set(), set())
    for token, part in zip(ids, parts, strict=True):
        if part is not None:
            sides[part].add(token)
    shared = sides[0] & sides[1]
    return [
        0 if part is None else 1 + 2 * part + (token in shared)
        for token, part in zip(ids, parts, strict=True)
    ]
