"""What an endpoint may cost: calls and tokens, counted across threads."""

import threading
from typing import Protocol, runtime_checkable

from conf.sections.labelers.endpoint import BudgetConf


@runtime_checkable
class SharesBudget(Protocol):
    """A labeler whose limits several processes keep together."""

    def share_budget(self, processes: int) -> None:
        """Spend at most the part of one of so many processes (count)."""
        ...


class Budget:
    """Counts calls and tokens and says when no more may be spent.

    A call reserves tokens before it is made and settles them afterwards, so that calls at the same
    time do not overspend together. The reservation is an estimate, raised to the most that a call
    has taken so far; until the first calls are back, calls may overspend."""

    def __init__(self, conf: BudgetConf, processes: int = 1) -> None:
        """
        Args:
            conf: limits of all processes together.
            processes: that spend (count); each may spend an equal part, rounded down.
        """
        self._calls = None if conf.calls is None else conf.calls // processes
        self._tokens = None if conf.tokens is None else conf.tokens // processes
        self._lock = threading.Lock()
        self._reserved = 0
        self._largest = 0
        self.calls = 0
        self.tokens = 0

    def reserve_call(self, tokens: int) -> int | None:
        """Reserve one more call of about `tokens`; gives the tokens set aside, None where it may
        not be made."""
        with self._lock:
            if self._calls is not None and self.calls >= self._calls:
                return None
            expected = max(tokens, self._largest)
            ahead = self.tokens + self._reserved + expected
            if self._tokens is not None and ahead > self._tokens:
                return None
            self.calls += 1
            self._reserved += expected
            return expected

    def settle_call(self, reserved: int, spent: int) -> None:
        """Replace the estimate of a call by what it took."""
        with self._lock:
            self._reserved -= reserved
            self.tokens += spent
            self._largest = max(self._largest, spent)

    def count_spent(self) -> dict[str, int]:
        """Count the calls and tokens so far."""
        with self._lock:
            return {"calls": self.calls, "tokens": self.tokens}
