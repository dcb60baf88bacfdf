"""Pairs as tokens behind one fixed prefix, and batches of about one length."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from conf.sections.labelers.causal_lm import CausalLmConf
from model.labelers.base import LabelerError, Pairs
from model.labelers.prompt import Template, neutral_pairs

_QUERY_SHARE = 3


class PairTokens:
    """Token ids of pairs: query and item between the template's words, cut to a length.

    The words of the template are never cut: the query gets a third of what they leave at most,
    the item the rest.

    Raises:
        LabelerError: the template's own words leave no room for a text.
    """

    def __init__(self, tokenizer: Any, template: Template, conf: CausalLmConf) -> None:
        self._tokenizer, self._conf = tokenizer, conf
        self.prefix: list[int] = tokenizer(template.system)["input_ids"]
        self._around = self._ids(list(template.around))
        self._room = conf.max_tokens - sum(map(len, self._around))
        if self._room < 2 * _QUERY_SHARE:
            raise LabelerError(
                f"labeler.causal_lm.max_tokens {conf.max_tokens} leaves {self._room} tokens for "
                "query and item; raise it"
            )
        pad = tokenizer.pad_token_id
        self.pad: int = pad if pad is not None else (tokenizer.eos_token_id or 0)

    def __call__(self, pairs: Pairs) -> list[list[int]]:
        """Token ids of each pair, without the prefix."""
        texts = neutral_pairs(pairs, self._conf.prompt)
        known = sorted({*texts.queries, *texts.items})
        ids = dict(zip(known, self._ids(known), strict=True))
        return [
            self._joined(ids[query], ids[item])
            for query, item in zip(texts.queries, texts.items, strict=True)
        ]

    def _joined(self, query: list[int], item: list[int]) -> list[int]:
        before, between, after = self._around
        query = query[: max(self._room // _QUERY_SHARE, self._room - len(item))]
        return before + query + between + item[: self._room - len(query)] + after

    def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        if not texts:
            return []
        found: list[list[int]] = self._tokenizer(list(texts), add_special_tokens=False)["input_ids"]
        return found


def batches(lengths: Sequence[int], tokens: int) -> Iterator[NDArray[np.int64]]:
    """Row numbers, longest rows first, of batches with at most `tokens` tokens after padding."""
    order = np.argsort(-np.asarray(lengths), kind="stable")
    start = 0
    while start < len(order):
        size = max(1, tokens // max(1, lengths[order[start]]))
        yield order[start : start + size]
        start += size


def padded(rows: Sequence[list[int]], pad: int) -> tuple[Tensor, Tensor]:
    """Token ids [B, T], padded on the right, and the lengths [B]."""
    lengths = torch.tensor([len(row) for row in rows])
    ids = torch.full((len(rows), int(lengths.max())), pad)
    for at, row in enumerate(rows):
        ids[at, : len(row)] = torch.tensor(row)
    return ids, lengths
