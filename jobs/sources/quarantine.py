"""Stops a job where too much of its input would be quarantined."""

from collections.abc import Mapping

from conf.errors import DataRefusedError
from conf.load import ResolvedConf
from features.contracts import QUARANTINE

_SHOWN_RULES = 3
"""Rules that a line names: the most frequent ones tell what is wrong."""


class QuarantineError(DataRefusedError):
    """More of a table broke its rules than conf allows; the message names the rules."""


def limit_quarantined(
    name: str, rows_in: int, wrong: Mapping[str, int], conf: ResolvedConf
) -> None:
    """Stop where more rows than `ingest.max_quarantined_share` broke a rule.

    Args:
        name: of the input, for the message.
        wrong: quarantined rows by rule (count), without rules that say nothing against it.

    Raises:
        QuarantineError: too many did.
    """
    limit = conf.tree.ingest.max_quarantined_share
    share = sum(wrong.values()) / max(rows_in, 1)
    if share > limit:
        raise QuarantineError(
            f"{name}: {share:.0%} of {rows_in} rows broke their rules ({list_rules(wrong)}), more "
            f"than ingest.max_quarantined_share = {limit:.0%}; the rows and reasons are in table "
            f"{QUARANTINE.name}: mend the source or its mapping"
        )


def list_rules(rules: Mapping[str, int]) -> str:
    """Name the most frequent rules with their rows (count), for one line."""
    return ", ".join(f"{rule} {n}" for rule, n in list(rules.items())[:_SHOWN_RULES])
