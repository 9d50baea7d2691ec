"""Deeds: what people may do to an execution, an incident, a storm, the inbox and the kill switch.

One place for every way in over HTTP: a program with a token and a person before the web page do the same, within the
same limits, and the log says the same of both. Each appends a signal or sets the pause; what follows is the worker's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

import msgspec

from runbook_engine.engine import Engine
from runbook_engine.entrypoints.logs import EventLog
from runbook_engine.entrypoints.refusals import InvalidRequest
from runbook_engine.errors import Conflict
from runbook_engine.machine.custody import LONGEST_CUSTODY
from runbook_engine.model.observation import Pause
from runbook_engine.model.quantity import InvalidQuantity, parse_duration
from runbook_engine.ports import Clock, Inbox, PauseWriter
from runbook_engine.render.storm import record_held

LONGEST_PAUSE = timedelta(days=7)
Reason = Annotated[str, msgspec.Meta(max_length=500)]


class ApproveWish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Yes to exactly this."""

    plan_hash: Annotated[str, msgspec.Meta(min_length=4, max_length=128)]
    reason: Reason = ""


class DenyWish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No, to whatever is asked, or to exactly this."""

    plan_hash: Annotated[str, msgspec.Meta(max_length=128)] = ""
    reason: Reason = ""


class EndWish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Stop, and keep or undo what was changed: it must be said which."""

    undo: bool
    reason: Reason = ""


class TakeoverWish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Stop, and keep or undo what was changed; what is kept is yours for so long, 4h if nothing is said."""

    undo: bool
    keep_for: str = msgspec.field(name="for", default="")
    reason: Reason = ""


class ReasonWish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why."""

    reason: Reason = ""


class PauseWish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No change for so long."""

    period: str = msgspec.field(name="for")
    reason: Reason = ""


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What was done, by whom, to what."""

    what: str
    by: str
    execution_id: str = ""
    incident_id: str = ""
    more: Mapping[str, Any] = {}

    @property
    def content(self) -> dict[str, Any]:
        """What a program is answered."""
        about = {"execution": self.execution_id or None, "incident": self.incident_id or None}
        return {"done": self.what, **about, "by": self.by, **self.more}


@dataclass(frozen=True, slots=True, kw_only=True)
class Deeds:
    """Does what a person wishes whose name and role somebody has made sure of, and logs it."""

    engine: Engine
    pauses: PauseWriter
    clock: Clock
    log: EventLog

    def approve(self, execution_id: str, wish: ApproveWish, by: str) -> Done:
        """Say yes. Raises StalePlan, Forbidden, UnknownExecution."""
        now = self.clock.now()
        self.engine.approve(execution_id, plan_hash=wish.plan_hash, by=by, now=now, reason=wish.reason)
        return self._done("approve", by, execution_id)

    def deny(self, execution_id: str, wish: DenyWish, by: str) -> Done:
        """Say no. Raises StalePlan, Forbidden, UnknownExecution."""
        now = self.clock.now()
        self.engine.deny(execution_id, plan_hash=wish.plan_hash, by=by, now=now, reason=wish.reason)
        return self._done("deny", by, execution_id)

    def cancel(self, execution_id: str, wish: EndWish, by: str) -> Done:
        """Stop a run. Raises UnknownExecution."""
        self.engine.cancel(execution_id, undo=wish.undo, by=by, now=self.clock.now(), reason=wish.reason)
        return self._done("cancel", by, execution_id)

    def take_over(self, execution_id: str, wish: TakeoverWish, by: str) -> Done:
        """Give a run to a person. Raises InvalidRequest, UnknownExecution."""
        period = _period(wish.keep_for, LONGEST_CUSTODY) if wish.keep_for else None
        now = self.clock.now()
        self.engine.take_over(execution_id, undo=wish.undo, by=by, now=now, reason=wish.reason, keep_for=period)
        return self._done("takeover", by, execution_id)

    def release(self, execution_id: str, wish: ReasonWish, by: str) -> Done:
        """Let others change again what was taken over. Raises Conflict, UnknownExecution."""
        self.engine.release(execution_id, by=by, now=self.clock.now(), reason=wish.reason)
        return self._done("release", by, execution_id)

    def acknowledge(self, incident_id: str, by: str) -> Done:
        """Say that a person is on it. Raises UnknownIncident."""
        self.engine.acknowledge(incident_id, by=by, now=self.clock.now())
        return self._done("acknowledge", by, incident_id=incident_id)

    def close(self, incident_id: str, wish: ReasonWish, by: str) -> Done:
        """Say that an incident is over. Raises Conflict, UnknownIncident."""
        self.engine.close_incident(incident_id, by=by, now=self.clock.now(), reason=wish.reason)
        return self._done("close", by, incident_id=incident_id)

    def release_storm(self, wish: ReasonWish, by: str) -> Done:
        """Let go what a storm holds. Raises Conflict."""
        held = self.engine.release_storm(by=by, now=self.clock.now(), reason=wish.reason)
        return self._done("release storm", by, release=record_held(held))

    def pause(self, wish: PauseWish, by: str) -> Done:
        """Throw the kill switch. Raises InvalidRequest."""
        until = self.clock.now() + _period(wish.period, LONGEST_PAUSE)
        self.pauses.throw(Pause(until=until, by=by, reason=wish.reason))
        return self._done("pause", by)

    def resume(self, by: str) -> Done:
        """Lift the kill switch."""
        self.pauses.lift()
        return self._done("resume", by)

    def retry(self, number: int, by: str) -> Done:
        """Let a delivery be decided again that was set aside. Raises Conflict."""
        self._inbox().give_back(number, self.clock.now())
        return self._done("retry", by, delivery=number)

    def discard(self, number: int, by: str) -> Done:
        """Throw a delivery away that was set aside. Raises Conflict."""
        self._inbox().discard(number)
        return self._done("discard", by, delivery=number)

    def _inbox(self) -> Inbox:
        inbox = self.engine.journal.inbox
        if inbox is None:
            raise Conflict("this installation has no inbox, so nothing was ever set aside")
        return inbox

    def _done(self, what: str, by: str, execution_id: str = "", incident_id: str = "", **more: Any) -> Done:
        delivery = {"delivery": more["delivery"]} if "delivery" in more else {}
        self.log.event("operated", what=what, by=by, execution=execution_id, incident=incident_id, **delivery)
        return Done(what=what, by=by, execution_id=execution_id, incident_id=incident_id, more=more)


def _period(text: str, longest: timedelta) -> timedelta:
    try:
        period = parse_duration(text)
    except (InvalidQuantity, OverflowError) as error:
        raise InvalidRequest('"for" is a duration such as 30m or 2h') from error
    if not timedelta(0) < period <= longest:
        raise InvalidRequest(f'"for" is longer than nothing and at most {longest.days}d')
    return period
