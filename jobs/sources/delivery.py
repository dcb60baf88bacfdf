"""What a source gives for one run, and what earlier runs left of the same tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import MINYEAR, date, timedelta
from functools import cached_property

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from features.contracts import IMPRESSIONS, JUDGMENTS, Table
from features.quality.rule import RULE
from features.quality.typed import MALFORMED_LINE
from features.quality.verdicts import select_standing
from jobs.platform.warehouse import Warehouse
from jobs.sources.base import RawFrames
from jobs.sources.window import replaced_days
from jobs.state.records import DamagedRecordError
from model.files import read_json

RuleCounts = Mapping[str, int]


@dataclass(frozen=True)
class LastRun:
    """The newest run date for which a job finished, and the rows that it read by table."""

    run_date: date
    rows: Mapping[str, int]


@dataclass(frozen=True)
class Delivery:
    """The checked rows of one run.

    Attributes:
        warehouse: the tables as earlier runs left them.
        raw: the frames of the source, for its flags and extras; the rows are taken from `checked`.
        checked: all raw rows with the contract's columns and a verdict, by table.
        rows: raw rows by table (count).
        broken: quarantined rows by table and rule (count).
        last: the newest run that finished, or None.
    """

    warehouse: Warehouse
    raw: RawFrames
    checked: Mapping[Table, DataFrame]
    rows: Mapping[Table, int]
    broken: Mapping[Table, RuleCounts]
    last: LastRun | None

    @property
    def is_backfill(self) -> bool:
        """Whether the tables have served a later run date than this one."""
        run_date = self.warehouse.conf.run_date
        return not self.raw.closed and self.last is not None and self.last.run_date > run_date

    @cached_property
    def log_days(self) -> Mapping[date, int]:
        """Rows that pass by day of the log before the run date, in order: one entry per day."""
        day = F.col("event_date")
        before = (day <= F.lit(self.last_day)) & (F.year(day) >= MINYEAR)
        passed = F.count_if(F.col(RULE).isNull()).alias("passed")
        log = self.checked[IMPRESSIONS].where(before)
        days = log.groupBy(day).agg(passed).orderBy(day).collect()
        return {row["event_date"]: int(row["passed"]) for row in days}

    def days_with_stored(self, days: int) -> Mapping[date, int]:
        """Give rows by day as `log_days`, in order, with the stored days among so many before the
        newest one that the source does not give."""
        given = self.log_days
        if not given or not self.warehouse.exists(IMPRESSIONS):
            return given
        newest = max(given)
        lately = F.col("event_date").between(
            F.lit(newest - timedelta(days=days)), F.lit(newest - timedelta(days=1))
        )
        stored = self.warehouse.read(IMPRESSIONS).where(lately).groupBy("event_date").count()
        rows = {row["event_date"]: int(row["count"]) for row in stored.collect()} | dict(given)
        return dict(sorted(rows.items()))

    @property
    def last_day(self) -> date:
        """The day before the run date: the last one that the log can hold."""
        return self.warehouse.conf.run_date - timedelta(days=1)

    @cached_property
    def given_days(self) -> list[date]:
        """Days of which the source gives rows that pass, in order."""
        return [day for day, passed in self.log_days.items() if passed]

    def allowed_to_shrink(self, table: Table) -> bool:
        """Return whether this run may let the table lose rows (`--allow-shrink`)."""
        return table.name in self.warehouse.conf.allow_shrink

    def speaks_for_absent_rows(self, table: Table) -> bool:
        """Return whether a row of the table that the source does not give is gone from the source.

        It is not where the source sends changes only, and not in a backfill, whose source may be
        of an earlier day than the table.
        """
        incremental = self.warehouse.conf.tree.ingest.incremental
        return table.name not in incremental and not self.is_backfill

    def read_missing(self, table: Table) -> DataFrame:
        """Read the table's rows whose key is in no raw row, whether that one passes or not."""
        keys = self.checked[table].select(*table.key)
        return self.warehouse.read(table).join(keys, on=list(table.key), how="left_anti")

    def read_standing(self, table: Table) -> DataFrame | None:
        """Read the table's rows that stay because their new version is quarantined; None: there are
        none.
        """
        if not self.broken[table] or not self.warehouse.exists(table):
            return None
        rows = self.warehouse.read(table)
        if table is IMPRESSIONS:
            rows = rows.where(replaced_days(self.warehouse.conf))
        return select_standing(rows, self.checked[table], table)

    def build_removal_sql(self, table: Table) -> str | None:
        """Build SQL for the table's rows that are removed where the source lacks their key; None:
        no row is.
        """
        if self.unreadable_lines(table) or not self.speaks_for_absent_rows(table):
            return None
        if self.raw.closed or table is JUDGMENTS:
            return "true"
        if table is IMPRESSIONS and self.given_days:
            return self._given_days_as_sql()
        return None

    def _given_days_as_sql(self) -> str:
        start, end = self.given_days[0], self.given_days[-1]
        if self.allowed_to_shrink(IMPRESSIONS):
            return f"event_date BETWEEN DATE'{start}' AND DATE'{end}'"
        days = ", ".join(f"DATE'{day}'" for day in self.given_days)
        return f"event_date IN ({days})"

    def unreadable_lines(self, table: Table) -> int:
        """Count the lines of the table's input that may be any of its rows."""
        return self.broken[table].get(MALFORMED_LINE, 0)


def last_run(warehouse: Warehouse, job: str = "ingest") -> LastRun | None:
    """The newest run date that a job finished over these tables, by its saved reports.

    Raises:
        DamagedRecordError: that report is not complete JSON.
    """
    reports = sorted(warehouse.report_dir().parent.glob(f"*/{job}.json"))
    if not reports:
        return None
    try:
        counts = read_json(reports[-1], DamagedRecordError)["counts"]
    except DamagedRecordError as error:
        mend = "remove it: the source is then compared with the run before"
        raise DamagedRecordError(f"{error}; {mend}") from None
    rows = {count["table"]: int(count["rows_in"]) for count in counts}
    return LastRun(date.fromisoformat(reports[-1].parent.name), rows)
