"""Operating: what people may do to an execution, and the kill switch, for who has the role operate.

Who did it is the token's name, never a field of the body. What follows is the worker's to do, so the answer is 202.
"""

from __future__ import annotations

from flask import Blueprint, Response, g, request

from runbook_engine.entrypoints.credentials import Keyring
from runbook_engine.entrypoints.server.answers import answer, read_wish
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


def operating_routes(deeds: Deeds, keyring: Keyring) -> Blueprint:
    """Return the routes that people act through."""
    routes = Blueprint("operating", __name__, url_prefix="/api")

    @routes.before_request
    def demand_operator() -> None:
        g.by = keyring.person(request.headers.get("Authorization"), "operate").name

    @routes.post("/executions/<execution_id>/approve")
    def approve(execution_id: str) -> Response:
        return _taken(deeds.approve(execution_id, read_wish(ApproveWish), g.by))

    @routes.post("/executions/<execution_id>/deny")
    def deny(execution_id: str) -> Response:
        return _taken(deeds.deny(execution_id, read_wish(DenyWish), g.by))

    @routes.post("/executions/<execution_id>/cancel")
    def cancel(execution_id: str) -> Response:
        return _taken(deeds.cancel(execution_id, read_wish(EndWish), g.by))

    @routes.post("/executions/<execution_id>/takeover")
    def take_over(execution_id: str) -> Response:
        return _taken(deeds.take_over(execution_id, read_wish(TakeoverWish), g.by))

    @routes.post("/executions/<execution_id>/release")
    def release(execution_id: str) -> Response:
        return _taken(deeds.release(execution_id, read_wish(ReasonWish), g.by))

    @routes.post("/incidents/<incident_id>/acknowledge")
    def acknowledge(incident_id: str) -> Response:
        return _taken(deeds.acknowledge(incident_id, g.by))

    @routes.post("/incidents/<incident_id>/close")
    def close(incident_id: str) -> Response:
        return _taken(deeds.close(incident_id, read_wish(ReasonWish), g.by))

    @routes.post("/storm/release")
    def release_storm() -> Response:
        return _taken(deeds.release_storm(read_wish(ReasonWish), g.by))

    @routes.post("/pause")
    def throw() -> Response:
        return _taken(deeds.pause(read_wish(PauseWish), g.by))

    @routes.post("/resume")
    def lift() -> Response:
        return _taken(deeds.resume(g.by))

    return routes


def _taken(done: Done) -> Response:
    return answer(done.content, 202)
