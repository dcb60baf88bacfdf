"""The network of the cross-encoder: a pooled encoder and a head of a chain of thresholds."""

from typing import Any

import torch
from torch import Tensor, nn

from conf.sections.labelers.cross_encoder import CrossEncoderConf
from model.labelers.cross_encoder.tokens import MARK_COUNT, MARKS


class PairEncoder(nn.Module):
    """Tokens of a pair to the logits of q_1, q_2 (CORN, arXiv 2111.08851).

    q_k = P(grade >= k | grade >= k - 1), so P(grade >= k) = q_1 ... q_k and the order of the two
    probabilities holds by construction. By conf each token's mark (see `tokens`) is added to
    its embedding: a vector a mark, zero before the fit. A base model of single texts has never
    compared two, so that words in common are told to it.
    """

    def __init__(self, trunk: Any, conf: CrossEncoderConf) -> None:
        """
        Args:
            trunk: a Hugging Face encoder.
        """
        super().__init__()
        self.trunk = trunk
        self._pooling = conf.pooling
        self.marks: nn.Embedding | None = None
        if conf.marks:
            width = int(trunk.get_input_embeddings().embedding_dim)
            self.marks = nn.Embedding(MARK_COUNT, width, padding_idx=0)
            nn.init.zeros_(self.marks.weight)
        self.head = nn.Sequential(
            nn.Dropout(conf.dropout),
            nn.Linear(int(trunk.config.hidden_size), conf.hidden),
            nn.GELU(),
            nn.Dropout(conf.dropout),
            nn.Linear(conf.hidden, 2),
        )

    def start_at(self, p_ge_1: float, p_ge_2: float) -> None:
        """Set the last biases to the log-odds of the conditional rates in the labels."""
        rates = torch.tensor([p_ge_1, p_ge_2 / max(p_ge_1, 1e-6)]).clamp(0.001, 0.999)
        last = self.head[-1]
        assert isinstance(last, nn.Linear)
        with torch.no_grad():
            last.bias.copy_(torch.logit(rates))

    def freeze_parts(self, parts: int) -> None:
        """Keep the base weights of the embeddings (1) and of the first `parts` - 1 layers."""
        if parts > 0 and (embeddings := getattr(self.trunk, "embeddings", None)) is not None:
            embeddings.requires_grad_(False)
        layers = getattr(getattr(self.trunk, "encoder", None), "layer", ())
        for layer in list(layers)[: max(0, parts - 1)]:
            layer.requires_grad_(False)

    def forward(self, tokens: dict[str, Tensor]) -> Tensor:
        """Map model inputs and marks [B, T] to logits [B, 2]."""
        hidden = self.trunk(**self._build_inputs(tokens)).last_hidden_state.float()  # (B, T, D)
        if self._pooling == "first":
            pooled = hidden[:, 0]
        else:
            mask = tokens["attention_mask"].unsqueeze(-1).float()  # (B, T, 1)
            pooled = (hidden * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1.0)
        logits: Tensor = self.head(pooled)
        return logits

    def _build_inputs(self, tokens: dict[str, Tensor]) -> dict[str, Tensor]:
        """Build the trunk's inputs."""
        inputs = {name: tensor for name, tensor in tokens.items() if name != MARKS}
        if self.marks is None:
            return inputs
        embedded = self.trunk.get_input_embeddings()(inputs.pop("input_ids"))  # (B, T, E)
        return inputs | {"inputs_embeds": embedded + self.marks(tokens[MARKS]).to(embedded.dtype)}
