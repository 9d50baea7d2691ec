"""What every write shares: it looks first, it is sent once, and it is looked for when the answer is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from runbook_adapters.aws.problems import DENIALS, THROTTLE_WAIT, UNUSABLE, code_of
from runbook_engine.errors import Conflict, EffectUnknown, InvalidTarget, Permanent, Retryable, RunbookError, Unreadable
from runbook_engine.model.plan import Value

MOST_ATTEMPTS = 3
Receipt = Mapping[str, Value]


class Moved(Exception):
    """What was looked at has another revision by now; whether that matters is for the next look to say."""


@contextmanager
def before_touching() -> Iterator[None]:
    """Turn what a look raises into what a change may raise: nothing has been sent yet."""
    try:
        yield
    except InvalidTarget as error:
        raise Permanent(str(error)) from error
    except Unreadable as error:
        cause = error.__cause__
        if isinstance(cause, Exception) and (code_of(cause) in DENIALS or type(cause).__name__ in UNUSABLE):
            raise Permanent(str(error)) from error
        raise Retryable(str(error), THROTTLE_WAIT) from error


def compare_and_set(attempt: Callable[[], Receipt], what: str) -> Receipt:
    """Look, decide and write, and again when somebody wrote in between; `attempt` raises Conflict when it matters."""
    for _ in range(MOST_ATTEMPTS):
        try:
            return attempt()
        except Moved:
            continue
    raise Conflict(f"{what} is being changed again and again by somebody else; nothing was overwritten")


def send(request: Callable[[], Receipt], look: Callable[[], Receipt | None]) -> Receipt:
    """Send a request once; when its answer is lost, return what `look` finds of its effect.

    Raises EffectUnknown when it finds none: the request may still be on its way.
    """
    try:
        return request()
    except EffectUnknown as doubt:
        try:
            found = look()
        except RunbookError:
            raise doubt from doubt.__cause__
        if found is None:
            raise
        return found
