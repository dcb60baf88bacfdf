"""Training set, feed, model, trainer and calibration."""

from typing import Literal

from pydantic import Field

from conf.sections.base import Section


class SourceWeights(Section):
    """Weight of a relevance label in the loss, by its source."""

    human: float = Field(1.0, ge=0, allow_inf_nan=False, description="graded by people")
    llm: float = Field(0.5, ge=0, allow_inf_nan=False, description="graded by a language model")
    assumed: float = Field(0.3, ge=0, allow_inf_nan=False, description="fillers taken as grade 0")


class TrainingSetConf(Section):
    """How training examples are put together."""

    attribution_days: int = Field(
        7,
        ge=0,
        description="a cart or purchase counts so long after the day of its impression (days)",
    )
    source_weights: SourceWeights = Field(
        default_factory=SourceWeights, description="loss weight of a relevance label"
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

    engine: Literal["petastorm", "pyarrow"] = Field("petastorm", description="reader of the files")
    batch_size: int = Field(1_024, ge=1, description="rows a batch and shard (count)")
    shuffle_files: int = Field(4, ge=1, description="files whose rows are mixed (count)")


class ModelConf(Section):
    """Widths and parts of the ranker."""

    hidden: tuple[int, ...] = Field((128, 64), description="widths of the shared layers (units)")
    tower: tuple[int, ...] = Field((32,), description="hidden widths of a task tower (units)")
    dropout: float = Field(0.0, ge=0, lt=1, description="dropout rate (fraction)")
    position_bias: Literal["additive", "none"] = Field(
        "additive", description="position tower used in training only"
    )


class TrainerConf(Section):
    """Optimisation."""

    backend: Literal["inprocess", "distributor"] = Field(
        "inprocess", description="inprocess, or Spark's TorchDistributor"
    )
    processes: int = Field(1, ge=1, description="training processes of the distributor (count)")
    epochs: int = Field(8, ge=1, description="epochs at most (count)")
    patience: int = Field(2, ge=1, description="epochs without a better validation loss (count)")
    learning_rate: float = Field(1e-3, gt=0, description="Adam step size")
    weight_decay: float = Field(1e-5, ge=0, description="decoupled weight decay")
    loss_weights: dict[str, float] = Field(
        default_factory=lambda: {"click": 1.0, "cart": 1.0, "purchase": 1.0, "relevance": 1.0},
        description="static weight of a task's loss, by task",
    )


class CalibrationConf(Section):
    """Calibration of each task's probability on validation queries."""

    method: Literal["isotonic", "platt", "none"] = Field("isotonic", description="form of the map")
    by_region: bool = Field(True, description="one map a region where data allow")
    min_positives: int = Field(
        200, ge=1, description="positives a region needs for a map of its own (count)"
    )
