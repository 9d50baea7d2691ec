"""Operating: what people may do to an execution, and the kill switch, for who has the role operate.

Who did it is the token's name, never a field of the body. Each route appends a signal or sets the pause; what
follows is the worker's to do, so the answer is 202.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

import msgspec
from flask import Blueprint, Response, g, request

from runbook_engine.engine import Engine
from runbook_engine.entrypoints.credentials import Keyring
from runbook_engine.entrypoints.logs import EventLog
from runbook_engine.entrypoints.refusals import InvalidRequest
from runbook_engine.entrypoints.server.answers import answer, read_wish
from runbook_engine.machine.custody import LONGEST_CUSTODY
from runbook_engine.model.observation import Pause
from runbook_engine.model.quantity import InvalidQuantity, parse_duration
from runbook_engine.ports import Clock, PauseReader, PauseWriter
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


def operating_routes(
    engine: Engine, keyring: Keyring, pause: tuple[PauseReader, PauseWriter], clock: Clock, log: EventLog
) -> Blueprint:
    """Return the routes that people act through."""
    routes = Blueprint("operating", __name__, url_prefix="/api")

    @routes.before_request
    def demand_operator() -> None:
        g.by = keyring.person(request.headers.get("Authorization"), "operate").name

    def done(what: str, execution_id: str = "", incident_id: str = "", **more: Any) -> Response:
        log.event("operated", what=what, by=g.by, execution=execution_id, incident=incident_id)
        about = {"execution": execution_id or None, "incident": incident_id or None}
        return answer({"done": what, **about, "by": g.by, **more}, 202)

    @routes.post("/executions/<execution_id>/approve")
    def approve(execution_id: str) -> Response:
        wish = read_wish(ApproveWish)
        engine.approve(execution_id, plan_hash=wish.plan_hash, by=g.by, now=clock.now(), reason=wish.reason)
        return done("approve", execution_id)

    @routes.post("/executions/<execution_id>/deny")
    def deny(execution_id: str) -> Response:
        wish = read_wish(DenyWish)
        engine.deny(execution_id, plan_hash=wish.plan_hash, by=g.by, now=clock.now(), reason=wish.reason)
        return done("deny", execution_id)

    @routes.post("/executions/<execution_id>/cancel")
    def cancel(execution_id: str) -> Response:
        wish = read_wish(EndWish)
        engine.cancel(execution_id, undo=wish.undo, by=g.by, now=clock.now(), reason=wish.reason)
        return done("cancel", execution_id)

    @routes.post("/executions/<execution_id>/takeover")
    def take_over(execution_id: str) -> Response:
        wish = read_wish(TakeoverWish)
        period = _period(wish.keep_for, LONGEST_CUSTODY) if wish.keep_for else None
        now = clock.now()
        engine.take_over(execution_id, undo=wish.undo, by=g.by, now=now, reason=wish.reason, keep_for=period)
        return done("takeover", execution_id)

    @routes.post("/executions/<execution_id>/release")
    def release(execution_id: str) -> Response:
        wish = read_wish(ReasonWish)
        engine.release(execution_id, by=g.by, now=clock.now(), reason=wish.reason)
        return done("release", execution_id)

    @routes.post("/incidents/<incident_id>/acknowledge")
    def acknowledge(incident_id: str) -> Response:
        engine.acknowledge(incident_id, by=g.by, now=clock.now())
        return done("acknowledge", incident_id=incident_id)

    @routes.post("/incidents/<incident_id>/close")
    def close(incident_id: str) -> Response:
        wish = read_wish(ReasonWish)
        engine.close_incident(incident_id, by=g.by, now=clock.now(), reason=wish.reason)
        return done("close", incident_id=incident_id)

    @routes.post("/storm/release")
    def release_storm() -> Response:
        wish = read_wish(ReasonWish)
        held = engine.release_storm(by=g.by, now=clock.now(), reason=wish.reason)
        return done("release storm", release=record_held(held))

    @routes.post("/pause")
    def throw() -> Response:
        wish = read_wish(PauseWish)
        until = clock.now() + _period(wish.period, LONGEST_PAUSE)
        pause[1].throw(Pause(until=until, by=g.by, reason=wish.reason))
        return done("pause")

    @routes.post("/resume")
    def lift() -> Response:
        pause[1].lift()
        return done("resume")

    return routes


def _period(text: str, longest: timedelta) -> timedelta:
    try:
        period = parse_duration(text)
    except (InvalidQuantity, OverflowError) as error:
        raise InvalidRequest('"for" is a duration such as 30m or 2h') from error
    if not timedelta(0) < period <= longest:
        raise InvalidRequest(f'"for" is longer than nothing and at most {longest.days}d')
    return period
