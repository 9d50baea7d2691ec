"""The door: who looks at the page, and whether they may do what they ask."""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from flask import request

from runbook_engine.entrypoints.server.web.cookies import SESSION, Cookies
from runbook_engine.entrypoints.server.web.origins import demand_loopback, demand_no_stranger, demand_our_page
from runbook_engine.entrypoints.server.web.proxy import Proxies
from runbook_engine.entrypoints.server.web.seals import Seals
from runbook_engine.entrypoints.server.web.sessions import Sessions, visitor_of
from runbook_engine.entrypoints.server.web.visitor import Visitor
from runbook_engine.errors import Forbidden, Unauthenticated
from runbook_engine.model.configuration import Role
from runbook_engine.model.web import Web
from runbook_engine.ports import Clock

LOCAL = "local"  # everybody on this machine, where nobody is asked who they are
CHANGING = ("POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Looks at the request that is answered now."""

    web: Web
    seals: Seals
    sessions: Sessions
    proxies: Proxies
    cookies: Cookies
    clock: Clock

    @property
    def is_open(self) -> bool:
        """Whether nobody is asked who they are."""
        return self.sessions.keyring.is_open

    def check(self) -> None:
        """Raise Forbidden when it was not a page of ours, or a person, that sent somebody here."""
        if self.is_open:
            demand_loopback(request.host)
        demand_no_stranger(request.headers)
        if request.method in CHANGING:
            demand_our_page(request.headers, request.host, self.web)

    def visitor(self) -> Visitor | None:
        """Return who asks; None = nobody knows. Raises Forbidden when a proxy names nobody who may."""
        if self.is_open:
            return visitor_of(self.seals, LOCAL, ("read", "operate"), LOCAL)
        named = self.proxies.named(request.remote_addr or "", request.headers.get(self.proxies.header or "-"))
        if named:
            return visitor_of(self.seals, named, self.proxies.roles(named), "proxy")
        cookie = self.cookies.read(SESSION)
        return self.sessions.visitor(cookie, self.clock.now()) if cookie else None

    def demand(self, role: Role) -> Visitor:
        """Return who asks, if the role is theirs. Raises Unauthenticated, Forbidden."""
        visitor = self.visitor()
        if visitor is None:
            raise Unauthenticated("you are not signed in, or no longer: sign in again")
        if role not in visitor.roles:
            raise Forbidden(f"{visitor.name} does not have the role {role}")
        return visitor

    def demand_form(self, visitor: Visitor, csrf: str) -> None:
        """Raise Forbidden unless a form was made for this session."""
        if not hmac.compare_digest(csrf.encode(errors="replace"), visitor.csrf.encode()):
            raise Forbidden("this form is out of date, so nothing was done: load the page again")
