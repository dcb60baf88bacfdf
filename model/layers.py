"""Small layers that several parts share."""

from collections.abc import Sequence

from torch import nn


def build_mlp(in_dim: int, widths: Sequence[int], dropout: float = 0.0) -> nn.Sequential:
    """Build linear layer, ReLU (and dropout) per width: [B, in_dim] -> [B, widths[-1]]; identity if
    no width."""
    layers: list[nn.Module] = []
    for out_dim in widths:
        layers += [nn.Linear(in_dim, out_dim), nn.ReLU()]
        if dropout > 0:
            layers.append(nn.Dropout(dropout))
        in_dim = out_dim
    return nn.Sequential(*layers)


def split_blocks(layers: nn.Module) -> list[nn.Sequential]:
    """Split a stack of layers before every linear one: each piece is a Linear and what follows
    it."""
    pieces: list[list[nn.Module]] = []
    for layer in layers.children():
        if isinstance(layer, nn.Linear) or not pieces:
            pieces.append([])
        pieces[-1].append(layer)
    return [nn.Sequential(*piece) for piece in pieces]
