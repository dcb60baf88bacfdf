"""The only reads and writes of Delta tables."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import uuid4

from pyspark import StorageLevel
from pyspark.sql import DataFrame, DataFrameWriter
from pyspark.sql import functions as F

from features.contracts import Table
from jobs.command.causes import naming_table
from jobs.delta import history
from jobs.delta.commits import RivalRunError, retry_commit
from jobs.delta.difference import (
    CHANGE,
    DELETE,
    SAME,
    content_hash,
    find_changes,
    hold_to,
    merge_changes,
)
from jobs.delta.history import Written
from jobs.delta.tables import DeltaTables, MissingTableError
from jobs.platform.report import JobReport

_USER_METADATA = "spark.databricks.delta.commitInfo.userMetadata"
_NEW_ROWS = "new rows of counterpoise"
"""Writer of the commits that add rows without a look at the table."""


@dataclass
class Warehouse(DeltaTables):
    """Tables of one configuration; remembers the versions read and written in the report."""

    report: JobReport

    # --- reads --------------------------------------------------------------------------------

    @naming_table("reading")
    def read(self, table: Table, at: int | None = None) -> DataFrame:
        """Read the table at a pinned version (the latest by default), noted in the report.

        Raises:
            MissingTableError: the table does not exist.
        """
        if not self.exists(table):
            raise MissingTableError(
                f"table {table.name} does not exist ({self.build_identifier(table)}); run "
                f"`counterpoise nightly`, or the job that makes it, for this conf first"
            )
        pinned = self.read_version(table) if at is None else at
        self.report.inputs[table.name] = pinned
        return self.read_at(table, pinned)

    def read_run(self, table: Table) -> DataFrame:
        """Read the rows of this run date of a per-run table."""
        return self.read(table).where(f"run_date = DATE'{self.conf.run_date.isoformat()}'")

    # --- writes -------------------------------------------------------------------------------

    @naming_table("writing")
    def replace(
        self, table: Table, df: DataFrame, where: str, *, unless_equal: bool = False
    ) -> Written:
        """Replace the rows that satisfy `where` (all new rows must) in one commit.

        `unless_equal` reads `df` twice, and writes nothing where the table holds equal rows.
        """
        rows = table.conform(df)
        if self.conf.dry_run:
            return self._note_planned(table, rows, f"replace where {where}")
        is_new = self.create(table)
        if unless_equal and not is_new:
            stored = table.conform(self.read_at(table, self.read_version(table)).where(where))
            given = content_hash(rows)
            if content_hash(stored) == given:
                return self._leave_rows(table, given[0])
        save = partial(self._replace_rows, table, rows, where)
        commit = retry_commit(lambda: self._find_commit(table, save))
        if commit is None:  # no rows in place of none: Delta commits nothing
            return self._leave_rows(table, 0)
        # replaceWhere rewrites files that also hold rows outside of it, and counts those as output.
        copied = int(commit.metrics.get("numCopiedRows", 0))
        return self._note_written(table, commit, commit.rows - copied)

    def replace_run(self, table: Table, df: DataFrame) -> Written:
        """Replace the rows of this run date."""
        return self.replace(table, df, f"run_date = DATE'{self.conf.run_date.isoformat()}'")

    @naming_table("writing")
    def merge(
        self,
        table: Table,
        df: DataFrame,
        *,
        update: bool = True,
        prune: str | None = None,
        new_at: int | None = None,
    ) -> Written:
        """Upsert rows that are unique by the table's key.

        Only the difference is written; where there is none, no commit is made, and the version is
        the one that stands. Written.rows counts the rows of `df`.

        Args:
            update: false: only rows of new keys are inserted.
            prune: SQL over the table: rows that satisfy it and have no row in `df` are deleted.
            new_at: version of the table that holds no key of `df`: while it is the newest one, the
                rows are appended, and nothing of the table is read.
        """
        rows = table.conform(df)
        if self.conf.dry_run:
            return self._note_planned(table, rows, f"merge on {', '.join(table.key)}")
        is_new = self.create(table)
        new_at = 0 if is_new else new_at
        written = None if new_at is None else self._append_new_rows(table, rows, new_at, is_new)
        return written or retry_commit(lambda: self._merge_new(table, rows, update, prune))

    @naming_table("writing")
    def append(
        self,
        table: Table,
        df: DataFrame,
        writer: str,
        number: int,
        figures: Mapping[str, Any] | None = None,
    ) -> Written:
        """Add rows in one commit that a second try, or a rival, cannot add again.

        Args:
            writer: names the run that writes. Delta takes commit `number` of a writer once.
            number: of this commit, from 0 upwards.
            figures: kept in the commit's metadata, for whoever finds it after a kill.

        Raises:
            RivalRunError: a commit of this number is there already: another run writes the same.
        """
        rows = table.conform(df)
        if self.conf.dry_run:
            return self._note_planned(table, rows, f"append {number}")
        self.create(table)
        delta = rows.write.format("delta").mode("append")
        delta = delta.options(txnAppId=writer, txnVersion=str(number))
        commit = retry_commit(
            lambda: self._sole_commit(
                table,
                lambda name: self._save_rows(
                    delta, table, commit=name, writer=writer, figures=dict(figures or {})
                ),
            )
        )
        return self._note_written(table, commit, commit.rows)

    def _save_rows(self, rows: DataFrameWriter, table: Table, **more: Any) -> None:
        writer = rows.option("userMetadata", history.build_metadata(self.report, **more))
        if self.conf.tree.storage.database:
            writer.saveAsTable(self.build_identifier(table))
        else:
            writer.save(str(self.locate_table(table)))

    def _replace_rows(self, table: Table, rows: DataFrame, where: str, name: str) -> None:
        """Write the rows in place of those that satisfy `where`; where there are none, append them:
        a replacement would compute the table's state, and look through its files, for nothing.
        """
        with self.commit_alone(table) as alone:
            if alone and self.holds_none(table, where):
                writer = hold_to(where, rows).write.format("delta").mode("append")
            else:
                writer = rows.write.format("delta").mode("overwrite").option("replaceWhere", where)
            self._save_rows(writer, table, commit=name, where=where)

    def _append_new_rows(
        self, table: Table, rows: DataFrame, version: int, is_new: bool = False
    ) -> Written | None:
        """Append rows of keys that this version of the table lacks; None where another run may have
        written since: Delta refuses a second append that began from the same version.

        Without a lock only a table that was just made is sure to be as it was.
        """
        writer = rows.write.format("delta").mode("append")
        writer = writer.options(txnAppId=_NEW_ROWS, txnVersion=str(version + 1))
        with self.commit_alone(table) as alone:
            if not (is_new or alone) or self.read_version(table) != version:
                return None
            save = partial(self._save_rows, writer, table)
            commit = retry_commit(lambda: self._find_commit(table, lambda name: save(commit=name)))
        return self._note_written(table, commit, commit.rows) if commit else None

    def _merge_new(self, table: Table, rows: DataFrame, update: bool, prune: str | None) -> Written:
        stored = self.read_at(table, self.read_version(table))
        changed = find_changes(table, stored, rows, update=update, prune=prune)
        # The join is worked out once: counted here, merged below. Few rows differ in a night.
        changed = changed.persist(StorageLevel.DISK_ONLY)
        try:
            rows_by_change = changed.groupBy(CHANGE).count().collect()
            counts = {r[CHANGE]: int(r["count"]) for r in rows_by_change}
            given = sum(n for change, n in counts.items() if change != DELETE)
            if not set(counts) - {SAME}:
                return self._leave_rows(table, given)
            changes = changed.where(F.col(CHANGE) != SAME)
            merge = partial(self._commit_merge, table, changes, update)
            return self._note_written(table, self._sole_commit(table, merge), given)
        finally:
            changed.unpersist()

    def _commit_merge(self, table: Table, changes: DataFrame, update: bool, name: str) -> None:
        self.spark.conf.set(_USER_METADATA, history.build_metadata(self.report, commit=name))
        try:
            merge_changes(self.open_delta(table), table, changes, update)
        finally:
            self.spark.conf.unset(_USER_METADATA)

    def _sole_commit(self, table: Table, write: Callable[[str], None]) -> history.Commit:
        """Return the commit that `write` makes, which only a rival's can prevent."""
        commit = self._find_commit(table, write)
        if commit is None:
            raise RivalRunError(
                f"table {table.name}: another run wrote the same part of the same work; let only "
                "one of them run"
            )
        return commit

    def _find_commit(self, table: Table, write: Callable[[str], None]) -> history.Commit | None:
        """Run `write`, and find the commit that it made under the name that it is given, if any.

        Found by its name: the newest commit may be another run's, or a table optimisation.
        """
        name = uuid4().hex
        with self.commit_alone(table):
            write(name)
        return history.commit_named(self.list_commits(table), name)

    def _note_written(self, table: Table, commit: history.Commit, rows: int) -> Written:
        self.report.outputs[table.name] = commit.version
        self.report.commits[table.name] = commit.name
        return Written(rows, commit.version)

    def _leave_rows(self, table: Table, rows: int) -> Written:
        """Leave the table as it is: its newest commit holds these rows already."""
        return self._note_written(table, self.last_commit(table), rows)

    def _note_planned(self, table: Table, rows: DataFrame, how: str) -> Written:
        count = rows.count()
        self.report.notes.append(f"dry run: would write {count} rows to {table.name} ({how})")
        return Written(count, -1)
