"""The one line of an error that tells its cause."""

import pytest

from conf.errors import UserError
from features.contracts import SCORES, Table
from jobs.command.causes import cause_line, naming_table

SAVE = """An error occurred while calling o6169.save.
: org.apache.spark.SparkException: Job aborted due to stage failure: Task 0 in stage 7.0 failed
\tat org.apache.spark.scheduler.DAGScheduler.failJobAndIndependentStages(DAGScheduler.scala:2844)
Caused by: org.apache.spark.SparkException: [FAILED_READ_FILE.NO_HINT] Encountered error while \
reading file file:///data/tables/impressions/part-0001.parquet. SQLSTATE: KD001
\tat org.apache.spark.sql.errors.QueryExecutionErrors$.cannotReadFilesError(Errors.scala:856)
Caused by: java.io.IOException: can not read class org.apache.parquet.format.PageHeader
\tat org.apache.parquet.format.Util.read(Util.java:366)
Caused by: java.lang.NullPointerException
\t... 32 more
"""
WORKER = """
  An exception was thrown from the Python worker. Please see the stack trace below.
Traceback (most recent call last):
  File "udfs/score.py", line 80, in score
    raise ModelError(
model.serving.artifact.ModelError: model/model.safetensors differs from its manifest

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "udfs/model_files.py", line 33, in files
    raise
model.serving.artifact.ModelError: models/2026-03-01 is damaged; train it again
\tat org.apache.spark.api.python.BasePythonRunner$ReaderIterator.handle(PythonRunner.scala:582)
"""
CALL = """An error occurred while calling z:io.delta.tables.DeltaTable.isDeltaTable.
: java.io.EOFException: End of input at _delta_log/00000000000000000000.json
\tat com.fasterxml.jackson.core.JsonParser.nextToken(JsonParser.java:1)
"""


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            RuntimeError(SAVE),
            "IOException: can not read class org.apache.parquet.format.PageHeader "
            "(file file:///data/tables/impressions/part-0001.parquet)",
        ),
        (RuntimeError(WORKER), "ModelError: models/2026-03-01 is damaged; train it again"),
        (
            RuntimeError(CALL),
            "EOFException: End of input at _delta_log/00000000000000000000.json",
        ),
        (ValueError("no luck\nat all"), "ValueError: no luck"),
        (ValueError(), "ValueError: "),
        (UserError("two lines\n  and the mend"), "UserError: two lines and the mend"),
        (OSError(28, "No space left on device"), "OSError: [Errno 28] No space left on device"),
    ],
    ids=["caused_by", "worker", "call", "own", "silent", "user", "disk"],
)
def test_the_cause_is_one_line(error: Exception, line: str) -> None:
    assert cause_line(error) == line


def test_a_long_line_is_cut() -> None:
    line = cause_line(ValueError("commit " * 1_000))
    assert len(line) < 600
    assert line.endswith(" ...")


class Store:
    """Reads through a reading of its own."""

    @naming_table("reading")
    def read(self, table: Table) -> None:
        raise RuntimeError(CALL)

    @naming_table("writing")
    def write(self, table: Table) -> None:
        self.read(table)

    @naming_table("writing")
    def refuse(self, table: Table) -> None:
        raise UserError(f"table {table.name} does not exist")


def test_the_table_that_failed_is_named_once_and_the_error_keeps_its_kind() -> None:
    with pytest.raises(RuntimeError) as failed:
        Store().write(SCORES)
    assert cause_line(failed.value).endswith("0.json (reading table scores)")
    with pytest.raises(UserError) as refused:
        Store().refuse(SCORES)
    assert cause_line(refused.value) == "UserError: table scores does not exist"
