"""Makes own_values from the tables of conf `features.own`: a team's own features.

Grain: one row per own table, key and day as of which its values hold.
Inputs: those tables or files. Without any, the job writes nothing.
Idempotency: rows are merged on their key. A day of which an own table gives rows is taken to be
whole: what it no longer holds is removed, but never a row whose new version is quarantined. Days of
which it gives none keep their rows, so that a table of today's values alone adds to those of
yesterday. Nothing is removed where a line cannot be read, where `ingest.incremental` names
own_values, or in a run for an earlier date than served.
Run: counterpoise import_features --conf FILE [--run-date DATE] [--allow-shrink own_values]
"""

from collections.abc import Mapping
from datetime import date
from functools import reduce

from pyspark.sql import DataFrame

from conf.load import ResolvedConf
from conf.sections.features import OwnTable
from features.contracts import OWN_VALUES, QUARANTINE
from features.declarations import declare_own_features
from features.own.checks import LATE, check_values
from features.quality.typed import MALFORMED_LINE
from features.quality.verdicts import build_quarantine, by_rule, select_accepted, select_standing
from jobs.platform.job import Job
from jobs.platform.plans import keep_frame
from jobs.platform.run import Run
from jobs.platform.warehouse import Warehouse
from jobs.sources.delivery import LastRun, RuleCounts, last_run
from jobs.sources.guard import InputRefusedError
from jobs.sources.own import compute_own_fingerprint, read_own_table
from jobs.sources.quarantine import limit_quarantined, list_rules


def run(run: Run) -> None:
    """Read, check and write.

    Raises:
        OwnFeatureError: a feature's name is taken.
        SourceError: a table or column is missing.
        InputRefusedError: a table is empty or shrank; nothing was written.
        QuarantineError: too many rows broke their rules; only the quarantine was written.
    """
    warehouse, conf, report = run.warehouse, run.conf, run.report
    tables = conf.tree.features.own
    if not tables:
        report.notes.append("conf features.own names no table")
        return
    declare_own_features(conf.tree)  # a name that is taken stops the night here, before any work
    raw = {
        name: keep_frame(read_own_table(run.spark, name, table)) for name, table in tables.items()
    }
    rows_in = {name: frame.count() for name, frame in raw.items()}
    last = last_run(warehouse, JOB.name)
    _require_rows(warehouse, rows_in, last)
    checked = {name: keep_frame(build(raw[name], table, conf)) for name, table in tables.items()}
    broken = {name: by_rule(frame) for name, frame in checked.items()}
    _write_quarantine(warehouse, checked, broken)
    for name, rules in broken.items():
        wrong = {rule: count for rule, count in rules.items() if rule != LATE}
        limit_quarantined(f"features.own.{name}", rows_in[name], wrong, conf)
    is_backfill = last is not None and last.run_date > conf.run_date
    for name, frame in checked.items():
        quarantine = sum(broken[name].values())
        prunes = not is_backfill and not broken[name].get(MALFORMED_LINE)
        rows = select_accepted(frame).select(*OWN_VALUES.column_names)
        stay = 0
        if quarantine and warehouse.exists(OWN_VALUES):
            standing = keep_frame(select_standing(warehouse.read(OWN_VALUES), frame, OWN_VALUES))
            rows, stay = rows.unionByName(standing), standing.count()
        out = _merge(warehouse, name, rows, not is_backfill, prunes) - stay
        report.count_rows(f"{OWN_VALUES.name}.{name}", rows_in[name], out, quarantine)


def build(raw: DataFrame, table: OwnTable, conf: ResolvedConf) -> DataFrame:
    """Check the rows of one own table: the contract's columns and a verdict on each row."""
    return check_values(raw, table, conf.tree, conf.run_date)


def _require_rows(warehouse: Warehouse, rows: Mapping[str, int], last: LastRun | None) -> None:
    """Stop where a table is empty, or has lost more of its rows since the last run than allowed."""
    conf = warehouse.conf
    if OWN_VALUES.name in conf.allow_shrink or OWN_VALUES.name in conf.tree.ingest.incremental:
        return
    limit = conf.tree.ingest.max_lost_share.own_values
    meant = f"mend the feed, or pass --allow-shrink {OWN_VALUES.name} where it is meant"
    outage = []
    for name, count in rows.items():
        before = last.rows.get(f"{OWN_VALUES.name}.{name}", 0) if last else 0
        if not count:
            outage.append(f"features.own.{name} gives no rows, {before} in the last run; {meant}")
        elif count < before * (1 - limit):
            outage.append(
                f"features.own.{name} gives {count} rows, {before} in the last run: more than "
                f"ingest.max_lost_share.own_values = {limit:.0%} are gone; {meant}"
            )
    if outage:
        raise InputRefusedError(f"nothing was written: {'; '.join(outage)}")


def _write_quarantine(
    warehouse: Warehouse, checked: Mapping[str, DataFrame], broken: Mapping[str, RuleCounts]
) -> None:
    conf, report = warehouse.conf, warehouse.report
    report.details["quarantined"] = {name: dict(rules) for name, rules in broken.items()}
    report.notes.extend(
        f"features.own.{name}: quarantined {list_rules(rules)}"
        for name, rules in broken.items()
        if rules
    )
    frames = [
        build_quarantine({OWN_VALUES: frame}, conf.run_date, n) for n, frame in checked.items()
    ]
    where = f"run_date = DATE'{conf.run_date}' AND table_name = '{OWN_VALUES.name}'"
    written = warehouse.replace(QUARANTINE, reduce(DataFrame.unionByName, frames), where)
    total = sum(sum(rules.values()) for rules in broken.values())
    report.count_rows(QUARANTINE.name, total, written.rows)


def _merge(warehouse: Warehouse, name: str, rows: DataFrame, update: bool, prunes: bool) -> int:
    """Merge the rows of one own table, and count those of them that own_values now holds."""
    prune = None
    if prunes and OWN_VALUES.name not in warehouse.conf.tree.ingest.incremental:
        days = _list_given_days(rows)
        listed = ", ".join(f"DATE'{day}'" for day in days)
        prune = f"dataset = '{name}' AND as_of_date IN ({listed})" if days else None
    return warehouse.merge(OWN_VALUES, rows, update=update, prune=prune).rows


def _list_given_days(rows: DataFrame) -> list[date]:
    """List the days of which there are rows, in order."""
    days = rows.select("as_of_date").distinct().orderBy("as_of_date").collect()
    return [row["as_of_date"] for row in days]


JOB = Job(
    run,
    summary="check and keep the values of a team's own features",
    writes=(OWN_VALUES, QUARANTINE),
    sections=("features", "ingest"),
    external=compute_own_fingerprint,
)
