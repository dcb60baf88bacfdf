"""Where a run happens: Spark, storage, tracking, and the split of queries."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from conf.sections.base import Section


class SparkConf(Section):
    """The Spark session that a job opens when it is not handed one."""

    master: str | None = Field(
        "local[2]", description="Spark master; null: what spark-submit or the platform sets"
    )
    driver_memory: str = Field("3g", description="driver heap, a JVM size such as 3g")
    shuffle_partitions: int = Field(
        4, ge=1, description="tasks per shuffle (count); Spark's adaptive execution may merge them"
    )
    delta_jars: Literal["ivy", "provided"] = Field(
        "ivy",
        description="ivy: fetch Delta's JARs into a local cache; provided: the cluster has it",
    )
    options: dict[str, str] = Field(
        default_factory=dict, description="further spark.* settings, taken as they are"
    )


class StorageConf(Section):
    """Where tables, snapshots, models and reports are kept."""

    root: str = Field(
        "warehouse/default",
        pattern=r"^[^`'\"\n\r;#?]+$",  # SQL quotes it, and Petastorm reads it as a URL
        description="folder (or mounted volume) of all outputs of this conf",
    )
    database: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)?$",
        description="catalog.schema for the Delta tables; null: tables by path under root/tables",
    )

    @field_validator("root")
    @classmethod
    def _expand_home(cls, root: str) -> str:
        """Read ~ as a shell does, and as it is in the paths of a source: no folder of that name."""
        return str(Path(root).expanduser()) if root.startswith("~/") else root


class SplitConf(Section):
    """Which queries train, validate and test: crc32(lower(trim(query_text))) % buckets."""

    buckets: int = Field(10, ge=2, description="number of hash buckets (count)")
    train: tuple[int, ...] = Field((0, 1, 2, 3, 4, 5, 6, 7), description="buckets that train")
    validation: tuple[int, ...] = Field((8,), description="buckets for early stop and tuning")
    test: tuple[int, ...] = Field((9,), description="buckets that only `evaluate` reads")

    @model_validator(mode="after")
    def _disjoint_and_in_range(self) -> Self:
        named = [*self.train, *self.validation, *self.test]
        outside = [b for b in named if not 0 <= b < self.buckets]
        if outside:
            raise ValueError(f"buckets {outside} are outside 0..{self.buckets - 1}")
        twice = sorted({b for b in named if named.count(b) > 1})
        if twice:
            raise ValueError(f"buckets {twice} stand in more than one of train, validation, test")
        if not (self.train and self.validation and self.test):
            raise ValueError("train, validation and test each need at least one bucket")
        return self


class TrackingConf(Section):
    """Where training metrics are logged besides the JSON lines in the model directory."""

    mlflow: bool = Field(True, description="log to MLflow where it is installed")
    uri: str | None = Field(
        None,
        description="MLflow tracking URI; null: a SQLite file under storage.root, which must be on "
        "a disk (volumes and object stores refuse what SQLite writes)",
    )
    experiment: str = Field(
        "counterpoise",
        description="MLflow experiment name; on Databricks a path such as /Shared/counterpoise",
    )
    required: bool = Field(
        False,
        description="true: a training that could not be logged fails; false: a warning under the "
        "closing table",
    )

    @model_validator(mode="after")
    def _can_log(self) -> Self:
        if self.required and not self.mlflow:
            raise ValueError("required needs mlflow: true")
        on_databricks = (self.uri or "").split(":")[0] == "databricks"
        if self.mlflow and on_databricks and not self.experiment.startswith("/"):
            raise ValueError(
                f"experiment {self.experiment!r}: with uri {self.uri} it must be an absolute path "
                "in the workspace, e.g. /Shared/counterpoise or /Users/NAME/counterpoise"
            )
        return self
