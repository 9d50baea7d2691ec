"""A trace: what commits said had happened to an execution, so that its decisions can be made again.

The audit trail keeps what people need to know; the trace keeps all that the machine was told, in its order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise

import msgspec

from runbook_engine.machine.events import Event, PutOff
from runbook_engine.model.audit import AuditRecord
from runbook_engine.model.decoding import from_msgpack
from runbook_engine.model.execution import Execution


class Trace(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one commit stored of a turn: when it asked what to do, what happened, and the opening with the first.

    A turn asks more than once. `later` says of an event, by its place, when it was asked for it and what follows it.
    """

    asked_at: datetime
    events: tuple[Event, ...] = ()
    opened: Execution | None = None
    later: tuple[tuple[int, datetime], ...] = ()

    def moments(self) -> Iterator[tuple[datetime, Event]]:
        """Return each event, and when it was asked what to do."""
        later, asked_at = dict(self.later), self.asked_at
        for place, event in enumerate(self.events):
            asked_at = later.get(place, asked_at)
            yield asked_at, event


def trace_of(moments: Sequence[tuple[datetime, Event]], asked_at: datetime, opened: Execution | None = None) -> Trace:
    """Return the trace of what happened, each event with the time at which it was asked what to do."""
    first, events = (moments[0][0] if moments else asked_at), tuple(event for _, event in moments)
    pairs = enumerate(pairwise(moments), 1)
    later = tuple((place, after) for place, ((before, _), (after, _)) in pairs if after != before)
    return Trace(asked_at=first, events=events, opened=opened, later=later)


def repeats(event: Event, record: AuditRecord | None) -> bool:
    """Whether an event says only that a guardrail still says no, in the same words: that may go on for weeks.

    Nothing is decided by it: the next look comes later, and the answer that differs is traced.
    """
    return isinstance(event, PutOff) and record is None


def write_trace(trace: Trace) -> bytes:
    """Return what a commit stores of what happened; nothing when nothing did."""
    return msgspec.msgpack.encode(trace) if trace.events or trace.opened is not None else b""


def read_trace(content: bytes) -> Trace:
    """Return what `write_trace` was given. Raises msgspec.MsgspecError."""
    return from_msgpack(content, Trace)
