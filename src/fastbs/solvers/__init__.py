"""The door of all solves: what kind of system it is, and which case solves it."""

from .door import backslash, factorize

__all__ = ["backslash", "factorize"]
