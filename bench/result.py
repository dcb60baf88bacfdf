"""What a measurement gives back."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """One measured figure beside its limit, both in words with units."""

    what: str
    measured: str
    limit: str
    holds: bool
