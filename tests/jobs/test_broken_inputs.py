"""Every kind of broken input gives its quarantine reason, or an error that names the mend."""

import csv
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from pyspark.sql import Row, SparkSession

from conf.errors import UserError
from conf.load import SIMULATED, ResolvedConf, load_conf
from features.contracts import IMPRESSIONS, ITEMS, JUDGMENTS, OWN_VALUES, QUARANTINE, QUERIES, Table
from jobs.import_features import JOB as OWN_JOB
from jobs.ingest import JOB
from jobs.platform.report import JobReport
from jobs.platform.runner import open_warehouse
from jobs.sources.quarantine import QuarantineError
from tests.jobs.bad_inputs import BROKEN, OWN_STOPS, STOPS, own_settings, table_settings

MakeConf = Callable[..., ResolvedConf]
PAGE = Path(__file__).parents[2] / "docs" / "bad_inputs.md"
_HEAD = """# What bad input is answered with

This page is written by the tests (`tests/jobs/test_broken_inputs.py`) from the answers that they
saw: each line is an input of the tests and the text that a user gets for it. Other inputs of the
same kind get the same answer with their own names and figures.

## Rows that are put aside

A row that breaks a rule goes to the table `quarantine` with the rule, the reason and the raw row;
the others are used. Rows in = rows out + rows put aside, in every report.

| table | rule | reason (of one row) |
| --- | --- | --- |
"""
_STOPS = """
## Inputs that stop the job

Nothing is written from such an input. The code is the exit code of the command.

| what is wrong | message | code |
| --- | --- | --- |
"""


def bad_input_page(
    reasons: Mapping[tuple[str, str], str], stopped: Mapping[str, tuple[str, int]]
) -> str:
    """The page as Markdown.

    Args:
        reasons: of one quarantined row, by table and rule.
        stopped: message and exit code, by what is wrong.
    """
    rows = [f"| {table} | `{rule}` | {_cell(why)} |" for (table, rule), why in reasons.items()]
    stops = [f"| {what} | {_cell(text)} | {code} |" for what, (text, code) in stopped.items()]
    return _HEAD + "\n".join(sorted(rows)) + "\n" + _STOPS + "\n".join(stops) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


@pytest.fixture(scope="module")
def ingested(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory
) -> tuple[JobReport, dict[str, list[Row]]]:
    """The report and the quarantined rows by table."""
    root = f"storage.root={tmp_path_factory.mktemp('broken')}"
    conf = load_conf([SIMULATED], settings=[*table_settings(), *own_settings(), root])
    report = JOB.run(spark, conf)
    own = OWN_JOB.run(spark, conf)
    report.counts += own.counts
    warehouse, _ = open_warehouse(spark, conf, "test")
    rows: dict[str, list[Row]] = {}
    for row in warehouse.read_run(QUARANTINE).collect():
        rows.setdefault(row["table_name"], []).append(row)
    rows["accepted"] = [
        Row(table=t.name, key=r[t.key[0]])
        for t in (ITEMS, QUERIES, IMPRESSIONS)
        for r in warehouse.read(t).collect()
    ]
    return report, rows


def named_rule(row: Row, key: str) -> str:
    """The rule that the row's key asks for: text before the first dash."""
    raw = row["raw_row"]
    name = json.loads(raw)[key] if raw.startswith("{") else raw.partition(",")[0]
    return (name or "").strip().partition("-")[0] or "null_key"


@pytest.mark.parametrize("table", [ITEMS, QUERIES, IMPRESSIONS], ids=lambda t: t.name)
def test_each_row_breaks_the_rule_of_its_name(
    ingested: tuple[JobReport, dict[str, list[Row]]], table: Table
) -> None:
    _, rows = ingested
    wrong = [(named_rule(r, table.key[0]), r["rule"], r["reason"]) for r in rows[table.name]]
    assert [entry for entry in wrong if entry[0] != entry[1]] == []
    assert all(reason for _, _, reason in wrong)


@pytest.mark.parametrize("table", [ITEMS, QUERIES, IMPRESSIONS], ids=lambda t: t.name)
def test_good_rows_and_one_of_each_duplicate_pass(
    ingested: tuple[JobReport, dict[str, list[Row]]], table: Table
) -> None:
    _, rows = ingested
    passed = [r["key"] for r in rows["accepted"] if r["table"] == table.name]
    text = (BROKEN / f"{table.name}.csv").read_text(encoding="latin-1")
    good = [line.partition(",")[0] for line in text.splitlines() if line.startswith("good")]
    more = ["older_version"] if table is IMPRESSIONS else []
    assert sorted(passed) == sorted([*good, "duplicate_key", *more])


def test_judgments_break_the_rules_that_the_file_names(
    ingested: tuple[JobReport, dict[str, list[Row]]],
) -> None:
    _, rows = ingested
    with (BROKEN / "judgments.csv").open() as lines:
        given = [r["expected"] for r in csv.DictReader(lines)]
    expected = Counter(rule or "malformed_line" for rule in given if rule != "")
    assert Counter(r["rule"] for r in rows["judgments"]) == expected


def test_own_values_break_the_rules_that_the_file_names(
    ingested: tuple[JobReport, dict[str, list[Row]]],
) -> None:
    report, rows = ingested
    with (BROKEN / "own_values.csv").open() as lines:
        given = [r["expected"] for r in csv.DictReader(lines)]
    broken = [rule if rule is not None else "malformed_line" for rule in given if rule != ""]
    assert Counter(r["rule"] for r in rows["own_values"]) == Counter(broken)
    (count,) = (c for c in report.counts if c.table == "own_values.shop")
    assert (count.rows_in, count.rows_quarantined) == (len(given), len(broken))


def test_rows_in_are_rows_out_and_quarantined(
    ingested: tuple[JobReport, dict[str, list[Row]]],
) -> None:
    report, rows = ingested
    counts = {c.table: c for c in report.counts}
    for table in (ITEMS, QUERIES, IMPRESSIONS, JUDGMENTS):
        lines = (BROKEN / f"{table.name}.csv").read_bytes().strip().splitlines()
        assert counts[table.name].rows_in == len(lines) - 1
        assert counts[table.name].rows_quarantined == len(rows[table.name])
        assert sum(report.details["quarantined"][table.name].values()) == len(rows[table.name])


def test_malformed_line_and_wrong_bytes_keep_what_was_read(
    ingested: tuple[JobReport, dict[str, list[Row]]],
) -> None:
    _, rows = ingested
    lines = [r["raw_row"] for r in rows["items"] if r["rule"] == "malformed_line"]
    assert "malformed_line,lamp" in lines
    title = next(r for r in rows["items"] if r["raw_row"].startswith('{"item_id":"wrong_encoding"'))
    assert title["reason"] == "title holds bytes that are not UTF-8"


def test_all_that_is_wrong_stands_in_the_reason(
    ingested: tuple[JobReport, dict[str, list[Row]]],
) -> None:
    _, rows = ingested
    mars = next(r for r in rows["impressions"] if '"region":"mars"' in r["raw_row"])
    assert mars["reason"] == "region 'mars' is not in conf regions; region is us in queries"


@pytest.fixture(scope="module")
def stopped(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[str, int]]:
    """The message and exit code of each input of STOPS; folders are left out of the message."""
    found: dict[str, tuple[str, int]] = {}
    for name, (settings, _) in (STOPS | OWN_STOPS).items():
        root, job = tmp_path_factory.mktemp("stopped"), JOB if name in STOPS else OWN_JOB
        with pytest.raises(UserError) as caught:
            job.run(spark, load_conf([SIMULATED], [*settings, f"storage.root={root}"]))
        message = str(caught.value).replace(f"{BROKEN}/", "").replace(f"{root}", "ROOT")
        found[name] = (message, caught.value.exit_code)
    return found


@pytest.mark.parametrize("name", STOPS | OWN_STOPS)
def test_input_that_cannot_be_read_names_file_and_mend(
    stopped: dict[str, tuple[str, int]], name: str
) -> None:
    assert re.search((STOPS | OWN_STOPS)[name][1], stopped[name][0])


def test_the_page_holds_every_kind_of_bad_input(
    ingested: tuple[JobReport, dict[str, list[Row]]], stopped: dict[str, tuple[str, int]]
) -> None:
    reasons = {
        (table.name, row["rule"]): row["reason"]
        for table in (ITEMS, QUERIES, IMPRESSIONS, JUDGMENTS, OWN_VALUES)
        for row in sorted(ingested[1][table.name], key=lambda row: str(row["reason"]), reverse=True)
    }
    text = bad_input_page(reasons, stopped)
    if os.environ.get("COUNTERPOISE_WRITE_DOCS"):
        PAGE.write_text(text, encoding="utf-8")
    assert len(reasons) + len(stopped) >= 40
    assert PAGE.read_text(encoding="utf-8") == text, (
        "docs/bad_inputs.md is behind the tests; run this test with COUNTERPOISE_WRITE_DOCS=1"
    )


def test_too_many_quarantined_rows_stop_the_job_and_leave_the_quarantine(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    conf = make_conf(*table_settings(), "ingest.max_quarantined_share=0.5")
    with pytest.raises(QuarantineError, match=r"items: 82% of 22 rows broke .*malformed_line 3"):
        JOB.run(spark, conf)
    warehouse, _ = open_warehouse(spark, conf, "test")
    assert warehouse.read_run(QUARANTINE).count() > 0
    assert not warehouse.exists(ITEMS)
