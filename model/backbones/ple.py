"""PLE: layers of shared and task experts, each fed by the gates of the layer before."""

from collections.abc import Sequence

from torch import Tensor

from conf.sections.training import ModelConf
from model.backbones.extraction import Extraction
from model.backbones.grouped import mixture


class Ple(Extraction):
    """x_t = sum_e g_t(x_t)_e * expert_e over a task's own experts and the shared ones.

    Tang et al. (RecSys 2020): in each layer task t mixes its own `conf.task_experts` experts,
    which read its x_t, and the `conf.experts` shared ones, which read x_shared, by
    g_t = softmax(W_t x_t) (eq. 1 to 4, for one layer). In every layer but the last, x_shared is a
    mixture of all experts by a gate on x_shared. The paper's gates have no bias; ours do.
    Relevance, where there is one, is a task like the others, with experts and gate of its own.
    """

    def __init__(self, in_dim: int, tasks: tuple[str, ...], conf: ModelConf) -> None:
        count = len(tasks)
        self.own, self.common = conf.task_experts, conf.experts
        owners = [t for t in range(count) for _ in range(self.own)] + [count] * self.common
        of_tasks = [self.own + self.common] * count
        inner = [[*of_tasks, len(owners)]] * (len(conf.hidden) - 1)
        super().__init__(in_dim, tasks, conf, owners, [*inner, of_tasks])

    def mix(self, depth: int, experts: Tensor, gates: Sequence[Tensor]) -> list[Tensor]:
        """[E, B, H] and gates by task, then the shared one -> [B, H] by task, then shared."""
        shared = experts[-self.common :]
        sources = []
        for t, gate in enumerate(gates[: len(self.tasks)]):
            own = experts[t * self.own : (t + 1) * self.own]
            sources.append(mixture(gate[:, : self.own], own) + mixture(gate[:, self.own :], shared))
        return sources + [mixture(gate, experts) for gate in gates[len(self.tasks) :]]
