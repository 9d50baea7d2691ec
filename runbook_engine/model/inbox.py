"""The inbox: deliveries that are stored, and of which nobody has decided yet what they mean."""

from __future__ import annotations

from datetime import datetime

import msgspec

from runbook_engine.model.delivery import Request


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery that waits. Numbers rise in the order in which deliveries were stored, and none is given twice."""

    number: int
    request: Request


class SetAside(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery that could not be decided, and why; it stays until a person gives it back or throws it away.

    What was in it is not here: people look at hundreds of these at once, and a body may have megabytes.
    """

    number: int
    at: datetime
    reason: str
    scope: str
    received_at: datetime
    bytes: int  # of its body

    @classmethod
    def of(cls, number: int, request: Request, *, at: datetime, reason: str) -> SetAside:
        """Return what is known of a delivery from when it is set aside."""
        size = len(request.body)
        return cls(
            number=number, at=at, reason=reason, scope=request.scope, received_at=request.received_at, bytes=size
        )


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """How much waits in the inbox, and since when."""

    deliveries: int = 0
    alerts: int = 0
    bytes: int = 0
    since: datetime | None = None  # since when the oldest waits
    set_aside: int = 0
    set_aside_bytes: int = 0


EMPTY = Fill()
