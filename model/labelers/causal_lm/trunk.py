"""The first layers of a causal language model, behind a prompt prefix that is computed once."""

from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from model.labelers.base import LabelerError
from model.labelers.causal_lm.base import BaseModel, quiet

Prefix = list[tuple[Tensor, Tensor]]
"""Keys and values [1, heads, P, D] of the prefix, a layer an entry."""


class Trunk(nn.Module):
    """Token ids of pairs to pooled hidden states of chosen layers.

    Attributes:
        model: the base model, cut behind its last layer that is read.
        width: of a hidden state.
    """

    def __init__(self, model: Any, prefix: list[int], pooling: str) -> None:
        super().__init__()
        self.model = model
        self.width = int(model.config.hidden_size)
        self._prefix_ids, self._pooling = torch.tensor([prefix]), pooling
        self._seen: dict[int, Tensor] = {}
        for number, layer in enumerate(_layers(model), start=1):
            layer.register_forward_hook(self._keeper(number))

    @property
    def dimension(self) -> int:
        """Width of the pooled state."""
        return 2 * self.width if self._pooling == "mean_last" else self.width

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        device: torch.device = next(iter(self.model.parameters())).device
        return device

    def prefix(self) -> Prefix:
        """Run the prefix alone: what every batch then starts from."""
        ids = self._prefix_ids.to(self.device)
        cache = self.model(input_ids=ids, use_cache=True).past_key_values
        return [(layer.keys, layer.values) for layer in cache.layers]

    def forward(
        self, ids: Tensor, lengths: Tensor, prefix: Prefix, layers: tuple[int, ...]
    ) -> dict[int, Tensor]:
        """Pooled states [B, dimension], float32, by layer (1 is the first).

        Padding stands on the right, where a causal model's tokens do not look.

        Args:
            ids: [B, T] tokens of the pairs.
            lengths: [B] tokens that count.
            prefix: see `prefix`; used for all rows.
            layers: layers to read.
        """
        self._seen.clear()
        ids, lengths = ids.to(self.device), lengths.to(self.device)
        self.model(input_ids=ids, past_key_values=self._expanded(prefix, len(ids)), use_cache=True)
        found = {layer: self._pooled(self._seen[layer], lengths) for layer in layers}
        self._seen.clear()
        return found

    def _expanded(self, prefix: Prefix, rows: int) -> Any:
        from transformers import DynamicCache

        cache = DynamicCache(config=self.model.config)
        for number, (keys, values) in enumerate(prefix):
            shape = (rows, -1, -1, -1)
            cache.update(keys.expand(*shape), values.expand(*shape), number)
        return cache

    def _pooled(self, hidden: Tensor, lengths: Tensor) -> Tensor:
        """[B, T, D] -> [B, dimension]."""
        states = hidden.float()
        parts = []
        if self._pooling != "last":
            real = torch.arange(states.shape[1], device=states.device) < lengths.unsqueeze(
                1
            )  # (B, T)
            total = (states * real.unsqueeze(2)).sum(dim=1)
            parts.append(total / lengths.unsqueeze(1))
        if self._pooling != "mean":
            parts.append(states[torch.arange(len(states), device=states.device), lengths - 1])
        return torch.cat(parts, dim=1)

    def _keeper(self, number: int) -> Any:
        def keep(_module: nn.Module, _inputs: Any, output: Any) -> None:
            self._seen[number] = output[0] if isinstance(output, tuple) else output

        return keep


def load_model(base: BaseModel, layers: int, dtype: str) -> Any:
    """The base model without a language head, its first `layers` layers only.

    Raises:
        LabelerError: the model has fewer layers, or weights that are unreadable or incomplete.
    """
    quiet()
    from transformers import AutoConfig, AutoModel

    try:
        config = AutoConfig.from_pretrained(str(base.folder), local_files_only=True)
        whole = int(config.num_hidden_layers)
        if layers > whole:
            raise LabelerError(f"{base.folder} has {whole} layers, cannot be cut at {layers}")
        _cut(config, layers)
        model, found = AutoModel.from_pretrained(
            str(base.folder),
            config=config,
            local_files_only=True,
            use_safetensors=True,
            dtype=getattr(torch, dtype),
            output_loading_info=True,
        )
    except LabelerError:
        raise
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise LabelerError(f"base model {base.folder} cannot be read: {error}") from error
    if found["missing_keys"]:
        raise LabelerError(f"base model {base.folder} lacks weights: {min(found['missing_keys'])}")
    return model.eval().requires_grad_(False)


def load_tokenizer(base: BaseModel) -> Any:
    """The tokenizer of the base model.

    Raises:
        LabelerError: its files are missing or unreadable.
    """
    quiet()
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(str(base.folder), local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise LabelerError(f"tokenizer of {base.folder} cannot be read: {error}") from error


def _cut(config: Any, layers: int) -> None:
    whole = int(config.num_hidden_layers)
    for name, value in list(vars(config).items()):
        if isinstance(value, list) and len(value) == whole and name.endswith("layer_types"):
            setattr(config, name, value[:layers])
    config.num_hidden_layers = layers


def _layers(model: Any) -> nn.ModuleList:
    """The decoder layers: the first list of modules with one entry a layer."""
    count = int(model.config.num_hidden_layers)
    for module in model.modules():
        if isinstance(module, nn.ModuleList) and len(module) == count:
            return module
    raise LabelerError(f"{type(model).__name__} has no list of {count} layers")
