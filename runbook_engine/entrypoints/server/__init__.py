"""The server: webhooks in, reports out, and what people may do, over HTTP. The only package that knows Flask."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from flask import Flask, Request, Response, request
from werkzeug.exceptions import HTTPException

from runbook_engine.engine import Engine
from runbook_engine.entrypoints.approvals import ApprovalPages
from runbook_engine.entrypoints.credentials import Keyring, is_loopback
from runbook_engine.entrypoints.links import ApprovalLinks
from runbook_engine.entrypoints.logs import EventLog, Level, say_error
from runbook_engine.entrypoints.metrics import Metrics
from runbook_engine.entrypoints.refusals import Refusal, refusal_of
from runbook_engine.entrypoints.server.answers import answer_refusal, refusal_of_http
from runbook_engine.entrypoints.server.approvals import NAME as APPROVALS
from runbook_engine.entrypoints.server.approvals import approval_routes
from runbook_engine.entrypoints.server.bodies import READ_LIMIT
from runbook_engine.entrypoints.server.deeds import Deeds
from runbook_engine.entrypoints.server.health import Health, health_routes
from runbook_engine.entrypoints.server.hooks import hook_routes
from runbook_engine.entrypoints.server.openapi import openapi_routes
from runbook_engine.entrypoints.server.operating import operating_routes
from runbook_engine.entrypoints.server.reading import reading_routes
from runbook_engine.entrypoints.server.web.answers import NAME as WEB
from runbook_engine.entrypoints.server.web.answers import answer_visitor
from runbook_engine.entrypoints.server.web.desk import WebDesk
from runbook_engine.entrypoints.server.web.pages import Pages
from runbook_engine.entrypoints.server.web.routes import WebHost, web_routes
from runbook_engine.errors import Forbidden, RunbookError
from runbook_engine.ports import Clock, PauseReader, PauseWriter
from runbook_engine.registry import Registry

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}


def create_app(
    engine: Engine,
    *,
    keyring: Keyring,
    pause: tuple[PauseReader, PauseWriter],
    clock: Clock,
    metrics: Metrics,
    log: EventLog,
    beat_file: Path,
    read_limit: float = 10.0,
    links: Callable[[], ApprovalLinks] | None = None,
    registry: Registry | None = None,
    web: WebHost | None = None,
    stored: Callable[[], None] = lambda: None,
) -> Flask:
    """Return the application: nothing of it is global, so a test may have as many as it likes.

    Without `links` there are no pages to approve on, without `web` there is no web page. `stored` hears of every
    delivery that waits to be decided.
    """
    app = Flask("runbook_engine", static_folder=None)
    app.url_map.strict_slashes = False  # a redirect would turn a sender's POST into a GET
    app.url_map.merge_slashes = False
    # One more than is taken: Werkzeug cuts a chunked body at its limit, so only the byte after it shows the excess.
    app.config["MAX_CONTENT_LENGTH"] = engine.bundle.configuration.limits.max_body + 1
    app.config[READ_LIMIT] = read_limit
    if keyring.is_open:
        app.before_request(_refuse_browsers)
    app.register_blueprint(hook_routes(engine, keyring, clock, metrics, log, stored))
    app.register_blueprint(reading_routes(engine, keyring, pause[0], clock))
    deeds, health = Deeds(engine=engine, pauses=pause[1], clock=clock, log=log), Health(engine, clock, beat_file)
    app.register_blueprint(operating_routes(deeds, keyring))
    app.register_blueprint(health_routes(health, metrics))
    app.register_blueprint(openapi_routes())
    if links is not None:
        approvals = ApprovalPages(engine=engine, links=links, keys=lambda: keyring, clock=clock, log=log)
        app.register_blueprint(approval_routes(approvals))
    pages: Pages | None = None
    if web is not None and engine.bundle.configuration.web.enabled:
        known = registry or Registry()
        desk = WebDesk(
            engine=engine,
            registry=known,
            clock=clock,
            pause=pause,
            log=log,
            problems=health.problems,
            goes_round=health.goes_round,
            tests=web.tests,
        )
        pages = Pages(desk)
        app.register_blueprint(web_routes(desk, keyring, deeds, pages, web))
    _answer_errors(app, log, pages)
    app.after_request(_harden)
    return app


def _answer_errors(app: Flask, log: EventLog, pages: Pages | None) -> None:
    def told(refusal: Refusal) -> Response:
        page = answer_visitor(pages, refusal) if pages is not None else None
        return page if page is not None else answer_refusal(refusal)

    @app.errorhandler(RunbookError)
    def on_runbook_error(error: RunbookError) -> Response:
        refusal = refusal_of(error)
        level: Level = "warning" if refusal.status >= 500 else "info"
        log.event("refused", level, code=refusal.status, method=request.method, path=_path(request), **_said(error))
        return told(refusal)

    @app.errorhandler(HTTPException)
    def on_http_error(error: HTTPException) -> Response:
        response = told(refusal_of_http(error))
        if allowed := getattr(error, "valid_methods", None):
            response.headers["Allow"] = ", ".join(sorted(allowed))
        return response

    @app.errorhandler(Exception)
    def on_surprise(error: Exception) -> Response:
        log.event("server.error", "error", method=request.method, path=_path(request), **say_error(error))
        return told(refusal_of(error))


def _refuse_browsers() -> None:
    """Without tokens only this machine may ask, and no page that somebody's browser has open here.

    The page of a question is for browsers: its link is a credential that no other page knows. The web page looks
    for itself which page sent somebody there.
    """
    if request.blueprint in (APPROVALS, WEB):
        return
    host = request.host.rpartition(":")[0] if ":" in request.host.rpartition("]")[2] else request.host
    if "Origin" in request.headers or not is_loopback(host):
        raise Forbidden("without tokens only programs of this machine are answered")


def _harden(response: Response) -> Response:
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _path(asked: Request) -> str:
    """Return the route, not what was asked for: that is the caller's text."""
    return asked.url_rule.rule if asked.url_rule is not None else ""


def _said(error: RunbookError) -> dict[str, str]:
    return {"error": type(error).__name__, "says": str(error)}
