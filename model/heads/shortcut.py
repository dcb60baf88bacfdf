"""A linear path from how well the texts fit to relevance's logits, beside the network."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from model.heads.base import RelevanceHead
from model.heads.engagement import set_bias
from model.spec import InputSpec
from model.standardise import Standardisation

SHORTCUT = "shortcut"
"""Its input among the representations by task."""


class Shortcut(nn.Module):
    """Adds w . z to relevance's logits, z the standardised fit features of the pair.

    A few hundred graded rows teach a network of thousands of weights less than they teach one
    weight a feature, and then relevance ranks below the cosine that is one of its inputs. This path
    starts as the logistic regression on the graded rows (`model.fit_start`), so that the network
    has to learn only what a line cannot say. (Linear beside deep: Cheng and others 2016, Wide &
    Deep, arXiv 1606.07792.)
    """

    columns: Tensor
    candidate_columns: Tensor
    mean: Tensor
    std: Tensor

    def __init__(
        self,
        spec: InputSpec,
        kept: Sequence[bool],
        scale: Standardisation,
        outputs: int,
        clip: float,
    ) -> None:
        """Read the fit features that are `kept`; `outputs` logits, all weights 0."""
        super().__init__()
        columns = [i for i in spec.fit_positions if kept[i]]
        self.names = [spec.names[i] for i in columns]
        self.clip = clip
        place = {column: i for i, column in enumerate(spec.candidate_positions)}
        for name, values in (
            ("columns", columns),
            ("candidate_columns", [place[c] for c in columns]),
        ):
            self.register_buffer(name, torch.tensor(values, dtype=torch.long), persistent=False)
        for name, by_feature in (("mean", scale.mean), ("std", scale.std)):
            column = torch.tensor([by_feature[n] for n in self.names], dtype=torch.float32)
            self.register_buffer(name, column, persistent=False)
        self.layer = nn.Linear(len(columns), outputs, bias=False)
        nn.init.zeros_(self.layer.weight)

    def start(self, head: RelevanceHead, scale: Standardisation) -> None:
        """Take the weights of the regression, and its intercepts for the head's biases.

        Only a head whose logits are those of the conditional chain can take them, and only where
        the model reads every feature of the regression.
        """
        fitted = scale.fit_start
        if not head.chain or set(fitted) != {"", *self.names}:
            return
        with torch.no_grad():
            weights = [fitted[name] for name in self.names]
            self.layer.weight.copy_(torch.tensor(weights).T)
        set_bias(head.tower, list(fitted[""]))

    def read(self, features: Tensor) -> Tensor:
        """[B, F] raw features -> z [B, columns]."""
        return self._standardised(features.index_select(1, self.columns))

    def read_candidates(self, candidate_values: Tensor) -> Tensor:
        """[B, Fc] raw features of the candidates -> z [B, columns]."""
        return self._standardised(candidate_values.index_select(1, self.candidate_columns))

    def forward(self, z: Tensor) -> Tensor:
        """z [B, columns] -> what is added to the logits [B, outputs]."""
        added: Tensor = self.layer(z)
        return added

    def _standardised(self, raw: Tensor) -> Tensor:
        return ((raw - self.mean) / self.std).clamp_(-self.clip, self.clip)
