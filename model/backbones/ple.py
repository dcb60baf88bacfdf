"""PLE: layers of shared and task experts, each fed by the gates of the layer before."""

from conf.sections.model import ModelConf
from model.backbones.extraction import Extraction


class Ple(Extraction):
    """x_t = sum_e g_t(x_t)_e * expert_e over a task's own experts and the shared ones.

    Tang et al. (RecSys 2020): in each layer task t mixes its own `conf.task_experts` experts,
    which read its x_t, and the `conf.shared_experts` shared ones, which read x_shared, by
    g_t = softmax(W_t x_t) (eq. 1 to 4, for one layer). In every layer but the last, x_shared is a
    mixture of all experts by a gate on x_shared. The paper's gates have no bias; ours do.
    Relevance, where there is one, is a task like the others, with experts and gate of its own.
    """

    def __init__(self, in_dim: int, tasks: tuple[str, ...], conf: ModelConf) -> None:
        task_experts, common = conf.task_experts, conf.shared_experts
        every = range(len(tasks) * task_experts + common)
        shared = every[len(tasks) * task_experts :]
        mixed = [
            [*every[t * task_experts : (t + 1) * task_experts], *shared] for t in range(len(tasks))
        ]
        super().__init__(in_dim, tasks, conf, task_experts, common, mixed)
