"""Whether tables still hold what a step recorded of them: its commit, its rows, its files."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from features.contracts import Table
from jobs.command.version import code_version
from jobs.delta.history import Commit
from jobs.platform.warehouse import Warehouse

_IGNORE_MISSING = "spark.sql.files.ignoreMissingFiles"
_CHANGING = ("WRITE", "MERGE", "DELETE", "UPDATE", "TRUNCATE", "RESTORE", "REPLACE", "STREAMING")
"""How the names of operations begin that change rows; OPTIMIZE and the like move them."""
_MEND = "mend"
"""Named as the job of a commit that drops files which are gone."""


@dataclass(frozen=True)
class TableLog:
    """The commits and files of tables as they are now, each looked up once until `forget`."""

    warehouse: Warehouse
    _commits: dict[str, list[Commit]] = field(default_factory=dict)
    _missing: dict[tuple[str, int], list[str]] = field(default_factory=dict)

    def forget(self) -> None:
        """Forget the commits that were looked up, because somebody wrote."""
        self._commits.clear()

    def list_commits(self, table: Table) -> list[Commit]:
        """List the table's commits on record, newest first; none where it does not exist."""
        if table.name not in self._commits:
            exists = self.warehouse.exists(table)
            recorded = list(self.warehouse.list_commits(table)) if exists else []
            self._commits[table.name] = recorded
        return self._commits[table.name]

    def read_version(self, table: Table, without: Sequence[str] = ()) -> int | None:
        """Return the latest version; with `without`, the latest that others than
        these jobs wrote.
        """
        if not without:
            return next((commit.version for commit in self.list_commits(table)), None)
        by_others = (
            commit.version
            for commit in self.list_commits(table)
            if commit.operation != "CREATE TABLE" and commit.metadata.get("job") not in without
        )
        return next(by_others, None)

    def why_changed(
        self, table: Table, version: int, name: str | None, makers: Sequence[str]
    ) -> str | None:
        """Return what differs from a step's commit of this version and name, or None.

        Args:
            table: an output of the step.
            version: that the step left.
            name: of the commit that made it; None where it was not recorded.
            makers: jobs of the chain that write to the table; each has a record of its own.
        """
        commits = self.list_commits(table)
        if not commits:
            return f"table {table.name} is gone"
        recorded = next((commit for commit in commits if commit.version == version), None)
        # Delta drops old entries of its log by and by; a version beyond the newest one was lost.
        lost = commits[0].version < version
        if lost or (recorded is not None and name is not None and recorded.name != name):
            return f"commit {version} of table {table.name} is gone"
        later = [commit for commit in commits if commit.version > version]
        rival = self._find_rival(table, recorded, later, makers)
        if rival is not None:
            who = rival.metadata.get("job", "somebody else")
            return f"{who} wrote to table {table.name} since (version {rival.version})"
        missing = self.missing_files(table)
        return f"files of table {table.name} are gone, e.g. {missing[0]}" if missing else None

    def missing_files(self, table: Table) -> list[str]:
        """List files of the newest version that are not in the table's folder; of a per-run table
        only those that may hold rows of the run date. What is not on a local disk or mount is not
        looked at.
        """
        version = self.read_version(table)
        if version is None:
            return []
        key = (table.name, version)
        if key not in self._missing:
            self._missing[key] = _list_missing(self.warehouse, table)
        return self._missing[key]

    def _find_rival(
        self,
        table: Table,
        recorded: Commit | None,
        later: Sequence[Commit],
        makers: Sequence[str],
    ) -> Commit | None:
        """Find the last of later commits that changed rows of the recorded one.

        Of a table that all runs share, what a job of ours wrote since is a new state, which the
        steps that read it see; a rival's is only what came from outside, mended the table, or put
        the rows of another run date in place of those of the step: a source that draws its rows
        anew for each run date.
        """
        per_run = "run_date" in table.key
        today = self.warehouse.conf.run_date.isoformat()
        ours = recorded.metadata.get("where") if recorded else None

        def is_rival(commit: Commit) -> bool:
            job, date = commit.metadata.get("job"), commit.metadata.get("run_date", today)
            if not _may_touch(commit, ours):
                return False
            if job in makers:
                replaced = ours is not None and "where" in commit.metadata
                return not per_run and replaced and date != today
            return (per_run or job in (None, _MEND)) and date == today

        changed = (commit for commit in later if commit.operation.startswith(_CHANGING))
        return next(filter(is_rival, changed), None)


def _may_touch(commit: Commit, ours: str | None) -> bool:
    """Return whether a commit may have changed rows that satisfy our condition.

    One that names no condition (DELETE by hand) may have changed any; of two conditions that begin
    alike and part ways, each has rows of its own.
    """
    theirs = commit.metadata.get("where")
    if theirs is None or ours is None:
        return True
    return ours.startswith(str(theirs)) or str(theirs).startswith(ours)


def drop_missing_files(warehouse: Warehouse, tables: Sequence[Table]) -> list[str]:
    """Commit tables without the files that are gone, so that they can be read and written again.

    The commit names no run date: every run that wrote to the table takes its rows for changed.

    Returns:
        A warning per table that lacked files.
    """
    warnings = []
    for table in tables:
        missing = _list_missing(warehouse, table) if warehouse.exists(table) else []
        if missing:
            _rewrite_table(warehouse, table)
            warnings.append(
                f"{len(missing)} files of table {table.name} were gone, e.g. {missing[0]}: steps "
                "make their rows again; those that only earlier runs could make are lost"
            )
    return warnings


def _list_missing(warehouse: Warehouse, table: Table) -> list[str]:
    per_run = "run_date" in table.key
    files = warehouse.data_files(table, warehouse.conf.run_date.isoformat() if per_run else None)
    return [str(path) for path in files if not path.exists()]


def _rewrite_table(warehouse: Warehouse, table: Table) -> None:
    """Commit the rows that can be read as the whole table: files that are gone leave its log.

    The commit names the job _MEND, without a run date.
    """
    spark = warehouse.spark
    before = spark.conf.get(_IGNORE_MISSING, "false")
    spark.conf.set(_IGNORE_MISSING, "true")
    try:
        metadata = json.dumps({"job": _MEND, "code_version": code_version()})
        with warehouse.commit_alone(table):
            rows = warehouse.open_delta(table).toDF()
            writer = rows.write.format("delta").mode("overwrite").option("userMetadata", metadata)
            if warehouse.conf.tree.storage.database:
                writer.saveAsTable(warehouse.build_identifier(table))
            else:
                writer.save(str(warehouse.locate_table(table)))
    finally:
        spark.conf.set(_IGNORE_MISSING, before or "false")
