"""Signing in: a token, shown once, for a session of some hours; and signing out."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response, request

from runbook_engine.entrypoints.logs import EventLog
from runbook_engine.entrypoints.server.web.answers import answer_page, lead_to
from runbook_engine.entrypoints.server.web.attempts import Attempts
from runbook_engine.entrypoints.server.web.cookies import SESSION
from runbook_engine.entrypoints.server.web.door import Door
from runbook_engine.entrypoints.server.web.forms import read_form
from runbook_engine.entrypoints.server.web.origins import local_path
from runbook_engine.entrypoints.server.web.pages import Pages
from runbook_engine.errors import Forbidden, Unauthenticated

WRONG = "this is no token of this installation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reception:
    """Answers who wants to sign in."""

    door: Door
    pages: Pages
    attempts: Attempts
    log: EventLog

    def show(self, back: str, problem: str = "", status: int = 200) -> Response:
        """Return the form."""
        names_proxy = bool(self.door.proxies.header)
        return answer_page(self.pages.sign_in(back=back, problem=problem, names_proxy=names_proxy), status)

    def let_in(self, token: str, back: str) -> Response:
        """Return what a shown token is answered."""
        client = self.door.proxies.client(request.remote_addr or "", request.headers.get("X-Forwarded-For"))
        now = self.door.clock.now()
        if wait := self.attempts.wait(client, now):
            seconds = int(wait.total_seconds()) + 1
            response = self.show(back, f"too many wrong tokens came from here: try again in {seconds} s", 429)
            response.headers["Retry-After"] = str(seconds)
            return response
        try:
            cookie, bearer = self.door.sessions.begin(token, now)
        except Unauthenticated:
            self.attempts.failed(client, now)
            self.log.event("sign-in.refused", "warning", client=client)
            return self.show(back, WRONG, 401)
        except Forbidden as error:
            self.log.event("sign-in.refused", "warning", client=client, says=str(error))
            return self.show(back, str(error), 403)
        self.log.event("signed-in", by=bearer.name, client=client)
        response = lead_to(back)
        self.door.cookies.set(response, SESSION, cookie, self.door.sessions.lasts)
        return response


def signing_in_routes(routes: Blueprint, reception: Reception) -> None:
    """Add the routes of who is not signed in yet, and of who leaves."""
    door = reception.door

    @routes.get("/sign-in")
    def sign_in() -> Response:
        back = local_path(request.args.get("back", "/"))
        return lead_to(back) if door.visitor() is not None else reception.show(back)

    @routes.post("/sign-in")
    def take_token() -> Response:
        form = read_form()
        back = local_path(form.get("back", "/"))
        return lead_to(back) if door.is_open else reception.let_in(form.get("token", "").strip(), back)

    @routes.post("/sign-out")
    def sign_out() -> Response:
        visitor = door.visitor()
        if visitor is not None:
            door.demand_form(visitor, read_form().get("csrf", ""))
        response = lead_to("/sign-in")
        door.cookies.take(response, SESSION)
        return response
