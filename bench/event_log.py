"""Counts what Spark did in a night, from the event log that Spark itself writes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.result import Result

EXECUTIONS_LIMIT, JOBS_LIMIT = 120, 300
"""SQL executions and Spark jobs of a night, at most (count)."""
_EXECUTION = "org.apache.spark.sql.execution.ui.SparkListenerSQLExecutionStart"
_JOB = "SparkListenerJobStart"


@dataclass(frozen=True)
class SparkWork:
    """What a night asked of Spark (count).

    Attributes:
        executions: SQL executions, those inside of others among them.
        of_delta: executions in which Delta reads its own log: a table's state, the files of a scan.
        jobs: Spark jobs.
    """

    executions: int
    of_delta: int
    jobs: int

    def judge(self, night: str) -> list[Result]:
        """Hold the counts against their limits."""
        words = f"{self.executions} ({self.of_delta} of them Delta's, of its log)"
        return [
            Result(
                f"SQL executions of {night}",
                words,
                f"<= {EXECUTIONS_LIMIT}",
                self.executions <= EXECUTIONS_LIMIT,
            ),
            Result(
                f"Spark jobs of {night}",
                str(self.jobs),
                f"<= {JOBS_LIMIT}",
                self.jobs <= JOBS_LIMIT,
            ),
        ]


def build_log_options(folder: Path) -> Mapping[str, str]:
    """Build the options of conf `spark.options` that make Spark write its event log there."""
    folder.mkdir(parents=True, exist_ok=True)
    return {
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": folder.as_uri(),
        "spark.eventLog.compress": "false",
    }


def count_work(folder: Path) -> SparkWork:
    """Count the work of all sessions that logged to the folder."""
    executions = of_delta = jobs = 0
    for path in sorted(folder.glob("**/events_*")):
        with path.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                event = json.loads(line)
                jobs += event["Event"] == _JOB
                if event["Event"] == _EXECUTION:
                    executions += 1
                    of_delta += _is_of_delta(event["description"])
    return SparkWork(executions, of_delta, jobs)


def _is_of_delta(description: str) -> bool:
    return "Filtering files for query" in description or "Compute snapshot" in description
