"""The network of `causal_lm`: the first layers of a causal language model, and a head."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from conf.sections.labelers.causal_lm import LoraConf
from model.labelers.network.token_pairs import TokenPairs
from model.losses import corn_loss

_SOLVER_STEPS = 100
"""Steps of L-BFGS at most; a head of few thousand pairs converges in fewer."""


class PromptReader(nn.Module):
    """Tokens of a pair behind a fixed prefix to the logits of q_1, q_2 of CORN's chain.

    The head is linear on the standardised mean and last hidden state of the pair's tokens.
    """

    prefix: Tensor
    mean: Tensor
    scale: Tensor

    def __init__(self, trunk: Any, prefix: list[int], checkpointing: bool) -> None:
        """
        Args:
            trunk: a Hugging Face causal model without its language head; its weights stay.
            prefix: token ids before every pair.
            checkpointing: true: the backward pass computes hidden states again, to save memory.
        """
        super().__init__()
        self.trunk = trunk.requires_grad_(False)
        self._checkpointing = checkpointing
        if checkpointing:
            trunk.gradient_checkpointing_enable({"use_reentrant": False})
        width = 2 * int(trunk.config.get_text_config().hidden_size)
        self.register_buffer("prefix", torch.tensor([prefix]), persistent=False)
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))
        self.head = nn.Linear(width, 2)

    def add_adapters(self, conf: LoraConf) -> None:
        """Put fresh low-rank adapters on all linear layers; they start as nothing."""
        from peft import LoraConfig, get_peft_model

        settings = LoraConfig(
            r=conf.rank,
            lora_alpha=conf.alpha,
            lora_dropout=conf.dropout,
            target_modules="all-linear",
        )
        self.trunk = get_peft_model(self.trunk, settings)

    def fit_head(self, states: Tensor, data: TokenPairs, ridge: float) -> None:
        """Minimise the mean loss plus ridge / 2 * |w|^2 on pooled states [N, D], from zero."""
        self.mean.copy_(states.mean(dim=0))
        self.scale.copy_(states.std(dim=0, correction=0).clamp(min=1e-6))
        scaled, head = (states - self.mean.cpu()) / self.scale.cpu(), nn.Linear(states.shape[1], 2)
        nn.init.zeros_(head.weight)
        nn.init.zeros_(head.bias)
        solver = torch.optim.LBFGS(
            head.parameters(), max_iter=_SOLVER_STEPS, line_search_fn="strong_wolfe"
        )

        def closure() -> Tensor:
            solver.zero_grad()
            total, mass = corn_loss(head(scaled), data.labels, data.weight)
            loss = total / mass.clamp(min=1e-9) + 0.5 * ridge * head.weight.square().sum()
            torch.autograd.backward(loss)
            return loss

        solver.step(closure)  # type: ignore[no-untyped-call]
        self.head.load_state_dict(head.state_dict())

    def forward(self, tokens: dict[str, Tensor]) -> Tensor:
        """Map token ids and mask [B, T] to logits [B, 2], float32."""
        scaled = (self.pool_states(tokens) - self.mean) / self.scale
        with torch.autocast(scaled.device.type, enabled=False):
            return functional.linear(scaled, self.head.weight, self.head.bias)

    def pool_states(self, tokens: dict[str, Tensor]) -> Tensor:
        """Map token ids and mask [B, T] to the mean and last state of the pairs' tokens [B, D],
        float32."""
        real = tokens["attention_mask"]
        states = self._compute_states(tokens["input_ids"], real).float()  # (B, T, D / 2)
        lengths = real.sum(dim=1)
        mean = (states * real.unsqueeze(2)).sum(dim=1) / lengths.unsqueeze(1)
        last = states[torch.arange(len(real), device=real.device), lengths - 1]
        return torch.cat([mean, last], dim=1)

    def _compute_states(self, ids: Tensor, real: Tensor) -> Tensor:
        """Compute the hidden states of the pairs' tokens; padding stands on the right, where nobody
        looks.

        The prefix is read once per batch into the model's cache. Checkpointing allows no cache:
        then the prefix stands before every pair."""
        rows, before = len(ids), self.prefix.shape[1]
        mask = torch.cat([real.new_ones(rows, before), real], dim=1)
        if self._checkpointing and self.training:
            with_prefix = torch.cat([self.prefix.expand(rows, -1), ids], dim=1)
            states = self.trunk(input_ids=with_prefix, attention_mask=mask, use_cache=False)
            return states.last_hidden_state[:, before:]  # type: ignore[no-any-return]
        cache = self.trunk(input_ids=self.prefix, use_cache=True).past_key_values
        cache.batch_repeat_interleave(rows)
        states = self.trunk(
            input_ids=ids, attention_mask=mask, past_key_values=cache, use_cache=True
        )
        return states.last_hidden_state  # type: ignore[no-any-return]
