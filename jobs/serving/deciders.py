"""Who decides, and why: what a decision of a person must say."""

import argparse

from conf.errors import UserError


class DeciderError(UserError, ValueError):
    """A decision of a person without a name or a reason."""


def require_decider(arguments: argparse.Namespace) -> tuple[str, str]:
    """Read who decides, and why.

    Raises:
        DeciderError: one of both is not said.
    """
    by, why = arguments.by.strip(), arguments.why.strip()
    if not by or not why:
        raise DeciderError("a decision needs who and why: add --by WHO --why TEXT")
    return by, why
