"""Reading the files of a source as they are: text columns, malformed lines kept, clear errors."""

from collections.abc import Mapping

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StringType, StructField, StructType

from features.quality.typed import MALFORMED
from jobs.command.causes import cause_line
from jobs.sources.base import SourceError

_DELIMITERS = {",": "a comma", "\t": "a tab", ";": "a semicolon", "|": "a bar"}


def read_delimited(
    spark: SparkSession,
    path: str,
    delimiter: str = ",",
    *,
    header: bool = True,
    encoding: str = "UTF-8",
    quote: str = '"',
    multiline: bool = False,
    place: str = "source",
) -> DataFrame:
    """Read a delimited file, or a folder of them with one header, as text columns.

    A quote inside a quoted value is doubled. A line with too few or too many values keeps its text
    in the column `_malformed`. Without a header the columns are named _c0, _c1, ...

    Raises:
        SourceError: the file cannot be read, or its header speaks of another delimiter.
    """
    options: dict[str, str | bool] = {
        "sep": delimiter,
        "header": header,
        "encoding": encoding,
        "quote": quote,
        "escape": quote,
        "multiLine": multiline,
        "mode": "PERMISSIVE",
        "columnNameOfCorruptRecord": MALFORMED,
        # Else a line counts as malformed or not by which columns a query happens to read.
        "columnPruning": False,
    }
    names = load_frame(spark, "csv", path, options, place=place).columns
    _check_delimiter(names, delimiter, path, place)
    return load_frame(spark, "csv", path, options, _text_schema(names), place)


def read_json_lines(spark: SparkSession, path: str, place: str = "source") -> DataFrame:
    """Read a file of one JSON object per line, as text columns; nested values stay JSON.

    Two passes: the first finds the names. A line that does not parse keeps its text in the column
    `_malformed`.

    Raises:
        SourceError: the file cannot be read.
    """
    options: dict[str, str | bool] = {
        "mode": "PERMISSIVE",
        "primitivesAsString": True,
        "columnNameOfCorruptRecord": MALFORMED,
    }
    found = load_frame(spark, "json", path, options, place=place).columns
    names = [name for name in found if name != MALFORMED]
    return load_frame(spark, "json", path, options, _text_schema(names), place)


def load_frame(
    spark: SparkSession,
    form: str,
    path: str,
    options: Mapping[str, str | bool] | None = None,
    schema: StructType | None = None,
    place: str = "source",
) -> DataFrame:
    """Load files with spark.read, with the errors of a source.

    Raises:
        SourceError: the path does not exist, is empty, or is not of that format.
    """
    reader = spark.read.format(form).options(**(options or {}))
    try:
        return (reader.schema(schema) if schema is not None else reader).load(path)
    except (PySparkException, Py4JError) as error:
        raise make_unreadable_error(f"{form} {path}", error, place) from None


def make_unreadable_error(what: str, error: Exception, place: str) -> SourceError:
    """Make the error of a source that Spark cannot read, with the innermost cause that Spark names
    and the place in conf that names it.
    """
    return SourceError(
        f"{what} cannot be read ({cause_line(error)}); check the path or table and the format in "
        f"conf `{place}`"
    )


def _text_schema(names: list[str]) -> StructType:
    return StructType([StructField(name, StringType()) for name in [*names, MALFORMED]])


def _check_delimiter(names: list[str], delimiter: str, path: str, place: str) -> None:
    others = [d for d in _DELIMITERS if d != delimiter and any(d in name for name in names)]
    if len(names) == 1 and others:
        raise SourceError(
            f"{path}: the header reads as one column {names[0]!r}; it looks separated by "
            f"{_DELIMITERS[others[0]]}: set the delimiter to {others[0]!r} in conf `{place}`"
        )
