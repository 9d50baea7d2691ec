"""Looks: asking for something that may not be there, which is an answer of its own and not a failure to read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from runbook_adapters.aws.problems import code_of, looking
from runbook_engine.errors import Unreadable


@contextmanager
def looking_for(what: str, absent: Exception, *codes: str) -> Iterator[None]:
    """As `looking`, and raise `absent` when the service answers one of these codes: there is no such thing."""
    try:
        with looking(what):
            yield
    except Unreadable as error:
        if isinstance(error.__cause__, Exception) and code_of(error.__cause__) in codes:
            raise absent from error
        raise
