"""Input layer: standardised numeric features and embedded categories."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from conf.sections.model import ModelConf
from model.spec import InputFeature, InputSpec
from model.standardise import Standardisation

_EMBEDDING_STD = 0.05
"""Spread of a new embedding, small beside the standardised numbers of spread 1."""


def choose_width(buckets: int, limit: int) -> int:
    """Compute the width of a category's embedding: the square root of its ids, at most `limit`
    (units)."""
    return min(limit, math.ceil(math.sqrt(buckets)))


class FeatureBlock(nn.Module):
    """Encodes some of the features: [N, K] raw values -> [N, dim].

    Numeric columns come first, z = (x - mean) / std cut at +-clip. As conf `numeric` says, their
    places in bins (`Piecewise`) or waves of them (`Periodic`) follow, then one embedding per
    category. Embeddings start near 0, so that an id never seen in training stays near neutral."""

    position: Tensor
    mean: Tensor
    std: Tensor

    def __init__(
        self,
        features: Sequence[InputFeature],
        included: Sequence[bool],
        scale: Standardisation,
        conf: ModelConf,
    ) -> None:
        """Read those of the block's `features` that are `included`."""
        super().__init__()
        read = [f for f, keep in zip(features, included, strict=True) if keep]
        numeric = [f for f in read if f.kind == "numeric"]
        categories = [f for f in read if f.kind == "category"]
        order = {f.name: i for i, f in enumerate(features)}
        self.clip = conf.clip
        self.category_positions = [order[f.name] for f in categories]
        self.embeddings = nn.ModuleList(
            nn.Embedding(f.buckets, choose_width(f.buckets, conf.embedding_width))
            for f in categories
        )
        for table in self.embeddings.parameters():
            nn.init.normal_(table, std=_EMBEDDING_STD)
        positions = torch.tensor([order[f.name] for f in numeric], dtype=torch.long)
        self.register_buffer("position", positions, persistent=False)
        for name, values in (("mean", scale.mean), ("std", scale.std)):
            column = torch.tensor([values[f.name] for f in numeric], dtype=torch.float32)
            self.register_buffer(name, column, persistent=False)
        bins = conf.bins if conf.numeric == "piecewise" else 0
        self.pieces = Piecewise(
            [scale.compute_edges(f.name, bins) if bins else [] for f in numeric]
        )
        self.waves = build_waves([f.name for f in numeric], scale, conf)
        units = [self.pieces.column, *([self.waves.column] * 2 if self.waves else [])]
        widths = [int(e.embedding_dim) for e in self.embeddings]  # type: ignore[arg-type]
        self.regional = [
            *(f.regional for f in numeric),
            *(numeric[i].regional for i in torch.cat(units).tolist()),
            *(f.regional for f, w in zip(categories, widths, strict=True) for _ in range(w)),
        ]

    @property
    def dim(self) -> int:
        """Width of the encoding (units)."""
        return len(self.regional)

    def forward(self, values: Tensor) -> Tensor:
        """Map [N, K] values in the order of the block's features to [N, dim]."""
        raw = values.index_select(1, self.position)
        z = ((raw - self.mean) / self.std).clamp_(-self.clip, self.clip)
        parts = [z]
        if self.pieces.dim:
            parts.append(self.pieces(raw))
        if self.waves is not None:
            parts.append(self.waves(z))
        for position, table in zip(self.category_positions, self.embeddings, strict=True):
            parts.append(table(values[:, position].long()))
        return torch.cat(parts, dim=1)


class Piecewise(nn.Module):
    """Encodes numeric features piecewise linearly.

    There is one unit per bin; it says how much of the bin the value has passed, from 0 to 1, less
    1/2 so that units are about centred (Gorishniy, Rubachev and Babenko, NeurIPS 2022, arXiv
    2203.05556, eq. 1). A linear layer on the units is a piecewise-linear function of each feature,
    which trees can express and a network on standardised values cannot. A feature of fewer than two
    bins has no unit: its standardised value says the same."""

    column: Tensor
    low: Tensor
    inverse: Tensor

    def __init__(self, edges: Sequence[Sequence[float]]) -> None:
        """Take the rising edges of each column's bins."""
        super().__init__()
        bins = [
            (i, low, high)
            for i, given in enumerate(edges)
            if len(given) > 2
            for low, high in pairwise(given)
        ]
        column = torch.tensor([i for i, _, _ in bins], dtype=torch.long)
        low = torch.tensor([low for _, low, _ in bins], dtype=torch.float32)
        width = torch.tensor([high - low for _, low, high in bins], dtype=torch.float32)
        self.register_buffer("column", column, persistent=False)
        self.register_buffer("low", low, persistent=False)
        self.register_buffer("inverse", 1.0 / width, persistent=False)

    @property
    def dim(self) -> int:
        """Width of the encoding (units)."""
        return len(self.column)

    def forward(self, values: Tensor) -> Tensor:
        """Map [N, K] raw values to [N, dim] in -1/2 .. 1/2."""
        through = (values.index_select(1, self.column) - self.low) * self.inverse
        return through.clamp_(0.0, 1.0).sub_(0.5)


class Periodic(nn.Module):
    """Encodes numeric features by waves: sin(2 pi c z) of every frequency c, then cos(2 pi c z).

    Gorishniy, Rubachev and Babenko (NeurIPS 2022, arXiv 2203.05556, section 3.3): the
    frequencies are drawn from N(0, sigma), sigma their standard deviation, and learnt. Their linear
    layer over the waves of one feature is left to the network's first layer."""

    column: Tensor

    def __init__(self, columns: Sequence[int], frequencies: int, sigma: float) -> None:
        """Give each of `columns` so many frequencies (cycles per unit of z)."""
        super().__init__()
        column = torch.tensor(columns, dtype=torch.long).repeat_interleave(frequencies)
        self.register_buffer("column", column, persistent=False)
        # One dimension: the optimizer takes vectors for biases, which do not decay. Decay would
        # pull every wave to the constant.
        self.frequency = nn.Parameter(torch.randn(len(column)) * sigma)

    def forward(self, z: Tensor) -> Tensor:
        """Map [N, K] standardised values to [N, 2 * frequencies in all] in -1 .. 1."""
        angle = z.index_select(1, self.column) * (2.0 * math.pi * self.frequency)
        return torch.cat([angle.sin(), angle.cos()], dim=1)


def build_waves(names: Sequence[str], scale: Standardisation, conf: ModelConf) -> Periodic | None:
    """Build the waves of the numeric features `names`, by column; None where conf wants none or no
    feature has any.

    A feature whose quantiles hold at most two values has none: its standardised value says nearly
    the same, and waves of a constant would only answer to values that training never saw."""
    varied = [i for i, n in enumerate(names) if len(set(scale.quantiles.get(n, ()))) > 2]
    if conf.numeric != "periodic" or not varied:
        return None
    return Periodic(varied, conf.frequencies, conf.frequency_scale)


class InputLayer(nn.Module):
    """The whole input: query features first, then item and query-item features.

    The two blocks stand side by side, so that scoring can encode a query once for all its
    candidates.
    """

    query_columns: Tensor
    candidate_columns: Tensor

    def __init__(self, spec: InputSpec, scale: Standardisation, conf: ModelConf) -> None:
        """Read the features of the spec but those of `conf.leave_out`.

        Raises:
            SpecError: `leave_out` names what is not there, or everything.
        """
        super().__init__()
        included = spec.mark_included(conf.leave_out)
        for name, positions in (
            ("query", spec.query_positions),
            ("candidate", spec.candidate_positions),
        ):
            features = [spec.features[i] for i in positions]
            block = FeatureBlock(features, [included[i] for i in positions], scale, conf)
            self.add_module(name, block)
            columns = torch.tensor(positions, dtype=torch.long)
            self.register_buffer(f"{name}_columns", columns, persistent=False)

    @property
    def blocks(self) -> tuple[FeatureBlock, FeatureBlock]:
        """The query block and the candidate block."""
        query, candidate = self.get_submodule("query"), self.get_submodule("candidate")
        assert isinstance(query, FeatureBlock) and isinstance(candidate, FeatureBlock)
        return query, candidate

    @property
    def dim(self) -> int:
        """Width of the encoding (units)."""
        return sum(block.dim for block in self.blocks)

    @property
    def regional(self) -> list[bool]:
        """For each unit of the encoding, whether it comes from a region-dependent feature."""
        return [flag for block in self.blocks for flag in block.regional]

    def forward(self, features: Tensor) -> Tensor:
        """Map [B, F] raw values in the order of the spec to [B, dim]."""
        query, candidate = self.blocks
        return torch.cat(
            [
                query(features.index_select(1, self.query_columns)),
                candidate(features.index_select(1, self.candidate_columns)),
            ],
            dim=1,
        )

    def join_blocks(self, query_values: Tensor, candidate_values: Tensor) -> Tensor:
        """Join [N, Fq] and [N, Fc] to [N, F] in the order of the spec."""
        features = query_values.new_empty(
            len(query_values), len(self.query_columns) + len(self.candidate_columns)
        )
        features[:, self.query_columns] = query_values
        features[:, self.candidate_columns] = candidate_values
        return features
