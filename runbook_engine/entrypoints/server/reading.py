"""Reading: incidents and executions as JSON, for who has the role read."""

from __future__ import annotations

from flask import Blueprint, Response, request

from runbook_engine.engine import Engine
from runbook_engine.entrypoints.credentials import Keyring
from runbook_engine.entrypoints.refusals import InvalidRequest
from runbook_engine.entrypoints.server.answers import answer
from runbook_engine.entrypoints.views import (
    view_execution,
    view_execution_report,
    view_incident,
    view_incident_report,
)
from runbook_engine.ports import Clock, PauseReader
from runbook_engine.render.standing import record_standing
from runbook_engine.render.storm import record_storm

USUAL, MOST = 50, 500


def reading_routes(engine: Engine, keyring: Keyring, pauses: PauseReader, clock: Clock) -> Blueprint:
    """Return the routes that look."""
    routes = Blueprint("reading", __name__, url_prefix="/api")
    journal = engine.journal

    @routes.before_request
    def demand_reader() -> None:
        keyring.person(request.headers.get("Authorization"), "read")

    @routes.get("/incidents")
    def incidents() -> Response:
        found = journal.incidents(limit=_limit(), open_only=_wanted("open"))
        quiet, now = engine.bundle.configuration.correlation.quiet, clock.now()
        rows = [view_incident(one, journal.executions(limit=MOST, incident_id=one.id), quiet, now) for one in found]
        return answer({"incidents": rows})

    @routes.get("/incidents/<incident_id>")
    def incident(incident_id: str) -> Response:
        return answer(view_incident_report(engine.incident_report(incident_id)))

    @routes.get("/executions")
    def executions() -> Response:
        found = journal.executions(limit=_limit(), active_only=_wanted("active"))
        return answer({"executions": [view_execution(one) for one in found]})

    @routes.get("/executions/<execution_id>")
    def execution(execution_id: str) -> Response:
        return answer(view_execution_report(engine.execution_report(execution_id)))

    @routes.get("/storm")
    def storm() -> Response:
        rule = engine.bundle.configuration.storm
        return answer({"storm": record_storm(journal.latch(), rule, clock.now())})

    @routes.get("/standing")
    def standing() -> Response:
        return answer({"runbooks": [record_standing(each) for each in engine.standings()]})

    @routes.get("/pause")
    def pause() -> Response:
        return answer({"pause": pauses.pause(clock.now())})

    return routes


def _limit() -> int:
    given = request.args.get("limit", str(USUAL))
    if not given.isascii() or not given.isdigit() or not 1 <= int(given[:9]) <= MOST:
        raise InvalidRequest(f"limit is a number from 1 to {MOST}")
    return int(given)


def _wanted(name: str) -> bool:
    given = request.args.get(name, "false")
    if given not in ("true", "false"):
        raise InvalidRequest(f"{name} is true or false")
    return given == "true"
