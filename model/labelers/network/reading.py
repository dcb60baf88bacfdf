"""What a network says of pairs, in batches of like length."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from model.arrays import Floats
from model.labelers.base import Probabilities
from model.labelers.fitting import compute_pair_losses
from model.labelers.network.machine import FineTuning
from model.labelers.network.token_pairs import TokenPairs, cut_sorted_batches


def compute_logits(network: nn.Module, data: TokenPairs, run: FineTuning) -> Tensor:
    """Compute the logits of all pairs in their order, [N, 2]."""
    network.eval()
    return read_all(network, data, run)


def read_all(
    read: Callable[[dict[str, Tensor]], Tensor], data: TokenPairs, run: FineTuning
) -> Tensor:
    """Apply `read` to the model inputs of all pairs, [N, ...] in float32; long pairs are read
    together."""
    parts, order = [torch.zeros(0, 2)], []
    with torch.inference_mode():
        for rows in cut_sorted_batches(data.lengths, run.conf.predict_batch_size):
            with torch.autocast(run.device, torch.bfloat16, enabled=run.autocast):
                parts.append(read(data.build_batch(rows, run.device)).float().cpu())
            order.append(rows)
    if not order:
        return parts[0]
    return torch.cat(parts[1:])[np.argsort(np.concatenate(order))]


def compute_losses(logits: Tensor, data: TokenPairs) -> Floats:
    """Compute the cross-entropy of the network's probabilities against soft labels (nats), [N]."""
    return compute_pair_losses(compute_probabilities(logits), data.targets)


def compute_probabilities(logits: Tensor) -> Probabilities:
    """Map logits [N, 2] to P(grade >= 1), P(grade >= 2), in float64."""
    read = torch.cumprod(torch.sigmoid(logits.double()), dim=1).cpu().numpy()
    return Probabilities(read[:, 0], read[:, 1])
