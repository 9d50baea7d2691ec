"""A trace: what commits said had happened to an execution, so that its decisions can be made again.

The audit trail keeps what people need to know; the trace keeps all that the machine was told, in its order.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from runbook_engine.machine.events import Event, PutOff
from runbook_engine.model.audit import AuditRecord
from runbook_engine.model.decoding import from_msgpack
from runbook_engine.model.execution import Execution


class Trace(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one commit stored of a turn: when it asked what to do, what happened, and the opening with the first."""

    asked_at: datetime
    events: tuple[Event, ...] = ()
    opened: Execution | None = None


def repeats(event: Event, record: AuditRecord | None) -> bool:
    """Whether an event says only that a guardrail still says no, in the same words: that may go on for weeks.

    Nothing is decided by it: the next look comes later, and the answer that differs is traced.
    """
    return isinstance(event, PutOff) and record is None


def write_trace(asked_at: datetime, events: tuple[Event, ...], opened: Execution | None = None) -> bytes:
    """Return what a commit stores of what happened; nothing when nothing did."""
    if not events and opened is None:
        return b""
    return msgspec.msgpack.encode(Trace(asked_at=asked_at, events=events, opened=opened))


def read_trace(content: bytes) -> Trace:
    """Return what `write_trace` was given. Raises msgspec.MsgspecError."""
    return from_msgpack(content, Trace)
