"""What a job's `run` gets: the session, the conf, the tables, and the report that it fills."""

from collections.abc import Callable
from dataclasses import dataclass

from pyspark.sql import SparkSession

from conf.load import ResolvedConf
from jobs.platform.report import JobReport
from jobs.platform.warehouse import Warehouse


@dataclass(frozen=True)
class Run:
    """One run of one job over one conf.

    Attributes:
        warehouse: the conf's tables; what is read and written through it is noted in `report`.
    """

    warehouse: Warehouse

    @classmethod
    def open(
        cls, spark: SparkSession | Callable[[], SparkSession], conf: ResolvedConf, job: str
    ) -> "Run":
        """Open the conf's tables for a job, with a fresh report; Spark may start when needed."""
        report = JobReport(job, conf.run_date.isoformat(), conf.hash, conf.dry_run)
        return cls(Warehouse(spark, conf, report))

    @property
    def spark(self) -> SparkSession:
        """The session."""
        return self.warehouse.spark

    @property
    def conf(self) -> ResolvedConf:
        """The resolved conf, with its run date."""
        return self.warehouse.conf

    @property
    def report(self) -> JobReport:
        """What the job says of this run."""
        return self.warehouse.report
