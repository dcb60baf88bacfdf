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
        own, common = conf.task_experts, conf.shared_experts
        every = range(len(tasks) * own + common)
        shared = every[len(tasks) * own :]
        mixed = [[*every[t * own : (t + 1) * own], *shared] for t in range(len(tasks))]
        super().__init__(in_dim, tasks, conf, own, common, mixed)
