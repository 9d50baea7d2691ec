"""Failure: every error of this library as one readable sentence and one of four exit codes, never a traceback."""

from __future__ import annotations

from runbook_engine.backtest.history import InvalidHistory
from runbook_engine.entrypoints.settings import InvalidSettings
from runbook_engine.errors import (
    EffectUnknown,
    InvalidAlert,
    InvalidRunbook,
    InvalidTarget,
    NoAdapter,
    Overloaded,
    Retryable,
    RunbookError,
    StaleVersion,
    TemplateError,
    UnknownAction,
    UnknownExecution,
    UnknownIncident,
    UnknownRunbook,
    UnknownSource,
    Unreadable,
)
from runbook_engine.loading.bundle import InvalidBundle

OK = 0
NO = 1  # the answer is no: blocked, unresolved, tests failed, a plan that is out of date, somebody who may not
WRONG_INPUT = 2  # what was typed or written cannot be used
DEPENDENCY_DOWN = 3  # what is needed cannot be reached; the same command may work later
INTERRUPTED = 130

WRONG_INPUTS = (
    InvalidAlert,
    InvalidBundle,
    InvalidHistory,
    InvalidRunbook,
    InvalidSettings,
    InvalidTarget,
    TemplateError,
    UnknownAction,
    UnknownExecution,
    UnknownIncident,
    UnknownRunbook,
    UnknownSource,
)
DEPENDENCIES = (NoAdapter, Overloaded, Retryable, StaleVersion, Unreadable, EffectUnknown)


class UsageError(RunbookError):
    """What was typed cannot be used; the sentence ends with what to type instead."""


class NotInstalled(UsageError):
    """There is neither an engine.yaml nor a journal: whatever was meant, it is not here."""


class NothingYet(UsageError):
    """There is an installation, and nothing was ever recorded in it."""


class CannotWrite(RunbookError):
    """The answer cannot be written to where it was sent."""


class Refused(RunbookError):
    """The answer is no, and everything worked."""


def exit_code_of(error: RunbookError) -> int:
    """Return the exit code that a script sees for an error."""
    if isinstance(error, (*WRONG_INPUTS, UsageError)):
        return WRONG_INPUT
    if isinstance(error, (*DEPENDENCIES, CannotWrite)):
        return DEPENDENCY_DOWN
    return NO
