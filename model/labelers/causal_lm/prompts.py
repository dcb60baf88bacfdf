"""Prompts as token ids: the words before every pair, and each pair behind them."""

from collections.abc import Sequence
from typing import Any

from conf.sections.labelers.causal_lm import CausalLmConf
from model.labelers.base import LabelerError, Pairs
from model.labelers.causal_lm.base import SECTION
from model.labelers.network.token_pairs import Tokens
from model.labelers.prompt import Template, neutralise_pairs

_QUERY_SHARE = 3
"""A query gets a third of the room at most: titles are the longer texts."""


class PromptTokens:
    """Token ids of pairs: query and item between the template's words, cut to a length.

    The words of the template are never cut: the query gets a third of what they leave at most,
    the item the rest.

    Attributes:
        prefix: token ids that stand before every pair.
        fillers: what pads a batch, see `TokenPairs`.

    Raises:
        LabelerError: the template's own words leave no room for a text.
    """

    def __init__(self, tokenizer: Any, template: Template, conf: CausalLmConf) -> None:
        self._tokenizer, self._conf = tokenizer, conf
        self.prefix: list[int] = tokenizer(template.system)["input_ids"]
        self._around = self._encode_texts(list(template.around))
        self._room = conf.max_tokens - sum(map(len, self._around))
        if self._room < 2 * _QUERY_SHARE:
            raise LabelerError(
                f"{SECTION}.max_tokens {conf.max_tokens} leaves {self._room} tokens for "
                "query and item; raise it"
            )
        pad = tokenizer.pad_token_id
        self.fillers = {"input_ids": pad if pad is not None else (tokenizer.eos_token_id or 0)}

    def tokenise(self, pairs: Pairs) -> list[Tokens]:
        """Tokenise each pair, without the prefix: its model inputs."""
        texts = neutralise_pairs(pairs, self._conf.prompt)
        distinct = sorted({*texts.queries, *texts.items})
        ids = dict(zip(distinct, self._encode_texts(distinct), strict=True))
        rows = [
            self._join_texts(ids[query], ids[item])
            for query, item in zip(texts.queries, texts.items, strict=True)
        ]
        return [{"input_ids": row, "attention_mask": [1] * len(row)} for row in rows]

    def _join_texts(self, query: list[int], item: list[int]) -> list[int]:
        before, between, after = self._around
        query = query[: max(self._room // _QUERY_SHARE, self._room - len(item))]
        return before + query + between + item[: self._room - len(query)] + after

    def _encode_texts(self, texts: Sequence[str]) -> list[list[int]]:
        if not texts:
            return []
        ids: list[list[int]] = self._tokenizer(list(texts), add_special_tokens=False)["input_ids"]
        return ids
