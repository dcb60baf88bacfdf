"""What a night asked of Spark is counted from Spark's event log."""

import json
from pathlib import Path

from bench.event_log import SparkWork, count_work

_EXECUTION = "org.apache.spark.sql.execution.ui.SparkListenerSQLExecutionStart"


def test_executions_and_jobs_of_all_sessions_are_counted(tmp_path: Path) -> None:
    work = ["save at Native", "Delta: ingest: Compute snapshot for version: 1", "collect"]
    work += ["Delta: Filtering files for query"]
    events = [{"Event": _EXECUTION, "description": name} for name in work]
    events += [{"Event": "SparkListenerJobStart"}, {"Event": "SparkListenerJobEnd"}]
    for session in ("one", "two"):
        folder = tmp_path / f"eventlog_v2_{session}"
        folder.mkdir()
        lines = "\n".join(map(json.dumps, events))
        (folder / f"events_1_{session}").write_text(lines, encoding="utf-8")
    found = count_work(tmp_path)
    assert found == SparkWork(executions=8, of_delta=4, jobs=2)
    executions, jobs = found.judge("a night")
    assert (executions.measured, executions.holds) == ("8 (4 of them Delta's, of its log)", True)
    assert (jobs.measured, jobs.holds) == ("2", True)
