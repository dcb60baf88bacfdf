"""The Delta tables of one conf: how they are made, their versions, and where all outputs are."""

import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.errors import UserError
from conf.load import ResolvedConf
from features.contracts import Table
from jobs.command.causes import naming_table
from jobs.delta import history, log_files
from jobs.delta.lock import hold_commit_lock

_OF_RUN = re.compile(r"run_date = DATE'(\d{4}-\d\d-\d\d)'(?: AND |$)")
"""How a condition begins that only rows of one run date satisfy."""


class MissingTableError(UserError, FileNotFoundError):
    """A table that a job reads was never written; the message names the job that makes it."""


@dataclass
class DeltaTables:
    """Tables by path under storage.root, or by name in storage.database.

    Attributes:
        session: Spark, or a function that starts it: versions of tables by path are read without
            it.
        conf: where the tables are.
    """

    session: SparkSession | Callable[[], SparkSession]
    conf: ResolvedConf
    _made: set[str] = field(default_factory=set, init=False, repr=False)

    @property
    def spark(self) -> SparkSession:
        """The session."""
        return self.session() if callable(self.session) else self.session

    @property
    def root(self) -> Path:
        """Root folder of all outputs, absolute."""
        return Path(self.conf.tree.storage.root).absolute()

    def snapshot_dir(self) -> Path:
        """Return the folder of the run date's training snapshot."""
        return self.root / "snapshots" / self.conf.run_date.isoformat()

    def model_dir(self) -> Path:
        """Return the folder of the run date's model."""
        return self.root / "models" / self.conf.run_date.isoformat()

    def report_dir(self) -> Path:
        """Return the folder of the run date's reports and resolved conf."""
        return self.root / "reports" / self.conf.run_date.isoformat()

    def judging_dir(self) -> Path:
        """Return the folder of what the raters of the run date get and send."""
        return self.root / "judging" / self.conf.run_date.isoformat()

    def build_identifier(self, table: Table) -> str:
        """Build the SQL identifier: catalog.schema.name, or delta.`path`."""
        database = self.conf.tree.storage.database
        return f"{database}.{table.name}" if database else f"delta.`{self.locate_table(table)}`"

    @naming_table("looking for")
    def exists(self, table: Table) -> bool:
        """Return whether the table was ever created."""
        if self.conf.tree.storage.database:
            return bool(self.spark.catalog.tableExists(self.build_identifier(table)))
        return log_files.is_table(self.locate_table(table))

    def read_version(self, table: Table) -> int:
        """Read the latest version of an existing table."""
        return self.last_commit(table).version

    def last_commit(self, table: Table) -> history.Commit:
        """Return the newest commit of an existing table.

        Raises:
            MissingTableError: it has none.
        """
        commit = next(self.list_commits(table), None)
        if commit is None:
            raise MissingTableError(f"table {table.name} has no commit")
        return commit

    def list_commits(self, table: Table) -> Iterator[history.Commit]:
        """List the commits on record of an existing table, newest first."""
        if self.conf.tree.storage.database:
            return history.commits_by_spark(self.open_delta(table))
        return log_files.newest_commits(self.locate_table(table))

    def data_files(self, table: Table, run_date: str | None = None) -> list[Path]:
        """List the local data files of an existing table's newest version.

        Args:
            run_date: only those that may hold rows of this run date (YYYY-MM-DD).
        """
        state = self._read_state(table)
        if state is not None:
            return state.files_of("run_date", run_date) if run_date else list(state.files)
        rows = self.open_delta(table).toDF()
        rows = rows if run_date is None else rows.where(F.col("run_date") == F.lit(run_date))
        uris = [uri for uri in rows.inputFiles() if uri.startswith(("file:", "/"))]
        return [_local_path(uri) for uri in uris]

    def whole_files(self, table: Table, version: int, run_date: str) -> list[Path]:
        """List the local data files whose rows, read as plain Parquet, are those of a run date.

        Args:
            version: of the table that was read.

        Returns:
            Nothing where only Delta can tell the rows: other run dates share a file, a deletion
            vector takes rows away, the table goes by name, or it has another version by now.
        """
        state = self._read_state(table)
        if state is None or state.version != version:
            return []
        return state.files_of_only("run_date", run_date)

    def holds_none(self, table: Table, where: str) -> bool:
        """Return whether the log of an existing table shows that no row satisfies `where`.

        The log knows which run dates a file may hold. For other conditions the answer is yes only
        where the table has no files; for tables by name it is always no.
        """
        state = self._read_state(table)
        if state is None:
            return False
        run_date = _OF_RUN.match(where)
        return not (state.files_of("run_date", run_date[1]) if run_date else state.files)

    def list_values(self, table: Table, column: str) -> set[str] | None:
        """List the values of a text column by the log; None unless every file holds a single
        value."""
        state = self._read_state(table)
        return None if state is None else state.list_values(column)

    def _read_state(self, table: Table) -> log_files.TableState | None:
        """Read what the log says of an existing table; None where only Spark can tell."""
        if self.conf.tree.storage.database:
            return None
        with suppress(log_files.UnreadableLogError):
            return log_files.read_state(self.locate_table(table))
        return None

    def locate_table(self, table: Table) -> Path:
        """Return the folder of a table by path."""
        return self.root / "tables" / table.name

    def open_delta(self, table: Table) -> DeltaTable:
        """Open a handle of an existing table, for its history."""
        if self.conf.tree.storage.database:
            return DeltaTable.forName(self.spark, self.build_identifier(table))
        return DeltaTable.forPath(self.spark, str(self.locate_table(table)))

    def read_at(self, table: Table, version: int) -> DataFrame:
        """Read the table at a version."""
        reader = self.spark.read.format("delta").option("versionAsOf", version)
        if self.conf.tree.storage.database:
            return table.complete(reader.table(self.build_identifier(table)))
        return table.complete(reader.load(str(self.locate_table(table))))

    def create(self, table: Table) -> bool:
        """Create the table from its contract; a table of an older contract gets what it lacks.

        New columns are null in existing rows, so only optional ones can be added.

        Returns:
            Whether there was none before.
        """
        if table.name in self._made:
            return False
        with self.commit_alone(table):
            is_new = not self.exists(table)
            if is_new:
                self._clear_torn(table)
                self.spark.sql(table.build_ddl(self.build_identifier(table)))
            else:
                self._add_columns(table)
                self._renew_checks(table)
        self._made.add(table.name)
        return is_new

    def commit_alone(self, table: Table) -> AbstractContextManager[bool]:
        """Keep other processes of this machine from writing the table in the block.

        The context is whether it does: not where the file system has no locks, nor for tables by
        name, whose commits a catalog keeps apart.
        """
        if self.conf.tree.storage.database:
            return nullcontext(False)
        return hold_commit_lock(self.root, table.name)

    def _clear_torn(self, table: Table) -> None:
        """Remove the log of a run that was killed before the table's first commit.

        Delta makes no table in a folder that holds anything. A log with a commit is never touched.
        """
        log = self.locate_table(table) / "_delta_log"
        if self.conf.tree.storage.database or not log.is_dir():
            return
        if all(path.is_dir() or path.name.startswith(".") for path in log.rglob("*")):
            shutil.rmtree(log)

    def _add_columns(self, table: Table) -> None:
        lacking = table.find_lacking(self._columns_and_properties(table)[0])
        if lacking:
            columns = ", ".join(column.build_ddl() for column in lacking)
            self.spark.sql(f"ALTER TABLE {self.build_identifier(table)} ADD COLUMNS ({columns})")

    def _renew_checks(self, table: Table) -> None:
        """Replace the constraints whose expression the contract has changed since."""
        name = self.build_identifier(table)
        properties = self._columns_and_properties(table)[1]
        for check in table.checks:
            if (
                properties.get(f"delta.constraints.{check.name}", check.expression)
                != check.expression
            ):
                self.spark.sql(f"ALTER TABLE {name} DROP CONSTRAINT {check.name}")
                self.spark.sql(
                    f"ALTER TABLE {name} ADD CONSTRAINT {check.name} CHECK ({check.expression})"
                )

    def _columns_and_properties(self, table: Table) -> tuple[Sequence[str], Mapping[str, str]]:
        state = self._read_state(table)
        if state is not None:
            return state.columns, state.properties
        rows = self.spark.sql(f"SHOW TBLPROPERTIES {self.build_identifier(table)}").collect()
        return self.open_delta(table).toDF().columns, {row["key"]: row["value"] for row in rows}


def _local_path(uri: str) -> Path:
    """Return the file of a URI, whether its special characters are escaped or not."""
    path = "/" + uri.removeprefix("file:").lstrip("/")
    return Path(path) if Path(path).exists() else Path(unquote(path))
