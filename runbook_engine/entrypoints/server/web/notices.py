"""Notices: what became of a deed, shown once on the page that one is led back to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from flask import Response

from runbook_engine.entrypoints.server.web.cookies import NOTICE, Cookies
from runbook_engine.entrypoints.server.web.seals import Seals
from runbook_engine.entrypoints.server.web.visitor import Visitor

LASTS = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Notices:
    """Leaves a sentence for the next page of the same visitor."""

    seals: Seals
    cookies: Cookies

    def leave(self, response: Response, visitor: Visitor, sentence: str) -> None:
        """Let the next page say it."""
        self.cookies.set(response, NOTICE, self.seals.seal(_purpose(visitor), sentence.encode()), LASTS)

    def read(self, visitor: Visitor) -> str:
        """Return what is to be said; empty = nothing."""
        return (self.seals.open(_purpose(visitor), self.cookies.read(NOTICE)) or b"").decode()

    def said(self, response: Response) -> None:
        """It was said."""
        self.cookies.take(response, NOTICE)


def _purpose(visitor: Visitor) -> str:
    return f"notice {visitor.csrf}"
