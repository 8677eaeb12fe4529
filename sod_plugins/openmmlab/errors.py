"""The exception for runs that cannot start as requested."""

from __future__ import annotations


class LaunchError(ValueError):
    """A config, option, checkpoint or machine that does not allow the run.

    The message says what is wrong and what to do about it.
    """
