"""Low-rank adapters on the layers that are kept, trained together with the probe (peft).

The trunk's weights stay as they are; the best epoch on validation is kept, the probe alone (epoch
0) included. After training the adapters are merged into the weights, as they are after reading.
"""

import copy
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from conf.sections.labelers.causal_lm import LoraConf
from model.labelers.base import LabelerError
from model.labelers.causal_lm.probe import Probe, mean_loss
from model.labelers.causal_lm.tokens import padded
from model.labelers.causal_lm.trunk import Trunk
from model.training.progress import EpochBar

_CLIP = 1.0


@dataclass(frozen=True)
class TokenSet:
    """Tokens of N pairs with labels [N, 2] and weights [N]."""

    rows: list[list[int]]
    labels: Tensor
    weight: Tensor


def add_adapters(trunk: Trunk, conf: LoraConf) -> None:
    """Put fresh adapters on all linear layers of the trunk; only they require a gradient."""
    from peft import LoraConfig, get_peft_model

    settings = LoraConfig(
        r=conf.rank,
        lora_alpha=conf.alpha,
        lora_dropout=conf.dropout,
        target_modules="all-linear",
    )
    trunk.model = get_peft_model(trunk.model, settings)


def merge_adapters(trunk: Trunk) -> None:
    """Add the adapters to the weights and take them off."""
    trunk.model = trunk.model.merge_and_unload()
    trunk.model.eval().requires_grad_(False)


def adapter_state(trunk: Trunk) -> dict[str, Tensor]:
    """The adapters' weights, copied."""
    from peft import get_peft_model_state_dict

    state = get_peft_model_state_dict(trunk.model, save_embedding_layers=False)
    return {name: tensor.detach().cpu().clone() for name, tensor in state.items()}


def set_adapter_state(trunk: Trunk, state: dict[str, Tensor]) -> None:
    """Set the adapters' weights.

    Raises:
        LabelerError: an adapter is missing or does not fit.
    """
    from peft import set_peft_model_state_dict

    if set(state) != set(adapter_state(trunk)):
        raise LabelerError("the saved adapters are not those of this base model")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            set_peft_model_state_dict(trunk.model, state)
    except RuntimeError as error:
        raise LabelerError(f"the saved adapters do not fit the base model: {error}") from error


class LoraTraining:
    """One training run over `train`, judged on `validation` after each epoch."""

    def __init__(
        self, trunk: Trunk, probe: Probe, layer: int, pad: int, conf: LoraConf, seed: int
    ) -> None:
        self._trunk, self._probe, self._layer, self._pad = trunk, probe, layer, pad
        self._conf, self._seed = conf, seed
        self._bfloat16 = next(iter(trunk.model.parameters())).dtype == torch.bfloat16

    def run(self, train: TokenSet, validation: TokenSet) -> list[float]:
        """Validation loss before training and after each epoch; the best state is left in place."""
        torch.manual_seed(self._seed)
        add_adapters(self._trunk, self._conf)
        steps = self._conf.epochs * -(-len(train.rows) // self._conf.batch_size)
        optimiser, schedule = self._optimiser(steps)
        losses, best = [self.loss(validation)], self._state()
        for epoch in range(1, self._conf.epochs + 1):
            self._epoch(train, epoch, optimiser, schedule)
            losses.append(self.loss(validation))
            if losses[-1] == min(losses):
                best = self._state()
        set_adapter_state(self._trunk, best[0])
        self._probe.load_state_dict(best[1])
        return losses

    @torch.inference_mode()
    def loss(self, data: TokenSet) -> float:
        """Mean loss over `data`."""
        self._trunk.eval()
        prefix = self._trunk.prefix()
        logits = torch.empty(len(data.rows), 2)
        for rows in _by_length(data, 4 * self._conf.batch_size):
            ids, lengths = padded([data.rows[at] for at in rows], self._pad)
            found = self._trunk(ids, lengths, prefix, (self._layer,))[self._layer]
            logits[rows] = self._probe(found).cpu()
        return float(mean_loss(logits, data.labels, data.weight))

    def _epoch(self, train: TokenSet, epoch: int, optimiser: Any, schedule: Any) -> None:
        self._trunk.train()
        batches = _by_length(
            train, self._conf.batch_size, np.random.default_rng([self._seed, epoch])
        )
        with EpochBar(epoch, self._conf.epochs, len(batches), shown=True) as bar:
            for rows in batches:
                with self._arithmetic():
                    loss = self._step_loss(train, rows)
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                nn.utils.clip_grad_norm_(list(self._trained()), _CLIP)
                optimiser.step()
                schedule.step()
                bar.step(loss.detach())
        self._trunk.eval()

    def _step_loss(self, train: TokenSet, rows: NDArray[np.int64]) -> Tensor:
        ids, lengths = padded([train.rows[at] for at in rows], self._pad)
        found = self._trunk(ids, lengths, self._trunk.prefix(), (self._layer,))[self._layer]
        device = found.device
        labels, weight = train.labels[rows].to(device), train.weight[rows].to(device)
        return mean_loss(self._probe(found), labels, weight)

    def _arithmetic(self) -> AbstractContextManager[Any]:
        """The adapters are float32; beside bfloat16 weights they multiply in bfloat16."""
        return torch.autocast(self._trunk.device.type, torch.bfloat16, enabled=self._bfloat16)

    def _optimiser(self, steps: int) -> tuple[Any, Any]:
        adapters = [p for p in self._trunk.parameters() if p.requires_grad]
        groups = [
            {"params": adapters, "lr": self._conf.learning_rate},
            {"params": list(self._probe.parameters()), "lr": self._conf.head_learning_rate},
        ]
        optimiser = torch.optim.AdamW(groups, weight_decay=0.01)
        warm = max(1, int(self._conf.warm_up * steps))

        def rate(step: int) -> float:
            return min((step + 1) / warm, max(0.0, (steps - step) / max(1, steps - warm)))

        return optimiser, torch.optim.lr_scheduler.LambdaLR(optimiser, rate)

    def _trained(self) -> Iterator[nn.Parameter]:
        yield from (p for p in self._trunk.parameters() if p.requires_grad)
        yield from self._probe.parameters()

    def _state(self) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        return adapter_state(self._trunk), copy.deepcopy(self._probe.state_dict())


def _by_length(
    data: TokenSet, size: int, draw: np.random.Generator | None = None
) -> list[NDArray[np.int64]]:
    """Row numbers in batches of about one length; `draw` shuffles ties and the batches' order."""
    lengths = np.array([len(row) for row in data.rows])
    ties = draw.random(len(lengths)) if draw is not None else np.zeros(len(lengths))
    order = np.lexsort((ties, lengths))
    batches = [order[at : at + size] for at in range(0, len(order), size)]
    if draw is not None:
        draw.shuffle(batches)
    return batches
