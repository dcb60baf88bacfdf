"""The forward pass of scoring: in pieces that stay in the cache, all towers at once."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from model.members import average_members
from model.ranker import Ranker

CHUNK_ROWS = 1_024
"""Rows of a piece, all members' together: its hidden layers fit a core's second-level cache (128
units: 0.5 MiB)."""


class ServingNetwork:
    """A ranker's probabilities at position 1, without gradients.

    Where the backbone gives every task the same representation, and no tower reads another one's
    layers, the towers are run as one stack of layers: their first layers side by side, the others
    as blocks of one matrix.
    """

    def __init__(self, ranker: Ranker) -> None:
        self.ranker = ranker.eval()
        self.rows = max(1, CHUNK_ROWS // ranker.backbone.members)
        self.towers: nn.Sequential | None = None
        if ranker.backbone.shared and not ranker.engagement.link.linked_layers:
            towers: list[nn.Module] = [ranker.engagement.towers[task] for task in ranker.spec.tasks]
            if ranker.relevance is not None:
                towers.append(ranker.relevance.tower)
            self.towers = stack_towers(towers)

    @torch.inference_mode()
    def predict_pairs(self, features: Tensor) -> Tensor:
        """Map [N, F] raw features to probabilities [N, outputs], in the order of the spec."""
        out = features.new_empty(len(features), len(self.ranker.spec.outputs))
        for start in range(0, len(features), self.rows):
            rows = slice(start, start + self.rows)
            out[rows] = self._read_out(self.ranker.represent(features[rows]))
        return out

    @torch.inference_mode()
    def predict_candidates(
        self, query_values: Tensor, candidate_values: Tensor, counts: Tensor
    ) -> Tensor:
        """Map [Q, Fq], [N, Fc] and [Q] counts to probabilities [N, outputs]."""
        out = candidate_values.new_empty(len(candidate_values), len(self.ranker.spec.outputs))
        for queries, rows in _cut_pieces(counts.tolist(), self.rows):
            by_task = self.ranker.represent_candidates(
                query_values[queries], candidate_values[rows], counts[queries]
            )
            out[rows] = self._read_out(by_task)
        return out

    def _read_out(self, by_task: dict[str, Tensor]) -> Tensor:
        if self.towers is None:
            return torch.stack(list(self.ranker.read_out(by_task).values()), dim=1)
        tasks = self.ranker.spec.tasks
        logits = self.towers(by_task[tasks[0]])
        columns = [self.ranker.engagement.compute_probabilities(logits[:, : len(tasks)])]
        if self.ranker.relevance is not None:
            grades = self.ranker.relevance_logits(logits[:, len(tasks) :], by_task)
            columns.append(self.ranker.relevance.compute_probabilities(grades))
        return average_members(torch.cat(columns, dim=1), self.ranker.backbone.members)


def stack_towers(towers: Sequence[nn.Module]) -> nn.Sequential:
    """Stack equally deep towers to one, which gives their outputs one after the other.

    The towers are those of `model.layers.build_mlp`; dropout is left out, so it serves only.
    """
    linears = [
        [layer for layer in tower.modules() if isinstance(layer, nn.Linear)] for tower in towers
    ]
    layers: list[nn.Module] = []
    for depth, group in enumerate(zip(*linears, strict=True)):
        weights = [layer.weight.detach() for layer in group]
        weight = _build_diagonal(weights) if depth else torch.cat(weights)
        fused = nn.Linear(weight.shape[1], weight.shape[0])
        fused.weight.data.copy_(weight)
        fused.bias.data.copy_(torch.cat([layer.bias.detach() for layer in group]))
        layers += [fused, nn.ReLU(inplace=True)]
    return nn.Sequential(*layers[:-1]).eval()


def _build_diagonal(weights: Sequence[Tensor]) -> Tensor:
    """Put the matrices on the diagonal of one, zeros elsewhere."""
    matrix = torch.zeros(sum(len(w) for w in weights), sum(w.shape[1] for w in weights))
    row = column = 0
    for weight in weights:
        rows, columns = weight.shape
        matrix[row : row + rows, column : column + columns] = weight
        row, column = row + rows, column + columns
    return matrix


def _cut_pieces(counts: Sequence[int], most: int) -> Iterator[tuple[slice, slice]]:
    """Yield neighbouring queries whose candidates together are `most` at most, with their rows; a
    query of more is a piece of its own."""
    query = row = size = 0
    for i, count in enumerate(counts):
        if size and size + count > most:
            yield slice(query, i), slice(row, row + size)
            query, row, size = i, row + size, 0
        size += count
    if size:
        yield slice(query, len(counts)), slice(row, row + size)
