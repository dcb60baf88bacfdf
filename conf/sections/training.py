"""Training set, feed, trainer and calibration."""

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


class NegativesConf(Section):
    """Pairs that nobody labelled and nobody clicked, carted or bought, taken as grade 0, by where
    they come from; weight 0: none."""

    shown: float = Field(
        0.0,
        ge=0,
        allow_inf_nan=False,
        description="weight of an item that a page of the training days shows",
    )
    retrieved: float = Field(
        0.0, ge=0, allow_inf_nan=False, description="weight of a candidate that no page ever showed"
    )
    random: float = Field(
        0.0,
        ge=0,
        allow_inf_nan=False,
        description="weight of a random item that is no candidate and no page ever showed; needs "
        "`features.random_pairs`",
    )
    retrieved_pairs: int = Field(
        10, ge=1, description="candidates of a query that are taken, at most (count)"
    )


ShortLookBack = Literal["auto", "leave_out", "keep"]


class TrainingSetConf(Section):
    """How training examples are put together."""

    attribution_days: int = Field(
        7,
        ge=0,
        description="a cart or purchase counts up to this many days after the day of its "
        "impression (days)",
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
    negatives: NegativesConf = Field(
        default_factory=NegativesConf,
        description="ungraded pairs of labelled training queries, for the relevance head",
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
    batch_size: int = Field(1_024, ge=1, description="rows per batch and shard (count)")
    shuffle_files: int = Field(4, ge=1, description="files whose rows are mixed (count)")
    group_by_list: bool = Field(
        False,
        description="true: a batch holds whole lists (column list_code), which losses over a list "
        "need; lists must not span more than shuffle_files files",
    )


class TrainerConf(Section):
    """How the ranker is optimised."""

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
        description="torch threads per process (count); 0: what torch chooses. More than 1 pays "
        "off only for wide layers on idle cores",
    )
    epochs: int = Field(
        6,
        ge=1,
        description="epochs, unless `min_steps` or `max_steps` asks for more or fewer (count)",
    )
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
    embedding_decay: float | None = Field(
        None, ge=0, description="the same for the embeddings of the categories (null: weight_decay)"
    )
    loss_weights: dict[str, float] = Field(
        default_factory=lambda: {"click": 1.0, "cart": 1.0, "purchase": 1.0, "relevance": 0.2},
        description="static weight of a task's loss, by task; a task left out has weight 1; grades "
        "are few and their loss is large: at weight 1 they take the shared layers from the clicks",
    )
    balance: Literal["static", "uncertainty", "pcgrad"] = Field(
        "static",
        description="static: the weights above; uncertainty: times a learnt noise of each task; "
        "pcgrad: conflicting gradients are projected (one process, one backward pass per task)",
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
    by_region: bool = Field(True, description="one map per region where the data allow it")
    min_positives: int = Field(
        200, ge=1, description="positives, and negatives, that a map needs (count)"
    )
    bins: int = Field(
        200, ge=2, description="isotonic: bins of equal weight before pooling, at most (count)"
    )
    bin_rows: int = Field(50, ge=1, description="isotonic: least number of rows per bin (count)")
