"""What the guard says of a log whose newest day is thin."""

from datetime import date, timedelta

import pytest

from jobs.sources.guard import thin_newest_day

MONDAY = date(2026, 2, 23)


def days_of(rows: list[int]) -> dict[date, int]:
    return {MONDAY + timedelta(days=n): count for n, count in enumerate(rows)}


@pytest.mark.parametrize(
    "rows", [[], [1], [100] * 6 + [1], [100] * 8, [100] * 7 + [50], [9_000, *[100] * 7, 60]]
)
def test_a_usual_newest_day_is_not_named(rows: list[int]) -> None:
    assert list(thin_newest_day(days_of(rows))) == []


def test_a_newest_day_of_less_than_half_is_named_with_the_figures() -> None:
    (warning,) = thin_newest_day(days_of([9_000, *[100] * 7, 49]))
    assert "2026-03-03, the newest day of the log, has 49 rows" in warning
    assert "100 in the median" in warning
