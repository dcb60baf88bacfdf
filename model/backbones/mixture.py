"""Gated sums of experts, for all gates at once."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

Plan = tuple[tuple[int, int], ...]
"""(output, expert) of every gate, outputs and experts by index from 0."""


def mix_experts(gates: Tensor, plan: Plan, experts: Sequence[Tensor]) -> list[Tensor]:
    """Mix the experts: out_o = sum over the gates c of output o of gates[c] * experts[expert of c].

    Args:
        gates: [C, B], one row per gate.
        plan: output and expert of each of the C gates; each output has one.
        experts: [B, H] each.

    Returns:
        [B, H] by output.
    """
    apply: Callable[..., tuple[Tensor, ...]] = _Mixtures.apply
    return list(apply(gates.to(experts[0].dtype), plan, *experts))


def apply_softmax(logits: Tensor) -> Tensor:
    """Apply the softmax to G groups of E gates: [G, B, E] -> [G * E, B].

    Over the middle dimension torch takes many rows at a time: over the last one it is a tenth as
    fast.
    """
    return torch.softmax(logits.transpose(1, 2).contiguous(), dim=1).flatten(0, 1)


class _Mixtures(torch.autograd.Function):
    """As plain products and sums this keeps several copies of all experts per gate: here none."""

    @staticmethod
    def forward(ctx: Any, gates: Tensor, plan: Plan, *experts: Tensor) -> tuple[Tensor, ...]:
        ctx.save_for_backward(gates, *experts)
        ctx.plan = plan
        sums: dict[int, Tensor] = {}
        for gate, (output, expert) in zip(gates.unsqueeze(2), plan, strict=True):
            _add_product(sums, output, experts[expert], gate)
        return tuple(sums[output] for output in range(len(sums)))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *of_outputs: Tensor) -> tuple[Tensor | None, ...]:
        gates, *experts = ctx.saved_tensors
        of_gates, product = torch.empty_like(gates), torch.empty_like(experts[0])
        of_experts: dict[int, Tensor] = {}
        for c, (output, expert) in enumerate(ctx.plan):
            torch.mul(of_outputs[output], experts[expert], out=product)
            torch.sum(product, dim=1, out=of_gates[c])
            _add_product(of_experts, expert, of_outputs[output], gates[c].unsqueeze(1))
        return (of_gates, None, *(of_experts.get(e) for e in range(len(experts))))


def _add_product(sums: dict[int, Tensor], key: int, values: Tensor, gate: Tensor) -> None:
    """Add values [B, H] * gate [B, 1] to one of the sums."""
    if key in sums:
        sums[key].addcmul_(values, gate)
    else:
        sums[key] = values * gate
