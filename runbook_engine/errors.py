"""The whole exception tree, so that one `except RunbookError` at an edge is enough.

    RunbookError
    ├── InvalidRunbook(diagnostics)   what an author wrote cannot be used
    ├── InvalidAlert(code, message)   what a sender posted cannot be used
    ├── InvalidTarget                 a target is malformed or not allowed
    ├── TemplateError                 a template names something that is not there
    ├── UnknownAction / UnknownSource nobody registered that name
    ├── UnknownRunbook / UnknownExecution / UnknownIncident
    ├── NoAdapter(hint)               no adapter serves a port that is needed
    ├── Unreadable                    a signal cannot be read now (metrics, flag, workload)
    │   ├── TooMuch                   the answer is larger than is taken; ask for less at once
    │   └── Spoiled(told)             a store with which nobody goes on until a person has looked
    ├── Conflict                      the world is not as the change expects
    ├── StaleVersion                  somebody else wrote the record first
    ├── GuardrailBlocked(verdicts)
    ├── StalePlan                     an approval was given for another change
    ├── Unauthenticated / Forbidden
    ├── Overloaded(after)             try again later; nothing was kept
    ├── Unhelpful                     an action can change nothing that helps; an escalation goes on
    └── ActionFailed
        ├── Retryable(after)          surely not done; doing it again is safe
        │   └── Busy                  not even tried: too many others are at it
        ├── Permanent                 surely not done; doing it again is pointless
        └── EffectUnknown             may be done or not; look before doing it again

Errors say what the machine should do next by their type, and what a person should do by their sentence.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runbook_engine.model.diagnostic import Diagnostic
    from runbook_engine.model.guardrail import Verdict


class RunbookError(Exception):
    """The root: everything that this library raises on purpose."""


class InvalidRunbook(RunbookError):
    """Documents of an author cannot be used; carries every diagnostic of every file."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__("\n".join(str(diagnostic) for diagnostic in self.diagnostics))


class InvalidAlert(RunbookError):
    """A sender's payload cannot be used; `code` is stable for programs, `message` is for people."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(f"{code}: {message}")


class InvalidTarget(RunbookError):
    """A target is malformed, or no allow-list entry covers it."""


class TemplateError(RunbookError):
    """A template names something that is not there, or gives something that is not text."""


class UnknownAction(RunbookError):
    """No action of this name is registered."""


class UnknownSource(RunbookError):
    """No source of this name is registered."""


class UnknownRunbook(RunbookError):
    """No runbook of this name or digest is loaded."""


class UnknownExecution(RunbookError):
    """The journal holds no execution with this id."""


class UnknownIncident(RunbookError):
    """The journal holds no incident with this id."""


class NoAdapter(RunbookError):
    """No adapter serves a port that is needed; the hint says which setting would bring one."""

    def __init__(self, message: str, hint: str = "") -> None:
        self.hint = hint
        super().__init__(f"{message} ({hint})" if hint else message)


class Unreadable(RunbookError):
    """A signal cannot be read now. Never read as zero, empty or fine."""


class TooMuch(Unreadable):
    """The answer is larger than what is taken: ask for less at once."""


class Spoiled(Unreadable):
    """A store with which nobody goes on until a person has looked; `told` says so to strangers, who learn no folder."""

    def __init__(self, message: str, told: str) -> None:
        self.told = told
        super().__init__(message)


class Conflict(RunbookError):
    """The world is not as the change expects; nothing was overwritten."""


class StaleVersion(RunbookError):
    """Somebody else wrote the record first; read it again."""


class GuardrailBlocked(RunbookError):
    """A guardrail said no."""

    def __init__(self, verdicts: Sequence[Verdict]) -> None:
        self.verdicts = tuple(verdicts)
        super().__init__("; ".join(verdict.says for verdict in self.verdicts))


class StalePlan(RunbookError):
    """An approval or a start was given for another change than the one that would be made now."""


class Unauthenticated(RunbookError):
    """No valid credential came with the request."""


class Forbidden(RunbookError):
    """The credential is valid but does not allow this."""


class Overloaded(RunbookError):
    """The request was not kept; `after` says when to send it again."""

    def __init__(self, message: str, after: timedelta = timedelta(seconds=5)) -> None:
        self.after = after
        super().__init__(message)


class ActionFailed(RunbookError):
    """An external action did not do what was asked."""


class Retryable(ActionFailed):
    """Surely not done, and doing it again is safe; `after` is the wait the other side asked for."""

    def __init__(self, message: str, after: timedelta | None = None) -> None:
        self.after = after
        super().__init__(message)


class Busy(Retryable):
    """Not even tried, because others are at it: it counts as no attempt."""


class Unhelpful(RunbookError):
    """An action can change nothing that helps: an escalation leaves the step out, a sequence ends with it."""


class Permanent(ActionFailed):
    """Surely not done, and doing it again would fail again."""


class EffectUnknown(ActionFailed):
    """The answer was lost: the effect may be there or not."""
