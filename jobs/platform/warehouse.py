"""The only reads and writes of Delta tables, and where everything else is kept."""

import json
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from delta.tables import DeltaTable
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

from conf.errors import UserError
from conf.load import ResolvedConf
from features.contracts import Table
from jobs.platform import history
from jobs.platform.causes import naming_table
from jobs.platform.report import JobReport
from jobs.platform.version import code_version


class MissingTableError(UserError, FileNotFoundError):
    """A table that a job reads was never written; the message names the job that makes it."""


class RivalRunError(UserError, RuntimeError):
    """Two runs of one job write the same rows; the message names the table."""


@dataclass(frozen=True)
class Written:
    """Outcome of a write: rows written and the table version that holds them (-1: dry run)."""

    rows: int
    version: int


@dataclass
class Warehouse:
    """Tables of one configuration; remembers the versions read and written in the report."""

    spark: SparkSession
    conf: ResolvedConf
    report: JobReport
    _made: set[str] = field(default_factory=set)

    # --- places -------------------------------------------------------------------------------

    @property
    def root(self) -> Path:
        """Root folder of all outputs, absolute."""
        return Path(self.conf.tree.storage.root).absolute()

    def snapshot_dir(self) -> Path:
        """Folder of the run date's training snapshot."""
        return self.root / "snapshots" / self.conf.run_date.isoformat()

    def model_dir(self) -> Path:
        """Folder of the run date's model."""
        return self.root / "models" / self.conf.run_date.isoformat()

    def report_dir(self) -> Path:
        """Folder of the run date's reports and resolved conf."""
        return self.root / "reports" / self.conf.run_date.isoformat()

    def judging_dir(self) -> Path:
        """Folder of what the raters of the run date get and send."""
        return self.root / "judging" / self.conf.run_date.isoformat()

    def identifier(self, table: Table) -> str:
        """SQL identifier: catalog.schema.name, or delta.`path`."""
        database = self.conf.tree.storage.database
        return f"{database}.{table.name}" if database else f"delta.`{self._path(table)}`"

    # --- reads --------------------------------------------------------------------------------

    @naming_table("looking for")
    def exists(self, table: Table) -> bool:
        """Whether the table was ever created."""
        if self.conf.tree.storage.database:
            return bool(self.spark.catalog.tableExists(self.identifier(table)))
        return bool(DeltaTable.isDeltaTable(self.spark, self._path(table)))

    def version(self, table: Table) -> int:
        """Latest version of an existing table."""
        return int(self._last_commit(table)["version"])

    @naming_table("reading")
    def read(self, table: Table, at: int | None = None) -> DataFrame:
        """The table at a pinned version (the latest by default), noted in the report.

        Raises:
            MissingTableError: the table does not exist.
        """
        if not self.exists(table):
            raise MissingTableError(
                f"table {table.name} does not exist ({self.identifier(table)}); run "
                f"`counterpoise nightly`, or the job that makes it, for this conf first"
            )
        pinned = self.version(table) if at is None else at
        self.report.inputs[table.name] = pinned
        reader = self.spark.read.format("delta").option("versionAsOf", pinned)
        if self.conf.tree.storage.database:
            return table.completed(reader.table(self.identifier(table)))
        return table.completed(reader.load(self._path(table)))

    def read_run(self, table: Table) -> DataFrame:
        """The rows of this run date of a per-run table."""
        return self.read(table).where(f"run_date = DATE'{self.conf.run_date.isoformat()}'")

    # --- writes -------------------------------------------------------------------------------

    def create(self, table: Table) -> None:
        """Create the table from its contract; one of an older contract gets its columns and checks.

        New columns are null in the rows that are there: only optional ones can be added.
        """
        if table.name not in self._made:
            if self.exists(table):
                self._add_columns(table)
                self._renew_checks(table)
            else:
                self.spark.sql(table.ddl(self.identifier(table)))
            self._made.add(table.name)

    def _add_columns(self, table: Table) -> None:
        lacking = table.lacking(self.delta(table).toDF().columns)
        if lacking:
            columns = ", ".join(column.ddl() for column in lacking)
            self.spark.sql(f"ALTER TABLE {self.identifier(table)} ADD COLUMNS ({columns})")

    def _renew_checks(self, table: Table) -> None:
        """Replace the constraints whose expression the contract has changed since."""
        name = self.identifier(table)
        there = {
            r["key"]: r["value"] for r in self.spark.sql(f"SHOW TBLPROPERTIES {name}").collect()
        }
        for check in table.checks:
            if there.get(f"delta.constraints.{check.name}", check.expression) != check.expression:
                self.spark.sql(f"ALTER TABLE {name} DROP CONSTRAINT {check.name}")
                self.spark.sql(
                    f"ALTER TABLE {name} ADD CONSTRAINT {check.name} CHECK ({check.expression})"
                )

    @naming_table("writing")
    def replace(self, table: Table, df: DataFrame, where: str) -> Written:
        """Replace the rows that satisfy `where` (all new rows must) in one commit."""
        rows = table.conform(df)
        if self.conf.dry_run:
            return self._planned(table, rows, f"replace where {where}")
        self.create(table)
        writer = (
            rows.write.format("delta")
            .mode("overwrite")
            .option("replaceWhere", where)
            .option("userMetadata", self._metadata())
        )
        if self.conf.tree.storage.database:
            writer.saveAsTable(self.identifier(table))
        else:
            writer.save(self._path(table))
        return self._written(table)

    def replace_run(self, table: Table, df: DataFrame) -> Written:
        """Replace the rows of this run date."""
        return self.replace(table, df, f"run_date = DATE'{self.conf.run_date.isoformat()}'")

    @naming_table("writing")
    def merge(
        self, table: Table, df: DataFrame, *, update: bool = True, prune: str | None = None
    ) -> Written:
        """Upsert rows that are unique by the table's key; `update=False` only inserts new keys.

        `prune` is SQL over the table: rows that satisfy it and have no row in `df` are deleted.

        Written.rows counts the rows of `df` that the merge touched or left as they were.
        """
        rows = table.conform(df)
        if self.conf.dry_run:
            return self._planned(table, rows, f"merge on {', '.join(table.key)}")
        self.create(table)
        condition = " AND ".join(f"t.`{k}` = s.`{k}`" for k in table.key)
        merge = self.delta(table).alias("t").merge(rows.alias("s"), condition)
        if update:
            changed = " OR ".join(
                f"NOT (t.`{c}` <=> s.`{c}`)" for c in table.column_names if c not in table.key
            )
            merge = merge.whenMatchedUpdateAll(condition=changed)
        if prune is not None:
            merge = merge.whenNotMatchedBySourceDelete(condition=prune)
        self.spark.conf.set("spark.databricks.delta.commitInfo.userMetadata", self._metadata())
        try:
            merge.whenNotMatchedInsertAll().execute()
        finally:
            self.spark.conf.unset("spark.databricks.delta.commitInfo.userMetadata")
        return self._written(table, "numSourceRows")

    @naming_table("writing")
    def append(self, table: Table, df: DataFrame, writer: str, number: int) -> Written:
        """Add rows in one commit that a second try, or a rival, cannot add again.

        Args:
            writer: names the run that writes. Delta takes commit `number` of a writer once.
            number: of this commit, from 0 upwards.

        Raises:
            RivalRunError: a commit of this number is there already: another run writes the same.
        """
        rows = table.conform(df)
        if self.conf.dry_run:
            return self._planned(table, rows, f"append {number}")
        self.create(table)
        before = self.version(table)
        commit = uuid.uuid4().hex
        options = {"txnAppId": writer, "txnVersion": str(number)}
        delta = rows.write.format("delta").mode("append").options(**options)
        delta = delta.option("userMetadata", self._metadata(writer=writer, commit=commit))
        try:
            if self.conf.tree.storage.database:
                delta.saveAsTable(self.identifier(table))
            else:
                delta.save(self._path(table))
        except (PySparkException, Py4JError) as error:
            if "DELTA_CONCURRENT_TRANSACTION" not in str(error):
                raise
        return self._appended(table, before, commit, number)

    # --- inside -------------------------------------------------------------------------------

    def _path(self, table: Table) -> str:
        return str(self.root / "tables" / table.name)

    def delta(self, table: Table) -> DeltaTable:
        """Handle of an existing table, for its history."""
        if self.conf.tree.storage.database:
            return DeltaTable.forName(self.spark, self.identifier(table))
        return DeltaTable.forPath(self.spark, self._path(table))

    def _last_commit(self, table: Table) -> dict[str, Any]:
        row = self.delta(table).history(1).select("version", "operationMetrics").first()
        if row is None:
            raise MissingTableError(f"table {table.name} has no commit")
        commit: dict[str, Any] = row.asDict()
        return commit

    def _written(self, table: Table, metric: str = "numOutputRows") -> Written:
        commit = self._last_commit(table)
        metrics = commit["operationMetrics"]
        # replaceWhere rewrites files that also hold rows outside of it, and counts those as output.
        copied = int(metrics.get("numCopiedRows", 0)) if metric == "numOutputRows" else 0
        outcome = Written(int(metrics.get(metric, 0)) - copied, int(commit["version"]))
        self.report.outputs[table.name] = outcome.version
        return outcome

    def _appended(self, table: Table, before: int, commit: str, number: int) -> Written:
        """The commit that carries this mark among those after `before`."""
        found = history.commit_of(self.delta(table), before, commit)
        if found is None:
            raise RivalRunError(
                f"table {table.name}: another run wrote part {number} of the same work; let only "
                "one of them run"
            )
        rows, version = found
        self.report.outputs[table.name] = version
        return Written(rows, version)

    def _planned(self, table: Table, rows: DataFrame, how: str) -> Written:
        count = rows.count()
        self.report.notes.append(f"dry run: would write {count} rows to {table.name} ({how})")
        return Written(count, -1)

    def _metadata(self, **more: str | int) -> str:
        return json.dumps(
            {
                **more,
                "job": self.report.job,
                "run_date": self.report.run_date,
                "conf_hash": self.report.conf_hash,
                "code_version": code_version(),
            }
        )
