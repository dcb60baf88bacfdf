"""What every source adapter gives to `ingest`, and the errors of a source that cannot be read."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol, TypeVar, cast

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, MapType, StructType

from conf.errors import DataRefusedError
from conf.load import ConfError, ResolvedConf, section_hash
from conf.sections.base import Section
from features.contracts import IMPRESSIONS, ITEMS, JUDGMENTS, QUERIES, Table
from features.text.texts import text_key

S = TypeVar("S", bound=Section)
_LOG = logging.getLogger(__name__)


class SourceError(ConfError):
    """A source cannot be read; the message names the file or column and the mend."""


class EmptySourceError(DataRefusedError, SourceError):
    """A file or folder of a source holds nothing; the message names it and the mend."""


def require_section(conf: ResolvedConf, kind: type[S]) -> S:
    """Return the source's section of conf.

    Raises:
        SourceError: conf names a source of another kind.
    """
    source = conf.source
    if not isinstance(source, kind):
        wanted = kind.model_fields["kind"].default
        raise SourceError(f"source.kind is {source.kind!r}, not {wanted!r}")
    return source


@dataclass(frozen=True)
class RawFrames:
    """The four raw tables as a source gives them.

    Columns are those of `features.contracts.raw`. Optional columns, `event_date` and `bucket` may
    be left out; types may still be text: `ingest` casts, checks and quarantines. A row that could
    not be parsed carries its line in the column MALFORMED of `features.quality.typed`. `extras` are
    written as they are, each replacing its table.

    `closed`: the frames are the whole data set, so items and queries that are not in them are
    removed from the tables. A team's catalogue is open: what left it is still referred to by the
    log.

    `derived` are the tables that the source does not have and that are made of its others: they
    grow and shrink with those.
    """

    items: DataFrame
    queries: DataFrame
    impressions: DataFrame
    judgments: DataFrame
    extras: Mapping[Table, DataFrame] = field(default_factory=dict)
    closed: bool = True
    derived: tuple[Table, ...] = ()

    def by_table(self) -> dict[Table, DataFrame]:
        """Return the four frames by the table that they are meant for."""
        return {
            ITEMS: self.items,
            QUERIES: self.queries,
            IMPRESSIONS: self.impressions,
            JUDGMENTS: self.judgments,
        }


class Adapter(Protocol):
    """The module of one kind of source."""

    def read(self, spark: SparkSession, conf: ResolvedConf) -> RawFrames:
        """Read the raw frames. Raises SourceError where the source cannot be read."""

    def fingerprint(self, conf: ResolvedConf) -> str:
        """Return a text that changes when what `read` gives changes."""


def load_adapter(kind: str) -> Adapter:
    """Import the adapter of conf `source.kind`: jobs/sources/KIND.py.

    Raises:
        SourceError: the kind has none, because it lacks what the raw tables need.
    """
    name = f"jobs.sources.{kind}"
    if find_spec(name) is None:
        raise SourceError(
            f"source.kind {kind} lacks item texts, carts or purchases, so that the nightly chain "
            "cannot run on it; `counterpoise experiment` reads it"
        )
    return cast(Adapter, import_module(name))


def query_key(text: Column, region: Column) -> Column:
    """Make query_id: first 16 hex digits of sha256(lower(trim(text)) | region);
    null if either is.
    """
    return F.substring(F.sha2(F.concat(text_key(text), F.lit("|"), region), 256), 1, 16)


def grade_of(label: Column, grades: Mapping[str, int]) -> Column:
    """Turn a label into its grade as text; a label that is not in `grades` stays as it is."""
    named = [F.when(F.trim(label) == name, F.lit(str(grade))) for name, grade in grades.items()]
    return F.coalesce(*named, label.cast("string"))


def no_rows(spark: SparkSession, table: Table) -> DataFrame:
    """Make an empty frame with the columns of a table, for what a source does not have."""
    return spark.createDataFrame([], ", ".join(f"`{c.name}` {c.type}" for c in table.columns))


def require_file(path: str | Path, mend: str) -> Path:
    """Return the absolute path of a file or folder that must exist and not be empty.

    Raises:
        SourceError: it does not exist; `mend` says what to do.
        EmptySourceError: it has no content.
    """
    absolute = Path(path).expanduser().absolute()
    if not absolute.exists():
        raise SourceError(f"{absolute} does not exist; {mend}")
    empty = not any(absolute.iterdir()) if absolute.is_dir() else absolute.stat().st_size == 0
    if empty:
        raise EmptySourceError(f"{absolute} is empty; {mend}")
    return absolute


def require_columns(df: DataFrame, columns: Iterable[str], where: str) -> DataFrame:
    """Check the frame's columns and return it.

    Raises:
        SourceError: a column is missing; the message lists missing and present ones.
    """
    missing = [name for name in columns if name not in df.columns]
    if missing:
        raise missing_columns(missing, df.columns, where)
    return df


def name_column(name: str) -> Column:
    """Return the column of this name, whatever characters are in it."""
    quoted = name.replace("`", "``")
    return F.col(f"`{quoted}`")


def require_plain_values(df: DataFrame, columns: Mapping[str, str], where: str) -> None:
    """Check that the columns (theirs by our name) hold one plain value a row: a list, a map or a
    struct would be taken for its text.

    Raises:
        SourceError: one does not.
    """
    for ours, kind in _find_nested(df, columns).items():
        raise SourceError(
            f"{where}: column {columns[ours]} (for {ours}) is {kind}; give a column of one plain "
            "value a row, in a view or a file of your own"
        )


def leave_out_nested(df: DataFrame, columns: Mapping[str, str], where: str) -> dict[str, str]:
    """Leave out the columns (theirs by our name) that hold no plain values, with a warning each."""
    nested = _find_nested(df, columns)
    for ours, kind in nested.items():
        _LOG.warning(
            "%s: column %s is %s, no plain value, and is not read; map another one to %s",
            *(where, columns[ours], kind, ours),
        )
    return {ours: theirs for ours, theirs in columns.items() if ours not in nested}


def _find_nested(df: DataFrame, columns: Mapping[str, str]) -> dict[str, str]:
    """Find the columns of lists, maps and structs: their types by our name."""
    kinds = {ours: df.schema[theirs].dataType for ours, theirs in columns.items()}
    nested = (ArrayType, MapType, StructType)
    return {ours: kind.simpleString() for ours, kind in kinds.items() if isinstance(kind, nested)}


def missing_columns(missing: Sequence[str], present: Sequence[str], where: str) -> SourceError:
    """Make the error of a source that lacks columns.

    Of a CSV file's columns with one name Spark gives each its place as well: sku0 and sku4.
    """
    twice = [m for m in missing if sum(c == f"{m}{i}" for i, c in enumerate(present)) > 1]
    cause = f"the header names {twice} more than once; " if twice else ""
    return SourceError(
        f"{where}: columns {list(missing)} are missing; present: {list(present)}; {cause}check the "
        f"file, its delimiter, header and encoding, or map the columns in conf"
    )


def files_fingerprint(paths: Iterable[Path]) -> str:
    """Hash of names, sizes and modification times of files, folders walked."""
    files = sorted(
        file for path in paths for file in ([path] if path.is_file() else path.rglob("*"))
    )
    stats = [(str(f), f.stat().st_size, f.stat().st_mtime_ns) for f in files if f.is_file()]
    return section_hash(stats)
