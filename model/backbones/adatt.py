"""AdaTT: every task mixes all tasks' experts, and adds its own."""

import torch
from torch import Tensor, nn

from conf.sections.model import ModelConf
from model.backbones.extraction import Extraction


class Adatt(Extraction):
    """x_t = sum_e g_t(x_t)_e * expert_e over all experts + sum_k v_tk * own expert_k.

    AdaTT-sp of arXiv 2304.04959: in each layer every task has `conf.task_experts` experts that
    read its x_t (the input at first). A fusion over all tasks' experts by g_t = softmax(W_t x_t)
    (all-expert fusion) is added to a residual of the task's own experts (native-expert fusion),
    whose weights v do not depend on the row: 1 where a task has one expert, else learnt, from
    1 / experts on. The paper's gates have no bias; ours do. Relevance, where there is one, is a
    task like the others.
    """

    belongs: Tensor

    def __init__(self, in_dim: int, tasks: tuple[str, ...], conf: ModelConf) -> None:
        task_experts, count = conf.task_experts, len(tasks)
        experts = torch.arange(count * task_experts)
        super().__init__(in_dim, tasks, conf, task_experts, 0, [experts.tolist()] * count)
        belongs = experts // task_experts == torch.arange(count).unsqueeze(1)  # [T, E]
        self.register_buffer("belongs", belongs.float(), persistent=False)
        self.native = nn.ParameterList(
            nn.Parameter(torch.full((count * task_experts,), 1.0 / task_experts))
            for _ in conf.hidden
            if task_experts > 1
        )

    def weight_experts(self, depth: int, gates: Tensor) -> Tensor:
        """Add each task's native weights of its own experts to the gates [T * E, B]."""
        native = self.belongs * self.native[depth] if len(self.native) else self.belongs
        return gates + native.view(-1, 1)
