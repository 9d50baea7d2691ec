"""Acting: the forms of the page, for who has the role operate. They do what programs do over the API, and lead back."""

from __future__ import annotations

from collections.abc import Callable, Mapping

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
from runbook_engine.entrypoints.server.web.forms import Wish, read_form, wish_of
from runbook_engine.entrypoints.server.web.notices import Notices
from runbook_engine.entrypoints.server.web.origins import local_path

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

    def add(rule: str, kind: type[Wish], act: Callable[..., Done]) -> None:
        def done(**named: str) -> Response:
            visitor, form = door.demand("operate"), read_form()
            door.demand_form(visitor, form.get("csrf", ""))
            said = SAID[act(wish_of(form, kind), visitor.name, **named).what]
            response = lead_to(local_path(form.get("back", "/")))
            notices.leave(response, visitor, said)
            return response

        routes.add_url_rule(f"/do/{rule}", f"do {rule}", done, methods=["POST"])

    run, incident, delivery = "executions/<execution_id>", "incidents/<incident_id>", "inbox/<number>"
    add(f"{run}/approve", ApproveWish, lambda wish, by, execution_id: deeds.approve(execution_id, wish, by))
    add(f"{run}/deny", DenyWish, lambda wish, by, execution_id: deeds.deny(execution_id, wish, by))
    add(f"{run}/cancel", EndWish, lambda wish, by, execution_id: deeds.cancel(execution_id, wish, by))
    add(f"{run}/takeover", TakeoverWish, lambda wish, by, execution_id: deeds.take_over(execution_id, wish, by))
    add(f"{run}/release", ReasonWish, lambda wish, by, execution_id: deeds.release(execution_id, wish, by))
    add(f"{incident}/acknowledge", ReasonWish, lambda wish, by, incident_id: deeds.acknowledge(incident_id, by))
    add(f"{incident}/close", ReasonWish, lambda wish, by, incident_id: deeds.close(incident_id, wish, by))
    add("pause", PauseWish, deeds.pause)
    add("resume", ReasonWish, lambda wish, by: deeds.resume(by))
    add("storm/release", ReasonWish, deeds.release_storm)
    add(f"{delivery}/retry", ReasonWish, lambda wish, by, number: deeds.retry(_number(number), by))
    add(f"{delivery}/discard", ReasonWish, lambda wish, by, number: deeds.discard(_number(number), by))


def _number(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise InvalidRequest("there is no such delivery", 404)
    return int(text)
