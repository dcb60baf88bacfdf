"""The base of errors that their reader can mend, and the exit code that tells each kind apart.

0 done, 1 a step failed, 2 usage or conf, 3 data refused, 4 a gate refused, 5 another run owns the
root and run date, 130 interrupted. The codes are the same for `nightly` and for single jobs.
"""

from typing import ClassVar


class UserError(Exception):
    """The message names what is wrong and the mend; the command line shows it without a trace."""

    exit_code: ClassVar[int] = 2


class ConfError(UserError, ValueError):
    """The configuration cannot be used; the message names the key or file and the mend."""


class DataRefusedError(UserError):
    """An input is empty, shrank, stopped or broke too many rules; nothing was written from it."""

    exit_code = 3


class GateRefusedError(UserError):
    """A gate refused what was made, and conf says that the night stops then."""

    exit_code = 4


class OwnedError(UserError):
    """Another run owns the root and the run date; the message names its host, pid and start."""

    exit_code = 5
