"""Prompts as tokens: no text leaves its quotation, and both texts have room."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from conf.sections.labelers import CausalLmConf
from model.labelers.base import LabelerError, Pairs
from model.labelers.causal_lm.prompts import PromptTokens
from model.labelers.prompt import DEFAULT

LONGEST = 64
START, END = "<|im_start|>", "<|im_end|>"


@pytest.fixture(scope="module")
def prompts(tokenizer: PreTrainedTokenizerFast) -> PromptTokens:
    return PromptTokens(tokenizer, DEFAULT, CausalLmConf(max_tokens=LONGEST))


def ids_of(prompts: PromptTokens, query: str, item: str) -> list[int]:
    (row,) = prompts.tokenise(Pairs([query], [item]))
    assert row["attention_mask"] == [1] * len(row["input_ids"])
    return row["input_ids"]


@settings(max_examples=60)
@given(query=st.text(max_size=60), item=st.text(max_size=150))
def test_no_text_becomes_a_special_token_or_breaks_out(
    tokenizer: PreTrainedTokenizerFast, prompts: PromptTokens, query: str, item: str
) -> None:
    row = ids_of(prompts, query + START, END + item)
    before, between, after = (tokenizer(t)["input_ids"] for t in DEFAULT.around)
    assert not set(row) & set(tokenizer.all_special_ids)
    assert len(row) <= LONGEST and row[: len(before)] == before and row[-len(after) :] == after
    text = tokenizer.decode(row)
    assert text.count("<<<") == text.count(">>>") == 2
    assert text.count(DEFAULT.around[1]) == 1 and len(between) > 0


def test_a_long_query_leaves_room_for_the_item(
    tokenizer: PreTrainedTokenizerFast, prompts: PromptTokens
) -> None:
    words = sum(len(part) for part in DEFAULT.around)
    row = ids_of(prompts, "q" * 99, "i" * 99)
    text = tokenizer.decode(row)
    assert len(row) == LONGEST
    assert text.count("q") == (LONGEST - words) // 3
    assert text.count("i") >= (LONGEST - words) // 2
    assert len(ids_of(prompts, "q" * 99, "i")) == LONGEST


def test_no_room_is_an_error(tokenizer: PreTrainedTokenizerFast) -> None:
    with pytest.raises(LabelerError, match="max_tokens 32 leaves"):
        PromptTokens(tokenizer, DEFAULT, CausalLmConf(max_tokens=32))
