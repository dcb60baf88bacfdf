"""The row balance that every job's report checks."""

import pytest

from jobs.platform.report import JobReport, RowBalanceError


def report() -> JobReport:
    return JobReport("ingest", "2026-03-01", "abc")


def test_balanced_rows_are_recorded() -> None:
    filled = report()
    filled.count_rows("items", rows_in=10, rows_out=7, rows_quarantined=3)
    assert filled.to_json()["counts"] == [
        {"table": "items", "rows_in": 10, "rows_out": 7, "rows_quarantined": 3}
    ]


@pytest.mark.parametrize(("rows_out", "unaccounted"), [(6, "1 are"), (8, "-1 are")])
def test_lost_or_made_rows_raise(rows_out: int, unaccounted: str) -> None:
    with pytest.raises(RowBalanceError, match=f"ingest: table items: .*{unaccounted} unaccounted"):
        report().count_rows("items", rows_in=10, rows_out=rows_out, rows_quarantined=3)
