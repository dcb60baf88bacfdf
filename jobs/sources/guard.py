"""Stops a run whose input is empty, lost rows or ended early, before anything is written.

A closed data set is what its files and conf say, so only its emptiness is an error. In a team's
source three things count as an outage until somebody says that they are meant:

- an input without rows whose table has some;
- an input that lost more than `ingest.max_lost_share` of its rows. The log and judgments are
  compared with the table by key: of the log the days from the first to the last that the source
  gives, so that a source which sends yesterday only has lost nothing. The catalogue and the queries
  only grow in the tables, so they are compared with the rows that the last run read;
- a log whose newest day is more than `ingest.max_lag_days` before the day before the run date.

`--allow-shrink TABLE` lets a table pass the first two.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from statistics import median

from pyspark.sql import functions as F

from conf.errors import DataRefusedError
from conf.load import ResolvedConf
from features.contracts import IMPRESSIONS, ITEMS, JUDGMENTS, QUERIES, Table
from jobs.sources.delivery import Delivery


class InputRefusedError(DataRefusedError):
    """A source gives no rows, fewer than before or a log that ended; the message says which."""


@dataclass(frozen=True)
class Loss:
    """Rows of `before` that the source no longer has; `of` says what they are rows of."""

    lost: int
    before: int
    of: str

    @property
    def share(self) -> float:
        """Share that is lost, 0 where there was nothing."""
        return self.lost / self.before if self.before else 0.0


_NONE = Loss(0, 0, "")
_USUAL_DAYS = 7
"""A week: each weekday counts once."""
_THIN_DAY = 0.5
"""Share of a usual day's rows below which the newest day may be cut off (fraction).

A warning, no stop: weekends and holidays do that to some shops.
"""


def require_some_rows(rows: Mapping[Table, int], conf: ResolvedConf) -> None:
    """Stop where there is nothing to train on, whatever the tables hold.

    Raises:
        InputRefusedError: no items, no queries, or neither impressions nor judgments.
    """
    kind, may_send_none = conf.source.kind, conf.tree.ingest.incremental
    for table in (ITEMS, QUERIES):
        if rows[table] == 0 and table.name not in may_send_none:
            raise InputRefusedError(
                f"source {kind} gives no {table.name}; check that its files hold rows below the "
                f"header and that conf `source` points at them"
            )
    if rows[IMPRESSIONS] + rows[JUDGMENTS] == 0 and not may_send_none:
        raise InputRefusedError(
            f"source {kind} gives neither impressions nor judgments; one of them is needed to "
            f"train on: check its files, run_date and ingest.history_days"
        )


def require_whole(delivery: Delivery) -> None:
    """Stop at an outage; note in the report what is missing but is no outage.

    Raises:
        InputRefusedError: an input is empty, lost too much or ended early; all of them are named.
    """
    losses = (
        {} if delivery.raw.closed else {t: _measure_loss(delivery, t) for t in delivery.checked}
    )
    outage = [line for table, loss in losses.items() for line in _too_much(delivery, table, loss)]
    outage += [] if delivery.raw.closed else _too_old(delivery)
    if outage:
        kind = delivery.warehouse.conf.source.kind
        raise InputRefusedError(f"source {kind}; nothing was written: {'; '.join(outage)}")
    _report_losses(delivery, losses)


def _measure_loss(delivery: Delivery, table: Table) -> Loss:
    log_is_empty = table is IMPRESSIONS and not delivery.rows[table] and not delivery.is_backfill
    compared = delivery.speaks_for_absent_rows(table) or log_is_empty
    if table in delivery.raw.derived or not compared:
        return _NONE
    if table in (ITEMS, QUERIES):
        before = delivery.last.rows.get(table.name, 0) if delivery.last else 0
        return Loss(max(0, before - delivery.rows[table]), before, "rows of the last run")
    if not delivery.warehouse.exists(table):
        return _NONE
    stored, missing, of = delivery.warehouse.read(table), delivery.read_missing(table), "rows"
    if table is IMPRESSIONS and delivery.rows[table]:
        if not delivery.given_days:
            return _NONE
        start, end = delivery.given_days[0], delivery.given_days[-1]
        between = F.col("event_date").between(F.lit(start), F.lit(end))
        stored, missing, of = (
            stored.where(between),
            missing.where(between),
            f"{of} of {start} to {end}",
        )
    return Loss(missing.count(), stored.count(), f"{of} in the table")


def _too_much(delivery: Delivery, table: Table, loss: Loss) -> Iterator[str]:
    allowed = getattr(delivery.warehouse.conf.tree.ingest.max_lost_share, table.name)
    if delivery.allowed_to_shrink(table) or not loss.lost:
        return
    meant = f"mend the feed, or pass --allow-shrink {table.name} where it is meant"
    if delivery.rows[table] == 0:
        yield f"{table.name}: no rows now, {loss.before} {loss.of}; {meant}"
    elif loss.share > allowed:
        yield (
            f"{table.name}: {loss.lost} of {loss.before} {loss.of} are gone ({loss.share:.0%}), "
            f"more than ingest.max_lost_share.{table.name} = {allowed:.0%}; {meant} (a source "
            f"that sends only new and changed rows is named in ingest.incremental)"
        )


def _too_old(delivery: Delivery) -> Iterator[str]:
    allowed = delivery.warehouse.conf.tree.ingest.max_lag_days
    if allowed is None or delivery.rows[IMPRESSIONS] == 0:
        return
    newest = max(delivery.log_days, default=None)
    if newest is None:
        yield "impressions: no row has an event_time before the run date; check run_date"
        return
    lag = (delivery.last_day - newest).days
    if lag > allowed:
        yield (
            f"impressions: the newest day of the log is {newest}, {lag} days before "
            f"{delivery.last_day} (the day before the run date), more than "
            f"ingest.max_lag_days = {allowed}; deliver the missing days, or set that key to {lag}"
        )


def thin_newest_day(days: Mapping[date, int]) -> Iterator[str]:
    """Warn where the newest day of the log (rows by day, ascending) is far below its week."""
    if len(days) <= _USUAL_DAYS:
        return
    *earlier, newest = days
    usual = median(days[day] for day in earlier[-_USUAL_DAYS:])
    if days[newest] < _THIN_DAY * usual:
        yield (
            f"impressions: {newest}, the newest day of the log, has {days[newest]} rows, the days "
            f"before it {usual:.0f} in the median: it may have been cut off"
        )


def _report_losses(delivery: Delivery, losses: Mapping[Table, Loss]) -> None:
    """Put into the report what is missing and what the tables keep all the same."""
    report, kind = delivery.warehouse.report, delivery.warehouse.conf.source.kind
    empty = [table.name for table, count in delivery.rows.items() if count == 0]
    report.notes.extend(f"source {kind} gives no {name}" for name in empty)
    report.notes.extend(
        f"{table.name}: {loss.lost} of {loss.before} {loss.of} are no longer in the source"
        for table, loss in losses.items()
        if loss.lost
    )
    report.notes.extend(
        f"{table.name}: {count} lines cannot be read, so no row is removed from the table"
        for table in delivery.checked
        if (count := delivery.unreadable_lines(table))
    )
    if not delivery.raw.closed:
        report.warnings.extend(thin_newest_day(delivery.days_with_stored(2 * _USUAL_DAYS)))
    if delivery.last is None and not delivery.raw.closed and delivery.warehouse.exists(ITEMS):
        report.warnings.append(
            "no report of an earlier run is left: whether the catalogue or the queries shrank "
            "cannot be told this time"
        )
    if delivery.is_backfill and delivery.last is not None:
        report.warnings.append(
            f"the tables have served {delivery.last.run_date}: this earlier run date adds the rows "
            f"that are not there yet, and changes and removes none"
        )
