"""What a job says of its run, and the check that nothing was lost."""

from dataclasses import asdict, dataclass, field
from typing import Any


class RowBalanceError(RuntimeError):
    """Rows in differ from rows out plus rows quarantined."""


@dataclass(frozen=True)
class RowCount:
    """Rows of one table through a job: rows_in = rows_out + rows_quarantined."""

    table: str
    rows_in: int
    rows_out: int
    rows_quarantined: int = 0

    def check_balance(self, job: str) -> None:
        """Raise RowBalanceError where rows were lost or made."""
        if self.rows_in != self.rows_out + self.rows_quarantined:
            raise RowBalanceError(
                f"{job}: table {self.table}: {self.rows_in} rows in, {self.rows_out} out and "
                f"{self.rows_quarantined} quarantined; "
                f"{self.rows_in - self.rows_out - self.rows_quarantined} are unaccounted for"
            )


@dataclass
class JobReport:
    """Filled by a job's `run`, printed by the command line, kept by `nightly`.

    Attributes:
        counts: one entry per table written; its rows "in" are the keys that the job set out from.
        inputs: Delta version read, by table.
        outputs: Delta version written, by table; or the path of another output.
        commits: name of the commit that holds the output, by table; "" for one of others.
        notes: lines worth a reader's time (a fallback taken, a table that came up empty).
        warnings: what must not pass unseen; printed again under the closing table.
        details: JSON-able figures (metrics, quarantine by rule).
    """

    job: str
    run_date: str
    conf_hash: str
    dry_run: bool = False
    counts: list[RowCount] = field(default_factory=list)
    inputs: dict[str, int] = field(default_factory=dict)
    outputs: dict[str, int | str] = field(default_factory=dict)
    commits: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    skipped: bool = False

    def count_rows(
        self, table: str, rows_in: int, rows_out: int, rows_quarantined: int = 0
    ) -> None:
        """Record the rows of one table.

        Raises:
            RowBalanceError: rows were lost or made.
        """
        entry = RowCount(table, rows_in, rows_out, rows_quarantined)
        entry.check_balance(self.job)
        self.counts.append(entry)

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain JSON."""
        return asdict(self)
