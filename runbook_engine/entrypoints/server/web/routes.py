"""The routes of the web page: who may see a page, and which one that is. What stands on it is the pages' affair."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from flask import Blueprint, Response, request

from runbook_engine.entrypoints.credentials import Keyring
from runbook_engine.entrypoints.refusals import InvalidRequest
from runbook_engine.entrypoints.server.deeds import Deeds
from runbook_engine.entrypoints.server.web.acting import acting_routes
from runbook_engine.entrypoints.server.web.answers import HEADERS, LIVE, NAME, answer_page
from runbook_engine.entrypoints.server.web.attempts import Attempts
from runbook_engine.entrypoints.server.web.cookies import Cookies
from runbook_engine.entrypoints.server.web.desk import WebDesk
from runbook_engine.entrypoints.server.web.door import Door
from runbook_engine.entrypoints.server.web.live import Listeners, Pulse, live_routes
from runbook_engine.entrypoints.server.web.notices import Notices
from runbook_engine.entrypoints.server.web.pages import Pages
from runbook_engine.entrypoints.server.web.proxy import Proxies
from runbook_engine.entrypoints.server.web.seals import Seals
from runbook_engine.entrypoints.server.web.sessions import Sessions
from runbook_engine.entrypoints.server.web.signing_in import Reception, signing_in_routes
from runbook_engine.entrypoints.server.web.visitor import Visitor
from runbook_engine.entrypoints.tests_state import TestsState
from runbook_engine.errors import UnknownRunbook


@dataclass(frozen=True, slots=True, kw_only=True)
class WebHost:
    """What the process that serves the page gives it."""

    key: bytes = field(repr=False)  # of this start of the runner
    listeners: int = 32  # how many may listen at once: half of the threads
    stopping: threading.Event = field(default_factory=threading.Event)  # the process is about to end
    tests: Callable[[], TestsState | None] = lambda: None  # what became of the tests beside the runbooks


def web_routes(desk: WebDesk, keyring: Keyring, deeds: Deeds, pages: Pages, host: WebHost) -> Blueprint:
    """Return the routes of the page."""
    web = desk.engine.bundle.configuration.web
    seals, cookies = Seals(host.key), Cookies(web)
    sessions = Sessions(seals=seals, keyring=keyring, lasts=web.session_for)
    door = Door(web=web, seals=seals, sessions=sessions, proxies=Proxies(web), cookies=cookies, clock=desk.clock)
    notices = Notices(seals, cookies)
    routes = Blueprint(NAME, __name__)
    routes.before_request(door.check)
    _page_routes(routes, pages, door, notices)
    _asset_routes(routes, pages)
    acting_routes(routes, deeds, door, notices)
    signing_in_routes(routes, Reception(door=door, pages=pages, attempts=Attempts(), log=desk.log))
    live_routes(routes, door, Pulse(desk), Listeners(host.listeners, host.stopping))
    return routes


def _page_routes(routes: Blueprint, pages: Pages, door: Door, notices: Notices) -> None:
    def shown(render: Callable[[Visitor, str], str]) -> Response:
        visitor = door.demand("read")
        notice = notices.read(visitor) if request.headers.get("X-Requested-With") != LIVE else ""
        response = answer_page(render(visitor, notice))
        if notice:
            notices.said(response)
        return response

    @routes.get("/")
    def home() -> Response:
        return shown(pages.home)

    @routes.get("/incidents")
    def incidents() -> Response:
        return shown(pages.incidents)

    @routes.get("/incidents/<incident_id>")
    def incident(incident_id: str) -> Response:
        return shown(lambda visitor, notice: pages.incident(visitor, incident_id, notice))

    @routes.get("/executions/<execution_id>")
    def execution(execution_id: str) -> Response:
        return shown(lambda visitor, notice: pages.execution(visitor, execution_id, notice))

    @routes.get("/runbooks")
    def runbooks() -> Response:
        return shown(pages.runbooks)

    @routes.get("/runbooks/<name>")
    def runbook(name: str) -> Response:
        try:
            return shown(lambda visitor, notice: pages.runbook(visitor, name, notice))
        except UnknownRunbook as error:
            raise InvalidRequest("there is no such runbook", 404) from error

    @routes.get("/pause")
    def pause() -> Response:
        return shown(pages.pause)

    @routes.get("/inbox")
    def inbox() -> Response:
        return shown(pages.inbox)


def _asset_routes(routes: Blueprint, pages: Pages) -> None:
    @routes.get("/assets/<name>")
    def asset(name: str) -> Response:
        found = pages.asset(name)
        if found is None:
            raise InvalidRequest("there is no such file", 404)
        content, media_type = found
        digest = hashlib.sha256(content).hexdigest()
        version = request.args.get("v", "")
        is_this = len(version) >= 8 and digest.startswith(version)  # else it is of another release: asked for again
        kept = "public, max-age=31536000, immutable" if is_this else "no-cache"
        response = Response(content, 200, HEADERS | {"Cache-Control": kept}, content_type=media_type)
        response.set_etag(digest)
        response.make_conditional(request)
        return response
