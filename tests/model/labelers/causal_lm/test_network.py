"""The prefix is read once for all prompts, and only the first layers of a model are read."""

import numpy as np
import pytest
import torch

from model.labelers.base import Pairs
from model.labelers.causal_lm.base import find_base
from model.labelers.causal_lm.network import PromptReader
from model.labelers.causal_lm.prompts import PromptTokens
from model.labelers.network.base_model import read_tokenizer, read_trunk
from model.labelers.network.token_pairs import TokenPairs
from tests.model.labelers.causal_lm.tiny_models import SHORT, conf


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma"])
def test_the_prefix_once_is_the_whole_prompt_each_time(
    family: str, tiny_models: dict[str, str]
) -> None:
    settings = conf(tiny_models[family])
    base = find_base(settings)
    prompts = PromptTokens(read_tokenizer(base.folder), SHORT, settings)
    pairs = Pairs(["lamp", "a red sofa"], ["Lamp", "Sofa, red, with legs"])
    tokens = TokenPairs.from_tokens(prompts.tokenise(pairs), prompts.fillers)
    network = PromptReader(read_trunk(base, "float32"), prompts.prefix, False).eval()
    with torch.inference_mode():
        found = network.pool_states(tokens.build_batch(np.arange(2), "cpu"))
        for at, row in enumerate(tokens.tokens):
            whole = network.trunk(torch.tensor([prompts.prefix + row["input_ids"]]))
            own = whole.last_hidden_state[0, len(prompts.prefix) :]
            torch.testing.assert_close(
                found[at], torch.cat([own.mean(0), own[-1]]), atol=1e-4, rtol=1e-4
            )


def test_only_the_first_layers_are_read(tiny_models: dict[str, str]) -> None:
    """Three fifths of the layers where conf does not say how many."""
    for layers, read in ((None, 7), (3, 3)):
        base = find_base(conf(tiny_models["gemma"], layers=layers))
        assert len(read_trunk(base, "float32").layers) == base.layers == read
