"""Makes items, queries, impressions, judgments and quarantine from the source of the conf.

Grain: one row per item; per query (text and region); per item shown on a result page; per judged
query and item; quarantine: one row per raw row that broke a rule.
Inputs: the files, tables or generator of conf `source`.
Idempotency: items, queries and judgments are merged on their keys, impressions replaced over the
days that are read, quarantine replaced for the run date: a second run leaves the same rows.
Run: counterpoise ingest --conf FILE [--run-date DATE]

What vanished from the source: a judgment is removed, because a label must be able to be taken back.
Items and queries are removed where the source is a closed data set, and kept where it is a team's
catalogue, because the log still refers to what is no longer on sale. A row that is quarantined
today counts as not given: of an open catalogue the last good row stays.
A log row that is sent again keeps, for each of its events, the first time that it was known; conf
`ingest.withdrawn_events` says what becomes of an event that it has no more.
A row that the log learns of only on or after the run date is quarantined by a rule of its own and
does not count towards `ingest.max_quarantined_share`: a later run date brings it in.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from pyspark.sql import DataFrame, SparkSession
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
from features.quality.events import NOT_YET
from features.quality.tables import (
    Known,
    checked_impressions,
    checked_items,
    checked_judgments,
    checked_queries,
)
from features.quality.verdicts import accepted, by_rule, quarantined
from jobs.platform.cli import job_main
from jobs.platform.job import Job
from jobs.platform.plans import keep
from jobs.platform.report import JobReport
from jobs.platform.runner import open_warehouse
from jobs.platform.warehouse import Warehouse
from jobs.sources.base import RawFrames, SourceError, load_adapter
from jobs.sources.log_rows import note_withdrawn, with_first_known
from jobs.sources.reading import read_once
from jobs.sources.window import replaced_days

RuleCounts = Mapping[str, int]
_SHOWN_RULES = 3


class QuarantineError(SourceError):
    """More of a table broke its rules than conf allows; the message names the rules."""


def build(raw: RawFrames, earlier: Known | None, conf: ResolvedConf) -> dict[Table, DataFrame]:
    """The checked frames: the contract's columns and a verdict on every raw row.

    `earlier` are items and queries of earlier runs that rows may refer to besides this run's.
    """
    items = checked_items(raw.items, conf.tree)
    queries = checked_queries(raw.queries, conf.tree)
    known = _known(accepted(items), accepted(queries), earlier)
    return {
        ITEMS: items,
        QUERIES: queries,
        IMPRESSIONS: checked_impressions(raw.impressions, conf.tree, conf.run_date, known),
        JUDGMENTS: checked_judgments(raw.judgments, conf.tree, conf.run_date, known),
    }


def run(spark: SparkSession, conf: ResolvedConf) -> JobReport:
    """Read, check and write.

    Raises:
        SourceError: a file or column is missing, or a table is empty.
        QuarantineError: too many rows broke their rules; only the quarantine was written.
    """
    warehouse, report = open_warehouse(spark, conf, "ingest")
    with ExitStack() as kept:
        raw = read_once(spark, conf, kept)
        rows_in = {table: df.count() for table, df in raw.by_table().items()}
        _require_rows(rows_in, conf, report)
        checked = build(raw, None if raw.closed else _earlier(warehouse), conf)
        broken = {table: by_rule(keep(df, kept)) for table, df in checked.items()}
        _write_quarantine(warehouse, checked, broken)
        _limit_quarantined(rows_in, broken, conf)
        _write(warehouse, checked, raw, rows_in, broken)
    return report


def _known(items: DataFrame, queries: DataFrame, earlier: Known | None) -> Known:
    if earlier is None:
        return Known(items, queries)
    ids = items.select("item_id").union(earlier.items.select("item_id")).distinct()
    both = queries.select("query_id", "region").union(earlier.queries.select("query_id", "region"))
    return Known(ids, both.groupBy("query_id").agg(F.max("region").alias("region")))


def _earlier(warehouse: Warehouse) -> Known | None:
    if not (warehouse.exists(ITEMS) and warehouse.exists(QUERIES)):
        return None
    return Known(warehouse.read(ITEMS), warehouse.read(QUERIES))


def _require_rows(rows: Mapping[Table, int], conf: ResolvedConf, report: JobReport) -> None:
    kind = conf.source.kind
    for table in (ITEMS, QUERIES):
        if rows[table] == 0:
            raise SourceError(
                f"source {kind} gives no {table.name}; check that its files hold rows below the "
                f"header and that conf `source` points at them"
            )
    if rows[IMPRESSIONS] + rows[JUDGMENTS] == 0:
        raise SourceError(
            f"source {kind} gives neither impressions nor judgments; one of them is needed to "
            f"train on: check its files, run_date and ingest.history_days"
        )
    empty = [table.name for table, count in rows.items() if count == 0]
    report.notes.extend(f"source {kind} gives no {name}" for name in empty)


def _limit_quarantined(
    rows_in: Mapping[Table, int], broken: Mapping[Table, RuleCounts], conf: ResolvedConf
) -> None:
    limit = conf.tree.ingest.max_quarantined_share
    for table, rules in broken.items():
        wrong = {rule: n for rule, n in rules.items() if rule not in NOT_YET}
        share = sum(wrong.values()) / max(rows_in[table], 1)
        if share > limit:
            raise QuarantineError(
                f"{table.name}: {share:.0%} of {rows_in[table]} rows broke their rules "
                f"({_top(wrong)}), more than ingest.max_quarantined_share = {limit:.0%}; the rows "
                f"and reasons are in table {QUARANTINE.name}: mend the source or its mapping"
            )


def _top(rules: RuleCounts) -> str:
    return ", ".join(f"{rule} {n}" for rule, n in list(rules.items())[:_SHOWN_RULES])


def _write_quarantine(
    warehouse: Warehouse,
    checked: Mapping[Table, DataFrame],
    broken: Mapping[Table, RuleCounts],
) -> None:
    report = warehouse.report
    report.details["quarantined"] = {table.name: dict(rules) for table, rules in broken.items()}
    report.notes.extend(
        f"{table.name}: quarantined {_top(rules)}" for table, rules in broken.items() if rules
    )
    conf = warehouse.conf
    rows = quarantined(checked, conf.run_date, conf.source.kind)
    names = ", ".join(f"'{table.name}'" for table in checked)
    where = f"run_date = DATE'{conf.run_date}' AND table_name IN ({names})"
    written = warehouse.replace(QUARANTINE, rows, where)
    total = sum(sum(rules.values()) for rules in broken.values())
    report.count(QUARANTINE.name, total, written.rows)


def _write(
    warehouse: Warehouse,
    checked: Mapping[Table, DataFrame],
    raw: RawFrames,
    rows_in: Mapping[Table, int],
    broken: Mapping[Table, RuleCounts],
) -> None:
    vanished = "true" if raw.closed else None
    rows = {table: accepted(df) for table, df in checked.items()}
    days, withdrawn = replaced_days(warehouse.conf), None
    if not raw.closed:
        rows[IMPRESSIONS], withdrawn = with_first_known(warehouse, rows[IMPRESSIONS], days)
    written = {
        ITEMS: warehouse.merge(ITEMS, rows[ITEMS], prune=vanished),
        QUERIES: warehouse.merge(QUERIES, rows[QUERIES], prune=vanished),
        IMPRESSIONS: warehouse.replace(IMPRESSIONS, rows[IMPRESSIONS], days),
        JUDGMENTS: warehouse.merge(JUDGMENTS, rows[JUDGMENTS], prune="true"),
    }
    note_withdrawn(warehouse, withdrawn)
    for table, outcome in written.items():
        wrong = sum(broken[table].values())
        warehouse.report.count(table.name, rows_in[table], outcome.rows, wrong)
    for table, df in raw.extras.items():
        extra = warehouse.replace(table, df, f"{table.key[0]} IS NOT NULL")
        warehouse.report.count(table.name, extra.rows, extra.rows)


def fingerprint(conf: ResolvedConf) -> str:
    """Changes when the source's files do."""
    return load_adapter(conf.source.kind).fingerprint(conf)


JOB = Job(
    name="ingest",
    summary="Read the source, quarantine what breaks a rule, write the raw tables.",
    run=run,
    writes=(
        ITEMS,
        QUERIES,
        IMPRESSIONS,
        JUDGMENTS,
        QUARANTINE,
        MARKET_TRUTH,
        MARKET_PARAMETERS,
    ),
    sections=("source", "ingest", "regions", "split", "seed"),
    external=fingerprint,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    return job_main("ingest", argv)
