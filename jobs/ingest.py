"""Makes items, queries, impressions, judgments and quarantine from the source of the conf.

Grain: one row per item; per query (text and region); per item shown on a result page; per judged
query and item; quarantine: one row per raw row that broke a rule.
Inputs: the files, tables or generator of conf `source`.
Idempotency: rows are merged on their keys (the log of a closed data set is replaced), quarantine
replaced for the run date: a second run leaves the same rows.
Run: counterpoise ingest --conf FILE [--run-date DATE] [--allow-shrink TABLE ...]

What the tables lose. A row is removed only because the source no longer has its key, never because
its new version is quarantined: then the old version stays.
- Items and queries: of a closed data set what left it is removed. A team's catalogue keeps them,
  because the log still refers to what is no longer on sale.
- Judgments: what left the source is removed, because a label must be able to be taken back.
- Impressions of a team's log: a day of which the source gives rows is taken to be whole, and what
  it no longer holds is removed. A day of which it gives none keeps its rows: a source that sends
  yesterday only adds yesterday. With `--allow-shrink impressions` the days between the first and
  the last given lose their rows, too.
- Nothing is removed from a table that `ingest.incremental` names, where a line of its input cannot
  be read (it may be any row), or in a backfill: a run for an earlier date than the tables have
  served. That adds the rows that are not there yet, and leaves the others as the later run wrote
  them.
A source that lost too much stops the job before it writes (`jobs.sources.guard`).
A log row that is sent again keeps, for each of its events, the first time that it was known; conf
`ingest.withdrawn_events` says what becomes of an event that it no longer has.
Two kinds of rows are quarantined by rules of their own and do not count towards
`ingest.max_quarantined_share`: what the log learns of only on or after the run date, which a later
run date brings in, and the older versions of a row that was sent again.
"""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.load import ResolvedConf
from features.contracts import (
    IMPRESSIONS,
    ITEMS,
    JUDGMENTS,
    MARKET_PARAMETERS,
    MARKET_TRUTH,
    QUARANTINE,
    QUERIES,
    Table,
)
from features.quality.across import OLDER
from features.quality.events import NOT_YET
from features.quality.tables import (
    References,
    checked_impressions,
    checked_items,
    checked_judgments,
    checked_queries,
)
from features.quality.verdicts import build_quarantine, count_verdicts, select_accepted
from jobs.platform.job import Job
from jobs.platform.plans import cut_plan, keep_frame
from jobs.platform.run import Run
from jobs.platform.warehouse import Warehouse
from jobs.sources.base import RawFrames, load_adapter
from jobs.sources.delivery import Delivery, RuleCounts, last_run
from jobs.sources.guard import require_some_rows, require_whole
from jobs.sources.log_rows import note_withdrawn, with_first_known
from jobs.sources.quarantine import limit_quarantined, list_rules
from jobs.sources.reading import read_raw
from jobs.sources.window import replaced_days

_NOT_WRONG = (*NOT_YET, OLDER)
"""Rules whose rows say nothing against the source."""


def build(
    raw: RawFrames,
    earlier: References | None,
    conf: ResolvedConf,
    once: Callable[[DataFrame], DataFrame],
) -> dict[Table, DataFrame]:
    """The checked frames: the contract's columns and a verdict on every raw row.

    Args:
        raw: of the source.
        earlier: items and queries of earlier runs that rows may refer to besides this run's.
        conf: of the run.
        once: what makes a frame that is read more than once be made once.
    """
    items = once(checked_items(raw.items, conf.tree))
    queries = once(checked_queries(raw.queries, conf.tree))
    references = _collect_references(select_accepted(items), select_accepted(queries), earlier)
    log = checked_impressions(raw.impressions, conf.tree, conf.run_date, references)
    judgments = checked_judgments(raw.judgments, conf.tree, conf.run_date, references)
    return {ITEMS: items, QUERIES: queries, IMPRESSIONS: once(log), JUDGMENTS: once(judgments)}


def run(run: Run) -> None:
    """Read, check and write.

    What a closed source draws has a long plan, which every step after would carry: the checked rows
    are cut off from it. They cannot be made again should a worker be lost; the job is then run
    again. Those of an open source are cached, and read again where a worker is lost.

    Raises:
        SourceError: a file or column is missing.
        InputRefusedError: an input is empty, shrank or ended early; nothing was written.
        QuarantineError: too many rows broke their rules; only the quarantine was written.
    """
    warehouse, conf = run.warehouse, run.conf
    with ExitStack() as stack:
        raw = read_raw(warehouse.spark, conf)
        earlier = None if raw.closed else _read_earlier(warehouse)
        checked = build(
            raw, earlier, conf, cut_plan if raw.closed else partial(keep_frame, stack=stack)
        )
        tallies = count_verdicts(checked)
        rows_in = {table: tally.rows for table, tally in tallies.items()}
        broken = {table: tally.broken for table, tally in tallies.items()}
        require_some_rows(rows_in, conf)
        delivery = Delivery(warehouse, raw, checked, rows_in, broken, last_run(warehouse))
        require_whole(delivery)
        _write_quarantine(warehouse, checked, broken)
        _limit_quarantined(rows_in, broken, conf)
        _write_tables(delivery, stack)


def _collect_references(
    items: DataFrame, queries: DataFrame, earlier: References | None
) -> References:
    if earlier is None:
        return References(items, queries)
    ids = items.select("item_id").union(earlier.items.select("item_id")).distinct()
    both = queries.select("query_id", "region").union(earlier.queries.select("query_id", "region"))
    return References(ids, both.groupBy("query_id").agg(F.max("region").alias("region")))


def _read_earlier(warehouse: Warehouse) -> References | None:
    if not (warehouse.exists(ITEMS) and warehouse.exists(QUERIES)):
        return None
    return References(warehouse.read(ITEMS), warehouse.read(QUERIES))


def _limit_quarantined(
    rows_in: Mapping[Table, int], broken: Mapping[Table, RuleCounts], conf: ResolvedConf
) -> None:
    for table, rules in broken.items():
        wrong = {rule: n for rule, n in rules.items() if rule not in _NOT_WRONG}
        limit_quarantined(table.name, rows_in[table], wrong, conf)


def _write_quarantine(
    warehouse: Warehouse,
    checked: Mapping[Table, DataFrame],
    broken: Mapping[Table, RuleCounts],
) -> None:
    report = warehouse.report
    report.details["quarantined"] = {table.name: dict(rules) for table, rules in broken.items()}
    report.notes.extend(
        f"{table.name}: quarantined {list_rules(rules)}" for table, rules in broken.items() if rules
    )
    conf = warehouse.conf
    rows = build_quarantine(checked, conf.run_date, conf.source.kind)
    names = ", ".join(f"'{table.name}'" for table in checked)
    where = f"run_date = DATE'{conf.run_date}' AND table_name IN ({names})"
    written = warehouse.replace(QUARANTINE, rows, where)
    total = sum(sum(rules.values()) for rules in broken.values())
    report.count_rows(QUARANTINE.name, total, written.rows)


def _write_tables(delivery: Delivery, stack: ExitStack) -> None:
    """Write the rows that pass, and beside them those whose new version is quarantined."""
    warehouse, report = delivery.warehouse, delivery.warehouse.report
    stayed: dict[str, int] = {}
    for table, df in delivery.checked.items():
        rows = select_accepted(df)
        if table is IMPRESSIONS and not (delivery.raw.closed or delivery.is_backfill):
            merged = with_first_known(warehouse, rows, replaced_days(warehouse.conf))
            rows = keep_frame(merged, stack)
            note_withdrawn(warehouse, rows)
        rows, stay = rows.select(*table.column_names), delivery.read_standing(table)
        if stay is not None:
            stayed[table.name] = keep_frame(stay, stack).count()
            rows = rows.unionByName(stay)
        out = _write_table(delivery, table, rows) - stayed.get(table.name, 0)
        report.count_rows(
            table.name, delivery.rows[table], out, sum(delivery.broken[table].values())
        )
    report.details["stayed"] = stayed
    report.notes.extend(
        f"{name}: {count} rows stay as they were, because their new version is quarantined"
        for name, count in stayed.items()
        if count
    )
    for table, df in delivery.raw.extras.items():
        extra = warehouse.replace(table, df, f"{table.key[0]} IS NOT NULL", unless_equal=True)
        report.count_rows(table.name, extra.rows, extra.rows)


def _write_table(delivery: Delivery, table: Table, rows: DataFrame) -> int:
    """Write the table, and count the rows of `rows` that it now holds."""
    warehouse, removed = delivery.warehouse, delivery.build_removal_sql(table)
    if delivery.raw.closed and (table is IMPRESSIONS or removed == "true"):  # the whole data set
        where = replaced_days(warehouse.conf) if table is IMPRESSIONS else "true"
        return warehouse.replace(table, rows, where, unless_equal=True).rows
    return warehouse.merge(table, rows, update=not delivery.is_backfill, prune=removed).rows


def fingerprint(conf: ResolvedConf) -> str:
    """Return a text that changes when the source's files do."""
    return load_adapter(conf.source.kind).fingerprint(conf)


JOB = Job(
    run,
    summary="Read the source, quarantine what breaks a rule, write the raw tables.",
    writes=(
        ITEMS,
        QUERIES,
        IMPRESSIONS,
        JUDGMENTS,
        QUARANTINE,
        MARKET_TRUTH,
        MARKET_PARAMETERS,
    ),
    sections=("source", "ingest"),
    external=fingerprint,
)
