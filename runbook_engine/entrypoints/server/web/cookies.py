"""Cookies: what a browser carries for us. Of this site alone, for no script, and over TLS where there is TLS."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from flask import Response, request

from runbook_engine.entrypoints.server.web.origins import is_over_tls
from runbook_engine.model.web import Web

SESSION, NOTICE = "runbook", "runbook-notice"


@dataclass(frozen=True, slots=True)
class Cookies:
    """Reads and sets the cookies of the page that is asked for now."""

    web: Web

    def read(self, name: str) -> str:
        """Return what it holds; empty = there is none."""
        return request.cookies.get(self._named(name), "")

    def set(self, response: Response, name: str, value: str, lasts: timedelta) -> None:
        """Give one."""
        seconds = int(lasts.total_seconds())
        response.set_cookie(
            self._named(name), value, max_age=seconds, secure=self._secure, httponly=True, samesite="Strict", path="/"
        )

    def take(self, response: Response, name: str) -> None:
        """Take it away."""
        self.set(response, name, "", timedelta(0))

    @property
    def _secure(self) -> bool:
        return is_over_tls(request.host, self.web)

    def _named(self, name: str) -> str:
        """The browser holds to what __Host- says; without TLS runners of one machine are told apart by their ports."""
        return f"__Host-{name}" if self._secure else f"{name}-{request.host.rpartition(':')[2].strip(']')}"
