"""Every kind of broken input gives its quarantine reason, or an error that names the mend."""

import csv
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from pyspark.sql import Row, SparkSession

from conf.load import SIMULATED, ResolvedConf
from features.contracts import IMPRESSIONS, ITEMS, JUDGMENTS, QUARANTINE, QUERIES, Table
from jobs.ingest import QuarantineError, run
from jobs.platform.report import JobReport
from jobs.platform.runner import open_warehouse
from jobs.sources.base import SourceError
from jobs.sources.guard import InputRefusedError

BROKEN = Path(__file__).with_name("broken_inputs")
MakeConf = Callable[..., ResolvedConf]


def table_settings(folder: Path = BROKEN, **files: str) -> list[str]:
    names = {t.name: f"{t.name}.csv" for t in (ITEMS, QUERIES, IMPRESSIONS, JUDGMENTS)} | files
    places = [
        setting
        for table, file in names.items()
        for setting in (
            f"source.{table}.path={folder / file}",
            f"source.{table}.format=csv",
        )
    ]
    return [
        "source.kind=tables",
        *places,
        "run_date=2026-03-01",
        "regions=[us, uk]",
        "ingest.max_quarantined_share=1.0",
        "ingest.max_lag_days=null",
    ]


@pytest.fixture(scope="module")
def ingested(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory
) -> tuple[JobReport, dict[str, list[Row]]]:
    """The report and the quarantined rows by table."""
    from conf.load import load_conf

    root = f"storage.root={tmp_path_factory.mktemp('broken')}"
    conf = load_conf([SIMULATED], settings=[*table_settings(), root])
    report = run(spark, conf)
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
    assert sorted(passed) == sorted([*good, "duplicate_key"])


def test_judgments_break_the_rules_that_the_file_names(
    ingested: tuple[JobReport, dict[str, list[Row]]],
) -> None:
    _, rows = ingested
    with (BROKEN / "judgments.csv").open() as lines:
        given = [r["expected"] for r in csv.DictReader(lines)]
    expected = Counter(rule or "malformed_line" for rule in given if rule != "")
    assert Counter(r["rule"] for r in rows["judgments"]) == expected


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


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("errors/delimiter.csv", r"delimiter.csv: the header reads as one column .* ';'"),
        ("errors/column.csv", r"items: columns \['title'\] are missing; present: .*'name'.*map"),
        ("errors/no_bytes.csv", r"no_bytes.csv is empty; set source.items.path"),
        ("errors/utf16.csv", r"columns \['item_id', 'title'\] are missing.*encoding"),
        ("nowhere.csv", r"nowhere.csv does not exist; set source.items.path"),
    ],
)
def test_unreadable_input_names_file_and_mend(
    spark: SparkSession, make_conf: MakeConf, file: str, message: str
) -> None:
    with pytest.raises(SourceError, match=message):
        run(spark, make_conf(*table_settings(items=file)))


def test_input_without_rows_is_refused(spark: SparkSession, make_conf: MakeConf) -> None:
    empty = table_settings(items="errors/header_only.csv")
    with pytest.raises(InputRefusedError, match=r"gives no items; check that its files hold rows"):
        run(spark, make_conf(*empty))


def test_file_of_another_format_is_named(spark: SparkSession, make_conf: MakeConf) -> None:
    settings = [*table_settings(), "source.items.format=parquet"]
    with pytest.raises(SourceError, match=r"items.csv cannot be read .*not a Parquet file"):
        run(spark, make_conf(*settings))


def test_mapped_column_that_is_not_ours_or_not_there(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    with pytest.raises(SourceError, match=r"source.items: \['titel'\] are not columns of items"):
        run(spark, make_conf(*table_settings(), "source.items.columns.titel=title"))
    with pytest.raises(SourceError, match=r"columns \['name'\] are missing"):
        run(spark, make_conf(*table_settings(), "source.items.columns.title=name"))


def test_too_many_quarantined_rows_stop_the_job_and_leave_the_quarantine(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    conf = make_conf(*table_settings(), "ingest.max_quarantined_share=0.5")
    with pytest.raises(QuarantineError, match=r"items: 82% of 22 rows broke .*malformed_line 3"):
        run(spark, conf)
    warehouse, _ = open_warehouse(spark, conf, "test")
    assert warehouse.read_run(QUARANTINE).count() > 0
    assert not warehouse.exists(ITEMS)
