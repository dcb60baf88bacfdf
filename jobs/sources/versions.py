"""What can be seen of a source table without reading it: its Delta version, or its listing."""

import logging
from collections.abc import Callable, Iterable
from datetime import date
from functools import cache
from pathlib import Path

from delta.tables import DeltaTable
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from conf.load import section_hash
from conf.sections.datasets import TableInput
from jobs.sources.base import files_fingerprint

_LOG = logging.getLogger(__name__)


def input_fingerprint(given: TableInput, remote: bool, run_date: date) -> str:
    """A text that changes when the table does.

    Of a local file or folder: names, sizes and times. Of a table by name, or on a remote path: the
    Delta version; without one the files that Spark lists. Where neither can be seen, the run date:
    a rerun of one date reads nothing anew then, and a warning says how to make it.
    """
    if given.path is not None and not remote:
        path = Path(given.path)
        return files_fingerprint([path / "_delta_log" if given.format == "delta" else path])
    spark = SparkSession.getActiveSession()
    seen = None if spark is None else next(filter(None, _looks(spark, given)), None)
    if seen is None:
        _warn(given.table or str(given.path))
        seen = ["not seen", run_date.isoformat()]
    return section_hash(seen)


def _looks(spark: SparkSession, given: TableInput) -> Iterable[object]:
    """What each way to look finds, the surest first; None where it cannot look."""
    yield _tried(lambda: _delta_version(spark, given))
    if given.table is not None:
        yield _tried(lambda: sorted(spark.read.table(str(given.table)).inputFiles()))
    else:
        yield _tried(lambda: _listing(spark, str(given.path)))


def _delta_version(spark: SparkSession, given: TableInput) -> object:
    """Identity and version: a table that was dropped and made anew has another identity."""
    if given.table is not None:
        table = DeltaTable.forName(spark, given.table)
    else:
        table = DeltaTable.forPath(spark, str(given.path))
    identity = table.detail().select("id").collect()[0]["id"]
    return [identity, table.history(1).select("version").collect()[0]["version"]]


def _listing(spark: SparkSession, path: str) -> object:
    """Count and hash over names, sizes and times of the files below a path; none is read."""
    reader = spark.read.format("binaryFile").option("recursiveFileLookup", True)
    files = reader.load(path).select(F.xxhash64("path", "modificationTime", "length").alias("hash"))
    count, mixed = files.agg(F.count("*"), F.bit_xor("hash")).collect()[0]
    return [count, mixed] if count else None


def _tried(look: Callable[[], object]) -> object:
    try:
        return look() or None
    except (PySparkException, Py4JError):
        return None


@cache
def _warn(name: str) -> None:
    _LOG.warning(
        "source %s: neither a Delta version nor its files can be seen; it is read once per run "
        "date: `counterpoise nightly --from ingest --force` reads it again",
        name,
    )
