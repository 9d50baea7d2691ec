"""Looking before a change: what cannot be looked at is not touched, and a writer says so in a writer's words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from runbook_adapters.kubernetes.problems import ApiProblem, NotFound, RbacForbidden, Rejected, TokenRefused
from runbook_engine.errors import InvalidTarget, Permanent, Retryable, Unreadable


@contextmanager
def before_touching() -> Iterator[None]:
    """Turn what a look raises into what a change may raise: nothing has been sent yet."""
    try:
        yield
    except InvalidTarget as error:
        raise Permanent(str(error)) from error
    except Unreadable as error:
        if isinstance(error, NotFound | RbacForbidden | Rejected | TokenRefused):
            raise Permanent(str(error)) from error
        after = error.after if isinstance(error, ApiProblem) else None
        raise Retryable(str(error), after) from error
