"""ListNet: cross-entropy between the top-one distributions of labels and scores."""

from torch import Tensor

from model.losses.base import TaskLoss
from model.losses.lists import collect_lists


def listnet_loss(scores: Tensor, label_ge: Tensor, weight: Tensor, list_code: Tensor) -> TaskLoss:
    """Compute -sum_i P_y(i) log P_s(i) of each list, times the weight of the list.

    P(i) is w_i exp(x_i) / sum_j w_j exp(x_j) with x the expected grade of the label for P_y and
    the score for P_s: the top-one probability of Cao et al. (ICML 2007), in which a
    row counts as often as it weighs. The list's weight is that of its rows, so total / weight is a
    mean over rows. It is lowest where scores and labels differ by a constant of the list. A list of
    one item adds 0.

    Args:
        scores: [B].
        label_ge: [B, K], P(y >= k) of the label, soft ones too; any value where weight is 0.
        weight: [B], 0 where there is no label.
        list_code: [B], the list of each row.
    """
    lists = collect_lists(list_code, weight)
    each = weight[lists.rows].float()
    label = label_ge[lists.rows].float().sum(dim=1)
    target = lists.log_softmax(label + each.log()).exp()
    log_p = lists.log_softmax(scores.float()[lists.rows] + each.log())
    total = -(target * log_p * lists.sum_values(each)[lists.index]).sum()
    return TaskLoss(total, weight.sum())
