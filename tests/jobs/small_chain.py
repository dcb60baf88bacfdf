"""A chain of two small jobs, and a night of it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from pyspark.sql import DataFrame, SparkSession
from rich.console import Console

from conf.load import ResolvedConf
from features.contracts import Table
from features.contracts.table import declare_required
from jobs.nightly import Nightly
from jobs.platform.job import Job
from jobs.platform.run import Run

A = Table("a", "one row per a", declare_required([("a", "long", "a")]), key=("a",))
B = Table("b", "one row per b", declare_required([("a", "long", "a")]), key=("a",))


@dataclass
class Chain:
    """Makes a, then b from a; counts how often each ran and can be told to fail."""

    ran: list[str] = field(default_factory=list)
    broken: bool = False

    def jobs(self) -> list[Job]:
        first = Job(self._make_a, "makes a", writes=(A,), sections=("feed",), name="first")
        second = Job(self._make_b, "makes b", reads=(A,), writes=(B,), name="second")
        return [first, second]

    def _make_a(self, run: Run) -> None:
        self._write(run, A, run.spark.range(run.conf.tree.feed.batch_size).toDF("a"))

    def _make_b(self, run: Run) -> None:
        if self.broken:
            raise ValueError("no luck")
        self._write(run, B, run.warehouse.read(A))

    def _write(self, run: Run, table: Table, rows: DataFrame) -> None:
        self.ran.append(run.report.job)
        written = run.warehouse.replace(table, rows, "true")
        run.report.count_rows(table.name, rows.count(), written.rows)


def nightly(
    spark: SparkSession | Callable[[], SparkSession],
    conf: ResolvedConf,
    chain: Chain,
    force: bool = False,
) -> Nightly:
    jobs = chain.jobs()
    return Nightly(spark, conf, jobs, jobs, force, Console(quiet=True))
