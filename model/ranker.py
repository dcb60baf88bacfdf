"""The ranker: input layer, region part, backbone, heads; composed by conf."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from conf.sections.model import ModelConf
from model.backbones import BACKBONES, Backbone
from model.feed import Batch
from model.heads import (
    LINE,
    POSITION_BIASES,
    EngagementHead,
    FitLine,
    PositionInput,
    RelevanceHead,
    build_fit_line,
    build_relevance_head,
)
from model.heads.links import choose_descending_weight, choose_link
from model.inputs import InputLayer
from model.losses import LogProb, TaskLoss, descending_loss, masked_bce
from model.members import average_members, repeat_targets, repeat_values
from model.regions import PARTS, NoMask, RegionContext, RegionPart
from model.spec import DESCENDING, RELEVANCE, InputSpec
from model.standardise import Standardisation


class Ranker(nn.Module):
    """All tasks of one pair.

    The contract that every model keeps: `forward(batch)` gives a TaskLoss by each of `loss_names`
    (the trainer knows no more), `predict(features)` gives one probability an output name (scoring
    knows no more).

    Attributes:
        line: relevance by the fit features, mixed in when the ranker predicts; None: there is none.
        position_input: where the position is a feature of the network; None: it is not.
        descending: weight of the penalty on steps likelier than the step before; 0: no such loss.
    """

    def __init__(
        self,
        spec: InputSpec,
        inputs: InputLayer,
        region: RegionPart,
        backbone: Backbone,
        engagement: EngagementHead,
        relevance: RelevanceHead | None,
        line: FitLine | None = None,
        position_input: PositionInput | None = None,
        descending: float = 0.0,
    ) -> None:
        super().__init__()
        self.spec = spec
        self.inputs, self.region, self.backbone = inputs, region, backbone
        self.engagement, self.relevance = engagement, relevance
        self.line, self.position_input = line, position_input
        self.descending = descending

    @property
    def loss_names(self) -> tuple[str, ...]:
        """Names of the losses of `forward`: those of the tasks, then the penalty where it is on."""
        return (*self.spec.loss_tasks, *([DESCENDING] if self.descending > 0 else []))

    @property
    def needs_lists(self) -> bool:
        """Whether a loss compares the rows of a list: batches must then hold whole lists."""
        return self.relevance is not None and self.relevance.needs_lists

    def represent(self, features: Tensor, position: Tensor | None = None) -> dict[str, Tensor]:
        """Map raw features [B, F] to the representation [B * members, out_dim] by task, and the
        line's logits.

        Args:
            position: [B], read where the position is a feature; None: position 1.
        """
        column = self.spec.region_position
        if column is None:
            ids = torch.zeros(len(features), dtype=torch.long, device=features.device)
        else:
            ids = features[:, column].long()
        x = self.region(self.inputs(features), ids)
        hidden = self.backbone.first_linear()(x)
        if self.position_input is not None and position is not None:
            hidden = hidden + self.position_input(position)
        by_task = self.backbone.after_first(hidden)
        if self.line is not None:
            logits = self.line.compute_logits(features)
            by_task[LINE] = repeat_values(logits, self.backbone.members)
        return by_task

    def forward(self, batch: Batch) -> dict[str, TaskLoss]:
        """Compute the loss of every task, the mean over the backbone's members; a label that is not
        known counts nowhere."""
        by_task = self.represent(batch.features, batch.position)
        rows = repeat_targets(batch, self.backbone.members)
        prob = self.engagement(by_task, rows.position)
        losses = self._compute_engagement_losses(prob, rows)
        if self.relevance is not None:
            losses[RELEVANCE] = self._compute_relevance_loss(
                self.relevance, by_task[RELEVANCE], rows
            )
        if self.descending > 0:
            losses[DESCENDING] = descending_loss(prob.log_p.exp(), rows.weight, self.descending)
        return losses

    def predict(self, features: Tensor, position: Tensor | None = None) -> dict[str, Tensor]:
        """Predict the probabilities [B] by output name, at the given positions [B] or at position
        1."""
        return self.read_out(self.represent(features, position), position)

    def represent_candidates(
        self, query_values: Tensor, candidate_values: Tensor, counts: Tensor
    ) -> dict[str, Tensor]:
        """Do as `represent`, with the query's part of the first layer computed once per query.

        Args:
            query_values: [Q, Fq] query features.
            candidate_values: [N, Fc] other features, a query's candidates one after the other.
            counts: [Q] candidates per query; they add up to N.
        """
        if not isinstance(self.region, NoMask):
            repeated = query_values.repeat_interleave(counts, dim=0)
            return self.represent(self.inputs.join_blocks(repeated, candidate_values))
        layer = self.backbone.first_linear()
        query, candidate = self.inputs.blocks
        weight = torch.split(layer.weight, [query.dim, candidate.dim], dim=1)
        once = functional.linear(query(query_values), weight[0], layer.bias)  # [Q, H]
        each = functional.linear(candidate(candidate_values), weight[1])  # [N, H]
        hidden = each + once.repeat_interleave(counts, dim=0)
        by_task = self.backbone.after_first(hidden)
        if self.line is not None:
            logits = self.line.compute_candidate_logits(candidate_values)
            by_task[LINE] = repeat_values(logits, self.backbone.members)
        return by_task

    def read_out(
        self, by_task: Mapping[str, Tensor], position: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Read the heads' probabilities [B] by output name from the representations, the mean over
        the backbone's members, at the positions [B] or at position 1."""
        members = self.backbone.members
        shown = None if position is None else repeat_values(position, members)
        columns = [*average_members(self.engagement(by_task, shown).log_p.exp(), members).unbind(1)]
        if self.relevance is not None:
            logits = self.relevance_logits(self.relevance(by_task[RELEVANCE]), by_task)
            graded = self.relevance.compute_probabilities(logits)
            columns += average_members(graded, members).unbind(1)
        return dict(zip(self.spec.outputs, columns, strict=True))

    def relevance_logits(self, of_tower: Tensor, by_task: Mapping[str, Tensor]) -> Tensor:
        """Mix the line's logits into the tower's [B * members, outputs]: what is predicted."""
        return of_tower if self.line is None else self.line.mix_logits(of_tower, by_task[LINE])

    def _compute_engagement_losses(self, prob: LogProb, batch: Batch) -> dict[str, TaskLoss]:
        label, mask = (
            batch.labels[:, [batch.label_names.index(f"{kind}_{t}") for t in self.spec.tasks]]
            for kind in ("label", "mask")
        )
        loss = masked_bce(prob, label, batch.weight.unsqueeze(1) * mask)
        pairs = zip(loss.total.unbind(), loss.weight.unbind(), strict=True)
        return {t: TaskLoss(*pair) for t, pair in zip(self.spec.tasks, pairs, strict=True)}

    def _compute_relevance_loss(
        self, head: RelevanceHead, hidden: Tensor, batch: Batch
    ) -> TaskLoss:
        label_ge = torch.stack([batch.get_label(f"label_{g}") for g in self.spec.grades], dim=1)
        label_weight = batch.get_label(f"mask_{RELEVANCE}") * batch.get_label(f"weight_{RELEVANCE}")
        return head.compute_loss(
            head(hidden), label_ge, batch.weight * label_weight, batch.list_code
        )


def build_ranker(spec: InputSpec, scale: Standardisation, conf: ModelConf) -> Ranker:
    """Build a fresh ranker as conf describes it; torch's generator draws the weights."""
    inputs = InputLayer(spec, scale, conf)
    context = RegionContext(
        tuple(inputs.regional), len(spec.regions), conf, tuple(scale.region_rows)
    )
    region = PARTS[conf.region_mask](context)
    backbone = BACKBONES[conf.backbone](region.out_dim, spec.loss_tasks, conf)
    link = choose_link(conf, backbone)
    bias = POSITION_BIASES[conf.position_bias](
        link.count_biased(len(spec.tasks)), conf.max_position
    )
    engagement = EngagementHead(backbone.out_dim, spec.tasks, conf, bias, link)
    engagement.start_at(scale.rates)
    relevance = line = None
    if spec.relevance:
        relevance = build_relevance_head(backbone.out_dim, conf, scale)
        included = spec.mark_included(conf.leave_out)
        line = build_fit_line(spec, relevance, scale, conf.text_fit_share, included, conf.clip)
    position = None
    if conf.position_bias == "input":
        position = PositionInput(backbone.first_linear().out_features, conf.max_position)
    descending = choose_descending_weight(conf, backbone)
    return Ranker(spec, inputs, region, backbone, engagement, relevance, line, position, descending)
