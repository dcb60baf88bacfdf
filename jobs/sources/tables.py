"""A team's own Delta, Parquet, CSV or JSON tables, their columns mapped in conf.

`conf/tables.yaml` is a commented example. Columns are those of `features.contracts.raw`. Where a
table has no query_id, it is made from query_text and region; where there is no table of queries,
they are the texts and regions that impressions and judgments name. `dataset` is the conf's name of
the data set, `simulated` false and a judgment's `source` human unless they are mapped or fixed.
"""

import logging
import re
from collections.abc import Callable, Iterable
from datetime import date
from functools import cache, reduce
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote

from delta.tables import DeltaTable
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.load import ResolvedConf, section_hash
from conf.sections.datasets import TableInput, TablesSource
from features.contracts import IMPRESSIONS, ITEMS, JUDGMENTS, QUERIES, Table
from features.quality.tables import required_columns
from features.quality.typed import MALFORMED
from jobs.sources.base import (
    RawFrames,
    SourceError,
    files_fingerprint,
    grade_of,
    leave_out_nested,
    missing_columns,
    name_column,
    no_rows,
    query_key,
    require_columns,
    require_file,
    require_plain_values,
    require_section,
)
from jobs.sources.files import load_frame, make_unreadable_error, read_delimited, read_json_lines
from jobs.sources.window import as_of

T = TypeVar("T")
_LOG = logging.getLogger(__name__)
_QUERY_COLUMNS = ("query_text", "region")


def read(spark: SparkSession, conf: ResolvedConf) -> RawFrames:
    """Read the raw frames.

    Raises:
        SourceError: a table or column is missing, a mapped name is not one of ours.
    """
    source = require_section(conf, TablesSource)
    items = _map_columns(spark, source, source.items, ITEMS)
    impressions = _read_optional(spark, source, source.impressions, IMPRESSIONS)
    judgments = _read_optional(spark, source, source.judgments, JUDGMENTS)
    if source.as_of_run_date:
        impressions = as_of(impressions, conf.run_date)
    if "grade" in judgments.columns:
        judgments = judgments.withColumn("grade", grade_of(F.col("grade"), source.grades))
    queries = (
        _named_queries(source, [impressions, judgments])
        if source.queries is None
        else _map_columns(spark, source, source.queries, QUERIES)
    )
    derived = (QUERIES,) if source.queries is None else ()
    return RawFrames(items, queries, impressions, judgments, closed=False, derived=derived)


def fingerprint(conf: ResolvedConf) -> str:
    """Hash of what can be seen of each table without reading it, see `jobs.sources.tables`."""
    tables = require_section(conf, TablesSource).list_inputs().values()
    return section_hash([input_fingerprint(t, conf.run_date) for t in tables])


def _read_optional(
    spark: SparkSession, source: TablesSource, given: TableInput | None, table: Table
) -> DataFrame:
    return no_rows(spark, table) if given is None else _map_columns(spark, source, given, table)


def _map_columns(
    spark: SparkSession, source: TablesSource, given: TableInput, table: Table
) -> DataFrame:
    """Map the table's columns to our names, and add what follows from them."""
    _check_names(given, table)
    df = load_input(spark, given, f"source.{table.name}")
    require_columns(df, given.columns.values(), f"source table {table.name}")
    columns = {name: F.lit(value) for name, value in given.fixed.items()}
    wanted = [*table.column_names, *_QUERY_COLUMNS, MALFORMED]
    theirs = {name: given.columns.get(name, name) for name in wanted if name not in columns}
    present = {ours: column for ours, column in theirs.items() if column in df.columns}
    asked, where = {*given.columns, *required_columns(table)}, f"source table {table.name}"
    require_plain_values(df, {k: v for k, v in present.items() if k in asked}, where)
    present = leave_out_nested(df, present, where)
    columns |= {ours: name_column(column) for ours, column in present.items()}
    columns |= {k: v for k, v in _default_columns(source, table).items() if k not in columns}
    if (
        "query_id" in table.column_names
        and "query_id" not in columns
        and set(_QUERY_COLUMNS) <= set(columns)
    ):
        columns["query_id"] = query_key(*(columns[name] for name in _QUERY_COLUMNS))
    missing = [name for name in required_columns(table) if name not in columns]
    if missing:
        raise missing_columns(missing, df.columns, f"source table {table.name}")
    return df.select(*(column.alias(name) for name, column in columns.items()))


def _default_columns(source: TablesSource, table: Table) -> dict[str, Column]:
    origin = {"dataset": F.lit(source.dataset), "simulated": F.lit(False)}
    return origin | ({"source": F.lit("human")} if table is JUDGMENTS else {})


def _check_names(given: TableInput, table: Table) -> None:
    valid = {*table.column_names, *_QUERY_COLUMNS}
    unknown = sorted({*given.columns, *given.fixed} - valid)
    if unknown:
        raise SourceError(
            f"source.{table.name}: {unknown} are not columns of {table.name}; there are: "
            f"{sorted(valid)}"
        )


def _named_queries(source: TablesSource, frames: list[DataFrame]) -> DataFrame:
    """Return one row per query that impressions or judgments name by text and region."""
    named = [
        df.select("query_id", *_QUERY_COLUMNS).distinct()
        for df in frames
        if set(_QUERY_COLUMNS) <= set(df.columns)
    ]
    if not named:
        raise SourceError(
            "source.queries is not given, and neither impressions nor judgments have query_text "
            "and region: map them, or give the table of queries"
        )
    union = reduce(DataFrame.unionByName, named)
    return (
        union.where(F.col("query_id").isNotNull())
        .groupBy("query_id", "region")
        .agg(F.min("query_text").alias("query_text"))
        .withColumns({"dataset": F.lit(source.dataset), "simulated": F.lit(False)})
    )


def load_input(spark: SparkSession, given: TableInput, key: str) -> DataFrame:
    """Read one of a team's tables or files as it is; `key` is the place in conf that names it.

    Raises:
        SourceError: it is missing, empty or of another format.
    """
    if given.table is not None:
        try:
            return spark.read.table(given.table)
        except PySparkException as error:
            raise make_unreadable_error(f"{key}.table {given.table}", error, key) from None
    path = str(given.path)
    if given.is_local:
        path = str(require_file(path, f"set {key}.path"))
    if given.format == "csv":
        return read_delimited(
            spark,
            path,
            given.delimiter,
            header=given.header,
            encoding=given.encoding,
            quote=given.quote,
            multiline=given.multiline,
            place=key,
        )
    if given.format == "json":
        return read_json_lines(spark, path, key)
    return load_frame(spark, given.format, path, place=key)


def input_fingerprint(given: TableInput, run_date: date) -> str:
    """A text that changes when the table does.

    Of a local file or folder: names, sizes and times. Of a table by name, or on a remote path: the
    Delta version; without one the files that Spark lists. Where neither can be seen, the run date:
    a second run for the same date does not read the table again then, and a warning says how to
    force it.
    """
    if given.is_local:
        path = Path(str(given.path))
        return files_fingerprint([path / "_delta_log" if given.format == "delta" else path])
    spark = SparkSession.getActiveSession()
    seen = None if spark is None else next(filter(None, _look_at_table(spark, given)), None)
    if seen is None:
        _warn_unseen(given.table or str(given.path))
        seen = ["not seen", run_date.isoformat()]
    return section_hash(seen)


def _look_at_table(spark: SparkSession, given: TableInput) -> Iterable[object]:
    """Look at the table in each way, the surest first; None where a way is closed."""
    yield _try_look(lambda: _delta_version(spark, given))
    if given.table is not None:
        table = str(given.table)
        files = _try_look(lambda: sorted(spark.read.table(table).inputFiles())) or []
        yield _try_look(lambda: _hash_listing(spark, [_escape_uri(file) for file in files]))
        yield files
    else:
        yield _try_look(lambda: _hash_listing(spark, str(given.path)))


def _delta_version(spark: SparkSession, given: TableInput) -> object:
    """Return identity and version: a table that was dropped and made anew has another identity."""
    if given.table is not None:
        table = DeltaTable.forName(spark, given.table)
    else:
        table = DeltaTable.forPath(spark, str(given.path))
    identity = table.detail().select("id").collect()[0]["id"]
    return [identity, table.history(1).select("version").collect()[0]["version"]]


def _escape_uri(uri: str) -> str:
    """Write a file's URI as a path to load: decoded, and no character of it is a pattern."""
    return re.sub(r"([\[\]{}*?\\])", r"\\\1", unquote(uri))


def _hash_listing(spark: SparkSession, path: str | list[str]) -> object:
    """Count and hash over names, sizes and times of some files, or of those below a path; none is
    read."""
    reader = spark.read.format("binaryFile").option("recursiveFileLookup", True)
    files = reader.load(path).select(F.xxhash64("path", "modificationTime", "length").alias("hash"))
    count, mixed = files.agg(F.count("*"), F.bit_xor("hash")).collect()[0]
    return [count, mixed] if count else None


def _try_look(look: Callable[[], T]) -> T | None:
    try:
        return look() or None
    except (PySparkException, Py4JError):
        return None


@cache
def _warn_unseen(name: str) -> None:
    _LOG.warning(
        "source %s: neither a Delta version nor its files can be seen; it is read once per run "
        "date: `counterpoise nightly --from ingest --force` reads it again",
        name,
    )
