"""The base of errors that their reader can mend."""


class UserError(Exception):
    """The message names what is wrong and the mend; the command line shows it without a trace."""
