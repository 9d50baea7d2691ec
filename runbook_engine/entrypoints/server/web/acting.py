"""Acting: the forms of the page, for who has the role operate. They do what programs do over the API, and lead back."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, Response

from runbook_engine.entrypoints.refusals import InvalidRequest
from runbook_engine.entrypoints.server.deeds import (
    ApproveWish,
    Deeds,
    DenyWish,
    Done,
    EndWish,
    PauseWish,
    ReasonWish,
    TakeoverWish,
)
from runbook_engine.entrypoints.server.web.answers import lead_to
from runbook_engine.entrypoints.server.web.door import Door
from runbook_engine.entrypoints.server.web.forms import read_form, wish_of
from runbook_engine.entrypoints.server.web.notices import Notices
from runbook_engine.entrypoints.server.web.origins import local_path
from runbook_engine.entrypoints.server.web.visitor import Visitor

SAID: Mapping[str, str] = {
    "approve": "Approved: the engine goes on with exactly what was asked.",
    "deny": "Denied: what was asked is not done.",
    "cancel": "Recorded: this run stops.",
    "takeover": "Recorded: this run is yours, and the engine makes no further change.",
    "release": "Released: other runs may change this again.",
    "acknowledge": "Acknowledged: everybody can see that you are on it.",
    "close": "Closed.",
    "pause": "Paused: no change starts anywhere.",
    "resume": "Not paused any more: changes may start again.",
    "release storm": "Released: what the storm held goes on, a few changes at a time.",
    "retry": "The delivery waits again: the worker decides it.",
    "discard": "The delivery is thrown away.",
}


def acting_routes(routes: Blueprint, deeds: Deeds, door: Door, notices: Notices) -> None:
    """Add the routes that forms are sent to."""

    def asked() -> tuple[Visitor, Mapping[str, str]]:
        visitor, form = door.demand("operate"), read_form()
        door.demand_form(visitor, form.get("csrf", ""))
        return visitor, form

    def back(visitor: Visitor, form: Mapping[str, str], done: Done) -> Response:
        response = lead_to(local_path(form.get("back", "/")))
        notices.leave(response, visitor, SAID[done.what])
        return response

    @routes.post("/do/executions/<execution_id>/approve")
    def approve(execution_id: str) -> Response:
        visitor, form = asked()
        return back(visitor, form, deeds.approve(execution_id, wish_of(form, ApproveWish), visitor.name))

    @routes.post("/do/executions/<execution_id>/deny")
    def deny(execution_id: str) -> Response:
        visitor, form = asked()
        return back(visitor, form, deeds.deny(execution_id, wish_of(form, DenyWish), visitor.name))

    @routes.post("/do/executions/<execution_id>/cancel")
    def cancel(execution_id: str) -> Response:
        visitor, form = asked()
        return back(visitor, form, deeds.cancel(execution_id, wish_of(form, EndWish), visitor.name))

    @routes.post("/do/executions/<execution_id>/takeover")
    def take_over(execution_id: str) -> Response:
        visitor, form = asked()
        return back(visitor, form, deeds.take_over(execution_id, wish_of(form, TakeoverWish), visitor.name))

    @routes.post("/do/executions/<execution_id>/release")
    def release(execution_id: str) -> Response:
        visitor, form = asked()
        return back(visitor, form, deeds.release(execution_id, wish_of(form, ReasonWish), visitor.name))

    @routes.post("/do/incidents/<incident_id>/acknowledge")
    def acknowledge(incident_id: str) -> Response:
        visitor, form = asked()
        wish_of(form, ReasonWish)
        return back(visitor, form, deeds.acknowledge(incident_id, visitor.name))

    @routes.post("/do/incidents/<incident_id>/close")
    def close(incident_id: str) -> Response:
        visitor, form = asked()
        return back(visitor, form, deeds.close(incident_id, wish_of(form, ReasonWish), visitor.name))

    @routes.post("/do/pause")
    def throw() -> Response:
        visitor, form = asked()
        return back(visitor, form, deeds.pause(wish_of(form, PauseWish), visitor.name))

    @routes.post("/do/resume")
    def lift() -> Response:
        visitor, form = asked()
        wish_of(form, ReasonWish)
        return back(visitor, form, deeds.resume(visitor.name))

    @routes.post("/do/storm/release")
    def release_storm() -> Response:
        visitor, form = asked()
        return back(visitor, form, deeds.release_storm(wish_of(form, ReasonWish), visitor.name))

    @routes.post("/do/inbox/<number>/retry")
    def retry(number: str) -> Response:
        visitor, form = asked()
        wish_of(form, ReasonWish)
        return back(visitor, form, deeds.retry(_number(number), visitor.name))

    @routes.post("/do/inbox/<number>/discard")
    def discard(number: str) -> Response:
        visitor, form = asked()
        wish_of(form, ReasonWish)
        return back(visitor, form, deeds.discard(_number(number), visitor.name))


def _number(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise InvalidRequest("there is no such delivery", 404)
    return int(text)
