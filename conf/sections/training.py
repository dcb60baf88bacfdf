"""Training set, feed, model, trainer and calibration."""

import math
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from conf.sections.base import Section


class SourceWeights(Section):
    """Weight of a relevance label in the loss, by its source."""

    human: float = Field(1.0, ge=0, allow_inf_nan=False, description="graded by people")
    llm: float = Field(0.5, ge=0, allow_inf_nan=False, description="graded by a language model")
    model: float = Field(
        0.5, ge=0, allow_inf_nan=False, description="graded by a labeler of another kind"
    )
    assumed: float = Field(0.3, ge=0, allow_inf_nan=False, description="fillers taken as grade 0")


ShortLookBack = Literal["auto", "leave_out", "keep"]


class TrainingSetConf(Section):
    """How training examples are put together."""

    attribution_days: int = Field(
        7,
        ge=0,
        description="a cart or purchase counts so long after the day of its impression (days)",
    )
    short_look_back: ShortLookBack = Field(
        "auto",
        description="examples from so soon after the log began that their features cannot look "
        "back the whole 28 days. leave_out: they are not used, and it is an error where none is "
        "left; keep: they are used, their counts too low; auto: left out where at least half of "
        "the examples stay, else kept with a warning, so that a new shop can begin",
    )
    source_weights: SourceWeights = Field(
        default_factory=SourceWeights, description="loss weight of a relevance label"
    )
    version_weights: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]] = Field(
        default_factory=dict,
        description="further factor of the loss weight, by labeler_version; a version left out has "
        "1",
    )
    audited: bool = Field(
        False,
        description="true: human grades as `audit_labels` last decided on them; false: as given",
    )
    rows_per_file: int = Field(
        32_768,
        ge=1,
        le=2_000_000,
        description="rows of a snapshot file, one row group each (count)",
    )
    compression: Literal["none", "snappy", "zstd"] = Field(
        "snappy", description="codec of the snapshot's Parquet files"
    )


class FeedConf(Section):
    """How the snapshot is read."""

    engine: Literal["petastorm", "pyarrow", "memory"] = Field(
        "petastorm",
        description="reader of the files; memory: pyarrow, which reads them once and keeps them: "
        "on the GPU that trains where they fit",
    )
    device_bytes: int = Field(
        8 << 30,
        ge=0,
        description="memory: a larger split is kept in main memory, not on the GPU (bytes)",
    )
    batch_size: int = Field(1_024, ge=1, description="rows a batch and shard (count)")
    shuffle_files: int = Field(4, ge=1, description="files whose rows are mixed (count)")
    group_by_list: bool = Field(
        False,
        description="true: a batch holds whole lists (column list_code), which losses over a list "
        "need; lists must not span more than shuffle_files files",
    )


class ModelConf(Section):
    """Widths and parts of the ranker."""

    backbone: Literal["shared_bottom", "mmoe", "ple", "adatt", "esmm", "aitm", "resflow", "seq"] = (
        Field("shared_bottom", description="layers between the input and the heads")
    )
    link: Literal["auto", "independent", "conditional", "residual"] = Field(
        "auto",
        description="how a step's probability follows from the step before; conditional: their "
        "product, never rising; residual: logits add up; auto: as in the backbone's paper",
    )
    descending: float | None = Field(
        None,
        ge=0,
        allow_inf_nan=False,
        description="weight of the penalty on steps likelier than the step before (loss a unit of "
        "probability); null: the backbone's own",
    )
    experts: int = Field(4, ge=1, description="mmoe: experts (count)")
    shared_experts: int = Field(
        2, ge=1, description="ple: experts of a layer that all tasks share (count)"
    )
    task_experts: int = Field(
        1, ge=1, description="ple, adatt: experts of a layer and task (count)"
    )
    task_embedding: int = Field(8, ge=1, description="seq: width of a step's embedding (units)")
    region_mask: Literal["none", "feature", "pepnet", "star", "md"] = Field(
        "none",
        description="what the region does to the input before the backbone; feature: its embedding "
        "beside the input; pepnet: gate on every unit; star: layer by region; md: mask on the "
        "region-dependent units",
    )
    region_embedding: int = Field(
        8, ge=1, description="feature, pepnet, md: width of the region's embedding (units)"
    )
    mask_hidden: tuple[int, ...] = Field(
        (32,), description="pepnet, md: hidden widths of the gate (units)"
    )
    mask_condition: Literal["both", "region", "features"] = Field(
        "both",
        description="md: what the mask depends on; features: the region-dependent ones",
    )
    mask_over: Literal["regional", "all"] = Field(
        "regional", description="md: masked units, those of region-dependent features or all"
    )
    relevance_head: Literal[
        "corn", "coral", "independent", "softmax", "mse", "listwise", "lambda"
    ] = Field(
        "corn",
        description="form of the relevance head; corn: conditional ordinal chain; coral: one "
        "score, ordered thresholds; independent: each threshold by itself; softmax: grades as "
        "classes; mse: expected grade; listwise: corn with ListNet; lambda: coral with "
        "NDCG-weighted pairs (the last two need feed.group_by_list)",
    )
    text_fit_share: float = Field(
        0.5,
        ge=0,
        le=1,
        description="corn, listwise: part in relevance's logits, when the model predicts, of two "
        "logistic regressions on how well the texts fit, which need few grades (fraction)",
    )
    list_weight: float = Field(
        1.0,
        ge=0,
        allow_inf_nan=False,
        description="listwise, lambda: weight of the list's loss beside the cross-entropy",
    )
    hidden: tuple[int, ...] = Field(
        (128, 64), min_length=1, description="widths of the shared layers (units)"
    )
    tower: tuple[int, ...] = Field((32,), description="hidden widths of a task tower (units)")
    dropout: float = Field(0.0, ge=0, lt=1, description="dropout rate (fraction)")
    embedding_width: int = Field(
        2, ge=1, description="width at most of a category's embedding (units)"
    )
    numeric: Literal["standard", "piecewise"] = Field(
        "piecewise",
        description="numeric features as the input layer gives them; standard: (x - mean) / std; "
        "piecewise: that, and beside it how far x has come through each of `bins` bins of equal "
        "mass",
    )
    bins: int = Field(
        8, ge=2, le=64, description="piecewise: bins of a feature at most, of equal mass (count)"
    )
    clip: float = Field(
        8.0, gt=0, description="standardised inputs are cut at so many standard deviations"
    )
    leave_out: tuple[str, ...] = Field(
        (),
        description="features that the model does not read, by name or by group; ids: hashed "
        "brand and type; exposure: how often the logger showed query, item or pair; region: every "
        "feature that depends on the region",
    )
    position_bias: Literal["additive", "multiplicative", "input", "none"] = Field(
        "multiplicative",
        description="how the position enters, in training only; additive, multiplicative: a tower "
        "on the logits or on the probabilities; input: a feature of the network, held at 1 when it "
        "scores",
    )
    max_position: int = Field(
        100, ge=1, description="positions behind it share its bias (ranks from 1)"
    )


class TrainerConf(Section):
    """Optimisation."""

    backend: Literal["inprocess", "distributor"] = Field(
        "inprocess", description="inprocess, or Spark's TorchDistributor"
    )
    processes: int = Field(1, ge=1, description="training processes of the distributor (count)")
    local: bool = Field(
        True, description="distributor: processes on the driver, else on Spark's workers"
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto",
        description="auto: cuda where torch sees a GPU (and the distributor's Spark has one to "
        "give), else cpu; a GPU computes in TF32, from 512 hidden units on in bf16",
    )
    threads: int = Field(
        1,
        ge=0,
        description="torch threads a process (count); 0: what torch chooses. More than 1 pays "
        "for wide layers on idle cores only",
    )
    epochs: int = Field(6, ge=1, description="epochs, `min_steps` and `max_steps` aside (count)")
    min_steps: int = Field(
        400, ge=1, description="steps at least: few rows are read more often (count)"
    )
    max_steps: int = Field(
        200_000, ge=1, description="steps at most: many rows are read less often (count)"
    )
    keep: Literal["last", "best"] = Field(
        "last",
        description="weights that are kept; last: those at the end of the schedule; best: those "
        "of the epoch with the lowest validation loss, and training stops after `patience` epochs "
        "without a better one",
    )
    patience: int = Field(
        2, ge=1, description="keep best: epochs without a better validation loss (count)"
    )
    schedule: Literal["cosine", "constant"] = Field(
        "cosine", description="step size over the training; cosine: falls to 0 at its end"
    )
    learning_rate: float = Field(2e-3, gt=0, description="AdamW step size at the start")
    position_rate: float = Field(
        30.0,
        gt=0,
        description="step size of the position tower over that of the other parameters (ratio): "
        "it must travel by whole logits while the layers move by tenths",
    )
    normalise: Literal["epoch", "batch"] = Field(
        "epoch",
        description="what a task's summed loss is divided by; epoch: the batch's share of the "
        "labels of an epoch, so that each label weighs the same; batch: the labels of the batch",
    )
    weight_decay: float = Field(
        1.0, ge=0, description="decoupled weight decay of the matrices (per step and step size)"
    )
    loss_weights: dict[str, float] = Field(
        default_factory=lambda: {"click": 1.0, "cart": 1.0, "purchase": 1.0, "relevance": 0.2},
        description="static weight of a task's loss, by task; a task left out has weight 1; grades "
        "are few and their loss is large: at weight 1 they take the shared layers from the clicks",
    )
    balance: Literal["static", "uncertainty", "pcgrad"] = Field(
        "static",
        description="static: the weights above; uncertainty: times a learnt noise of each task; "
        "pcgrad: conflicting gradients are projected (one process, a backward pass a task)",
    )
    progress: bool = Field(True, description="progress bar on the terminal")

    @field_validator("loss_weights")
    @classmethod
    def _finite_and_not_negative(cls, weights: dict[str, float]) -> dict[str, float]:
        wrong = {task: w for task, w in weights.items() if not (math.isfinite(w) and w >= 0)}
        if wrong:
            raise ValueError(f"loss weights must be finite and not negative: {wrong}")
        return weights

    @model_validator(mode="after")
    def _what_several_processes_need(self) -> Self:
        if self.processes > 1 and self.backend == "inprocess":
            raise ValueError(f"{self.processes} processes need backend: distributor")
        if self.processes > 1 and self.balance == "pcgrad":
            raise ValueError(
                f"balance: pcgrad needs the gradients of every task and one process, "
                f"not {self.processes}"
            )
        return self


class CalibrationConf(Section):
    """Calibration of each task's probability on validation queries."""

    method: Literal["isotonic", "platt", "none"] = Field("isotonic", description="form of the map")
    by_region: bool = Field(True, description="one map a region where data allow")
    min_positives: int = Field(
        200, ge=1, description="positives, and negatives, that a map needs (count)"
    )
    bins: int = Field(
        200, ge=2, description="isotonic: bins of equal weight before pooling, at most (count)"
    )
    bin_rows: int = Field(50, ge=1, description="isotonic: rows a bin, at least (count)")
