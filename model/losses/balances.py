"""The ways to balance losses, by conf name."""

from collections.abc import Callable, Mapping, Sequence

from model.losses.balance import StaticBalance, UncertaintyBalance
from model.losses.pcgrad import PcgradBalance

BALANCES: dict[str, Callable[[Sequence[str], Mapping[str, float]], StaticBalance]] = {
    "static": StaticBalance,
    "uncertainty": UncertaintyBalance,
    "pcgrad": PcgradBalance,
}
"""Balance by conf name: (tasks with labels, static weights) -> module."""
