"""The ordinal probe: a linear chain head on standardised hidden states."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from model.labelers.base import Targets
from model.losses import corn_loss

_STEPS = 200


class Probe(nn.Module):
    """q_k = sigmoid(w_k . (x - mean) / scale + b_k); P(grade >= k) = q_1 ... q_k.

    The conditional chain of CORN (arXiv 2111.08851), so that P(>= 1) >= P(>= 2) always.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(dimension))
        self.register_buffer("scale", torch.ones(dimension))
        self.linear = nn.Linear(dimension, 2)

    def standardise(self, features: Tensor) -> None:
        """Take mean and deviation of the columns from features [N, D]."""
        self.mean.copy_(features.mean(dim=0))
        self.scale.copy_(features.std(dim=0, correction=0).clamp(min=1e-6))

    def forward(self, features: Tensor) -> Tensor:
        """[N, D] -> logits of q_1, q_2 [N, 2]."""
        logits: Tensor = self.linear((features - self.mean) / self.scale)
        return logits

    def probabilities(self, features: Tensor) -> Tensor:
        """[N, D] -> P(grade >= 1), P(grade >= 2) [N, 2]."""
        return torch.cumprod(torch.sigmoid(self(features).double()), dim=1)


def labels_of(targets: Targets) -> tuple[Tensor, Tensor]:
    """Labels [N, 2] and weights [N] as float32."""
    columns = [torch.as_tensor(c) for c in (targets.label_ge_1, targets.label_ge_2)]
    return torch.stack(columns, dim=1).float(), torch.as_tensor(targets.weight).float()


def mean_loss(logits: Tensor, labels: Tensor, weight: Tensor) -> Tensor:
    """Mean of CORN's loss over the weights, a scalar; see `corn_loss`."""
    total, mass = corn_loss(logits, labels, weight)
    return total / mass.clamp(min=1e-9)


def fit_probe(features: Tensor, labels: Tensor, weight: Tensor, ridge: float) -> Probe:
    """Minimise the loss plus ridge / 2 * |w|^2 on features [N, D], by L-BFGS from zero."""
    probe = Probe(features.shape[1])
    probe.standardise(features)
    nn.init.zeros_(probe.linear.weight)
    nn.init.zeros_(probe.linear.bias)
    solver = torch.optim.LBFGS(
        probe.linear.parameters(), max_iter=_STEPS, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        solver.zero_grad()
        penalty = 0.5 * ridge * probe.linear.weight.square().sum()
        loss = mean_loss(probe(features), labels, weight) + penalty
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    solver.step(closure)  # type: ignore[no-untyped-call]
    return probe


@dataclass(frozen=True)
class Choice:
    """The best probe, and the validation loss of every setting that was tried."""

    layer: int
    ridge: float
    loss: float
    probe: Probe
    tried: dict[str, float]


def choose_probe(
    train: Mapping[int, Tensor],
    validation: Mapping[int, Tensor],
    labels: tuple[Targets, Targets],
    ridges: Sequence[float],
) -> Choice:
    """The layer and the ridge whose probe has the least loss on validation.

    Args:
        train: features [N, D] by layer.
        validation: features [M, D] by layer.
        labels: of train and of validation.
        ridges: penalties to try.
    """
    known, judged = labels_of(labels[0]), labels_of(labels[1])
    tried: dict[tuple[int, float], tuple[float, Probe]] = {}
    for layer, features in train.items():
        for ridge in ridges:
            probe = fit_probe(features, *known, ridge)
            with torch.no_grad():
                tried[layer, ridge] = float(mean_loss(probe(validation[layer]), *judged)), probe
    best = min(tried, key=lambda setting: tried[setting][0])
    losses = {f"layer {layer}, ridge {ridge:g}": v[0] for (layer, ridge), v in tried.items()}
    return Choice(*best, *tried[best], losses)
