"""Examples whose look-back the log does not cover: left out, kept with a warning, or an error."""

from datetime import date, timedelta

import pytest

from conf.sections.features import LOOK_BACK_DAYS
from features.declarations import WINDOWS
from features.log.look_back import LookBack, LookBackError, covered_from, first_day_of_log

STARTS = date(2026, 1, 30)


def test_a_day_is_covered_once_the_log_is_as_old_as_the_longest_window() -> None:
    assert max(WINDOWS) == LOOK_BACK_DAYS
    assert covered_from(STARTS) == date(2026, 2, 27)


@pytest.mark.parametrize(
    ("days_before", "first"),
    [([0], 0), ([0, 1, 2], 2), ([0, 7, 14], 14), ([0, 1, 9, 10], 1), ([0, 3, 400], 3)],
)
def test_rows_before_a_gap_of_more_than_a_week_do_not_begin_the_log(
    days_before: list[int], first: int
) -> None:
    days = sorted(STARTS - timedelta(days=n) for n in days_before)
    assert first_day_of_log(days) == STARTS - timedelta(days=first)


@pytest.mark.parametrize(
    ("short", "rule", "left_out"),
    [
        (0, "auto", False),
        (0, "leave_out", False),
        (50, "auto", True),
        (51, "auto", False),
        (100, "auto", False),
        (99, "leave_out", True),
        (50, "keep", False),
        (100, "keep", False),
    ],
)
def test_short_look_backs_by_share_and_rule(short: int, rule: str, left_out: bool) -> None:
    look_back = LookBack(STARTS, 100, short)
    assert look_back.are_left_out(rule) is left_out  # type: ignore[arg-type]
    assert f"{short} of 100 examples look back" in look_back.describe(left_out)


def test_none_left_names_the_keys_and_the_mend() -> None:
    with pytest.raises(LookBackError) as raised:
        LookBack(STARTS, 7, 7).are_left_out("leave_out")
    message = str(raised.value)
    for part in (
        "2026-01-30",
        "each of the 7 examples",
        "features.training_days",
        "ingest.history_days",
        "set training_set.short_look_back to keep",
    ):
        assert part in message
