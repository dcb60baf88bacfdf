"""Rules on the times and the funnel of a log row.

A log row of run date R must have happened before R and be known before R. A row that is known only
later is not wrong, it has not arrived yet: it is quarantined by a rule of its own, and a later run
date takes it in. NOT_YET names those rules; they do not count as broken input.
"""

from datetime import date

from pyspark.sql import Column
from pyspark.sql import functions as F

from features.log.first_known import KNOWN, TIMES
from features.quality.rule import Rule, all_failures
from features.quality.typed import quote_value

NOT_YET = ("event_after_run_date", "known_after_run_date")


def event_after_run_date(run_date: date, *columns: str) -> Rule:
    """Refuse a time on or after the run date."""
    what = f"is on or after the run date {run_date}"
    failures = [_describe_failure(name, F.col(name) >= F.lit(run_date), what) for name in columns]
    return Rule("event_after_run_date", all_failures(failures))


def known_after_run_date(run_date: date) -> Rule:
    """Refuse a row, or an event of it, known on or after the run date: it is not in the log yet."""
    what = f"is on or after the run date {run_date}"
    times = F.least("known_at", *KNOWN.values())
    failures = [_describe_failure("known_at", times >= F.lit(run_date), what)]
    failures += [
        _describe_failure(name, F.col(name) >= F.lit(run_date), what) for name in KNOWN.values()
    ]
    return Rule("known_after_run_date", all_failures(failures))


def known_before_event() -> Rule:
    """Refuse what was known before it happened: a row before its page, an event before its time."""
    after = [("known_at", "event_time"), *((name, "event_time") for name in KNOWN.values())]
    after += [(KNOWN[event], at) for event, at in TIMES.items()]
    return Rule(
        "known_before_event",
        all_failures(
            _describe_failure(k, F.col(k) < F.col(at), f"is before {at}") for k, at in after
        ),
    )


def step_before_event(*columns: str) -> Rule:
    """Refuse a later step of the funnel that happened before the page was shown."""
    failures = [
        _describe_failure(name, F.col(name) < F.col("event_time"), "is before event_time")
        for name in columns
    ]
    return Rule("step_before_event", all_failures(failures))


def step_without(name: str, step: str, earlier: str) -> Rule:
    """Refuse a step of the funnel without the one that must come before it."""
    wrong = F.col(step) & ~F.col(earlier)
    return Rule(name, F.when(wrong, F.lit(f"{step} but not {earlier}")))


def _describe_failure(column: str, wrong: Column, what: str) -> Column:
    return F.when(
        wrong, F.concat(F.lit(f"{column} "), quote_value(F.col(column)), F.lit(f" {what}"))
    )
