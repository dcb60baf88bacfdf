"""Decides what becomes of training examples from days too soon after the log began.

As of a day, features look back LOOK_BACK_DAYS days. Of the first days of a log they see less: their
counts are too low, and a ranker that learns from them expects counts lower than those it will be
served with.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from conf.errors import DataRefusedError
from conf.sections.features import LOOK_BACK_DAYS
from conf.sections.training import ShortLookBack

LEAST_COVERED = 0.5
"""auto: short look-backs are left out while at least this share of the examples stays (fraction).

Half of the examples with right counts teach more than all of them half wrong; from a new shop's
first weeks next to nothing would be left.
"""


LARGEST_GAP_DAYS = 7
"""A shop closes over a holiday, hardly for longer; rows before a longer gap are no running log."""


class LookBackError(DataRefusedError, ValueError):
    """The log is too short for any example; the message names the keys and the mend."""


@dataclass(frozen=True)
class LookBack:
    """What the log covers.

    Attributes:
        log_starts: first day of the log.
        examples: impressions of the training days (count).
        short: those whose look-back begins before the log (count).
    """

    log_starts: date
    examples: int
    short: int

    def are_left_out(self, rule: ShortLookBack) -> bool:
        """Decide whether the examples with a short look-back are left out.

        Raises:
            LookBackError: none would be left.
        """
        if self.short == 0 or rule == "keep":
            return False
        covered = self.examples - self.short
        if rule == "leave_out" and covered == 0:
            raise LookBackError(
                f"no training example is left: the log starts on {self.log_starts}, and the "
                f"{LOOK_BACK_DAYS} days before each of the {self.examples} examples of the "
                f"features.training_days begin earlier; give a longer log (source, "
                f"ingest.history_days), or set training_set.short_look_back to keep"
            )
        return rule == "leave_out" or covered / self.examples >= LEAST_COVERED

    def describe(self, left_out: bool) -> str:
        """Say in one line what became of the examples with a short look-back."""
        what = (
            f"{self.short} of {self.examples} examples look back {LOOK_BACK_DAYS} days to before "
            f"the log, which starts on {self.log_starts}"
        )
        if left_out:
            return f"{what}: they are left out (training_set.short_look_back)"
        return (
            f"{what}: they are kept, with counts lower than those that will be served; a longer "
            f"log mends it (training_set.short_look_back)"
        )


def first_day_of_log(days: Sequence[date]) -> date:
    """Find the first day of the log's last stretch without a gap of more than LARGEST_GAP_DAYS
    days.

    A few rows of long ago (a test page, a wrong clock) do not make a log that began with them.

    Args:
        days: those with impressions, ascending; at least one.
    """
    start = days[-1]
    for day in reversed(days):
        if (start - day).days > LARGEST_GAP_DAYS:
            break
        start = day
    return start


def covered_from(log_starts: date) -> date:
    """Return the first day whose look-back the log covers."""
    return log_starts + timedelta(days=LOOK_BACK_DAYS)
