"""The one exception that ends a run with a line on stderr and exit code 2."""

__all__ = ["InputError"]


class InputError(Exception):
    """The user's input cannot be used; the message says what and where, in one line."""
