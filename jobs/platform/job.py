"""What a job is to the command line and to `nightly`."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

from pyspark.sql import SparkSession

from conf.load import ResolvedConf
from features.contracts import Table
from jobs.platform.report import JobReport
from jobs.platform.run import Run

Work = Callable[[Run], None]


@dataclass(frozen=True)
class Job:
    """A job and what it depends on; `nightly` skips it where none of that changed.

    A job is a module `jobs/NAME.py` that ends in `JOB = Job(run, summary=..., ...)`, and NAME in
    `jobs.registry`: its command is `counterpoise NAME`. Values that are literals or imported by
    name are read without the module (`jobs.registry.read_job`), any other loads it.

    Attributes:
        work: does the work, as `nightly` asks for it.
        summary: one line for the help.
        reads: tables whose versions the outputs depend on.
        may_lack: tables among `reads` without which it runs, too.
        writes: tables that it makes.
        sections: conf sections that the outputs depend on.
        artifacts_in: other outputs of earlier jobs that it reads, e.g. "snapshot" or "model".
        artifacts_out: other outputs that it makes.
        external: fingerprint of inputs outside our tables (files of a source), or None.
        alone: whether it needs the root and run date for itself; false for a job that only adds a
            row of its own, which must be possible while a night runs.
        bind: the work that arguments of its own ask for (they are added in
            `jobs.command.arguments`), or None: it has none.
        name: that of the module of `work`, unless it is given.

    Raises:
        ValueError: the module was started as a script; the message names the command.
    """

    work: Work
    summary: str
    reads: tuple[Table, ...] = ()
    may_lack: tuple[Table, ...] = ()
    writes: tuple[Table, ...] = ()
    sections: tuple[str, ...] = ()
    artifacts_in: tuple[str, ...] = ()
    artifacts_out: tuple[str, ...] = ()
    external: Callable[[ResolvedConf], str] | None = None
    alone: bool = True
    bind: Callable[[argparse.Namespace], Work] | None = None
    name: str = ""

    def __post_init__(self) -> None:
        if not self.name:
            package, _, name = self.work.__module__.rpartition(".")
            if not package:
                raise ValueError("a job is no script: `counterpoise NAME` runs jobs/NAME.py")
            object.__setattr__(self, "name", name)

    def run(self, spark: SparkSession, conf: ResolvedConf) -> JobReport:
        """Do the work over the tables of a conf, and return its report."""
        run = Run.open(spark, conf, self.name)
        self.work(run)
        return run.report
