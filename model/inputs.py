"""Input layer: standardised numeric features and embedded categories."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from model.spec import InputFeature, InputSpec
from model.standardise import Standardisation

_EMBEDDING_STD = 0.05


def embedding_width(buckets: int, limit: int) -> int:
    """Width of a category's embedding: the square root of its ids, at most `limit` (units)."""
    return min(limit, math.ceil(math.sqrt(buckets)))


class FeatureBlock(nn.Module):
    """Encodes some of the features: [N, K] raw values -> [N, dim].

    Numeric columns come first, (x - mean) / std cut at +-clip, then one embedding a category.
    Embeddings start near 0, so that an id never seen in training stays near neutral.
    """

    position: Tensor
    mean: Tensor
    std: Tensor

    def __init__(
        self,
        features: Sequence[InputFeature],
        scale: Standardisation,
        width: int,
        clip: float,
    ) -> None:
        super().__init__()
        numeric = [f for f in features if f.kind == "numeric"]
        categories = [f for f in features if f.kind == "category"]
        order = {f.name: i for i, f in enumerate(features)}
        self.clip = clip
        self.category_positions = [order[f.name] for f in categories]
        self.embeddings = nn.ModuleList(
            nn.Embedding(f.buckets, embedding_width(f.buckets, width)) for f in categories
        )
        for table in self.embeddings.parameters():
            nn.init.normal_(table, std=_EMBEDDING_STD)
        positions = torch.tensor([order[f.name] for f in numeric], dtype=torch.long)
        self.register_buffer("position", positions, persistent=False)
        for name, values in (("mean", scale.mean), ("std", scale.std)):
            column = torch.tensor([values[f.name] for f in numeric], dtype=torch.float32)
            self.register_buffer(name, column, persistent=False)
        widths = [1] * len(numeric) + [int(e.embedding_dim) for e in self.embeddings]  # type: ignore[arg-type]
        flags = [f.regional for f in (*numeric, *categories)]
        self.regional = [flag for flag, w in zip(flags, widths, strict=True) for _ in range(w)]

    @property
    def dim(self) -> int:
        """Width of the encoding (units)."""
        return len(self.regional)

    def forward(self, values: Tensor) -> Tensor:
        """[N, K] values in the order of the block's features -> [N, dim]."""
        scaled = (values.index_select(1, self.position) - self.mean) / self.std
        parts = [scaled.clamp_(-self.clip, self.clip)]
        for position, table in zip(self.category_positions, self.embeddings, strict=True):
            parts.append(table(values[:, position].long()))
        return torch.cat(parts, dim=1)


class InputLayer(nn.Module):
    """The whole input: query features first, then item and query-item features.

    The two blocks stand side by side, so that scoring can encode a query once for all its
    candidates.
    """

    query_columns: Tensor
    candidate_columns: Tensor

    def __init__(self, spec: InputSpec, scale: Standardisation, width: int, clip: float) -> None:
        super().__init__()
        for name, positions in (
            ("query", spec.query_positions),
            ("candidate", spec.candidate_positions),
        ):
            block = FeatureBlock([spec.features[i] for i in positions], scale, width, clip)
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
        """[B, F] raw values in the order of the spec -> [B, dim]."""
        query, candidate = self.blocks
        return torch.cat(
            [
                query(features.index_select(1, self.query_columns)),
                candidate(features.index_select(1, self.candidate_columns)),
            ],
            dim=1,
        )

    def joined(self, query_values: Tensor, candidate_values: Tensor) -> Tensor:
        """[N, Fq] and [N, Fc] -> [N, F] in the order of the spec."""
        features = query_values.new_empty(
            len(query_values), len(self.query_columns) + len(self.candidate_columns)
        )
        features[:, self.query_columns] = query_values
        features[:, self.candidate_columns] = candidate_values
        return features
