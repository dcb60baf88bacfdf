"""What every backbone gives to the heads."""

from torch import Tensor, nn


class Backbone(nn.Module):
    """Maps the input to one representation a task.

    Attributes:
        in_dim: width of the input (units).
        out_dim: width of each task's representation (units).
        shared: every task gets the same tensor.
    """

    in_dim: int
    out_dim: int
    shared = False

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """[B, in_dim] -> [B, out_dim] by task; tasks may share one tensor."""
        raise NotImplementedError

    def first_linear(self) -> nn.Linear | None:
        """The layer that alone reads the input, where there is one: scoring splits it."""
        return None

    def after_first(self, hidden: Tensor) -> dict[str, Tensor]:
        """The rest of `forward` from the output of `first_linear`."""
        raise NotImplementedError
