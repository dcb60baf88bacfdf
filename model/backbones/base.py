"""What every backbone gives to the heads."""

from torch import Tensor, nn

from model.spec import RELEVANCE


class Backbone(nn.Module):
    """Maps the input to one representation a task.

    The input is read by one linear layer alone, which holds side by side whatever the backbone's
    first layers and gates need of it: one product in training, and scoring can split it by
    features (`model.ranker.Ranker.represent_candidates`).

    Attributes:
        in_dim: width of the input (units).
        out_dim: width of each task's representation (units).
        tasks: engagement steps in order, and relevance where rows carry grades.
        steps: the engagement steps alone. Relevance has no place in their order.
        members: networks that it is made of (count); a row has as many representations, one after
            the other, and its prediction is the mean of theirs.
        shared: every task gets the same tensor.
        own_link: how its paper has a step's probability follow from the step before; of
            `model.heads.links.LINKS`.
        own_descending: its paper's weight of a penalty on steps that rise; 0 where it has none.
    """

    in_dim: int
    out_dim: int
    members = 1
    shared = False
    own_link = "independent"
    own_descending = 0.0

    def __init__(self, in_dim: int, out_dim: int, tasks: tuple[str, ...]) -> None:
        super().__init__()
        self.in_dim, self.out_dim, self.tasks = in_dim, out_dim, tasks
        self.steps = tuple(task for task in tasks if task != RELEVANCE)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Map [B, in_dim] to [B * members, out_dim] by task; tasks may share one tensor."""
        return self.after_first(self.first_linear()(x))

    def first_linear(self) -> nn.Linear:
        """Give the layer that alone reads the input."""
        raise NotImplementedError

    def after_first(self, hidden: Tensor) -> dict[str, Tensor]:
        """Run the rest of `forward`, from the output of `first_linear`."""
        raise NotImplementedError
