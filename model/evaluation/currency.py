"""Which yardstick of engagement decides: the one that pick rule and gate use."""

from typing import Literal

Asked = Literal["auto", "off_policy", "debiased", "logged"]
Currency = Literal["off_policy", "debiased", "logged"]


def choose_currency(asked: Asked, effective: float, least: float) -> Currency:
    """Choose the yardstick that conf asks for; `auto`: off-policy where its sample allows, else
    debiased.

    Args:
        effective: effective sample size of the off-policy estimate (count).
        least: effective size that it needs (count).
    """
    if asked != "auto":
        return asked
    return "off_policy" if effective >= least else "debiased"
