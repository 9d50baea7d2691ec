"""Sessions: who has signed in with a token. A session is a sealed cookie, so every web process reads it alike.

It says which token, never what that may do: roles are those that the token has now. It is tied to the secret that
was shown, so a secret that is taken away takes its sessions with it.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from runbook_engine.entrypoints.credentials import Bearer, Keyring, digest_of
from runbook_engine.entrypoints.server.web.seals import Seals
from runbook_engine.entrypoints.server.web.visitor import Visitor
from runbook_engine.errors import Forbidden
from runbook_engine.model.decoding import from_json

PURPOSE, SECRET, CSRF = "session", "secret", "csrf"
LONGEST_COOKIE = 2048  # characters
SKEW = timedelta(seconds=5)  # two readings of a clock may differ by so much


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """What the cookie says."""

    name: str  # of the token
    issued: datetime
    until: datetime
    secret: str  # what we say of the secret that was shown
    nonce: str  # two sessions of one person differ in it


@dataclass(frozen=True, slots=True, kw_only=True)
class Sessions:
    """Begins sessions and reads them."""

    seals: Seals
    keyring: Keyring
    lasts: timedelta

    def begin(self, token: str, now: datetime) -> tuple[str, Bearer]:
        """Return the cookie of who shows a token, and who that is. Raises Unauthenticated, Forbidden."""
        bearer = self.keyring.bearer(f"Bearer {token}")
        if "read" not in bearer.roles:
            roles = " and ".join(bearer.roles)
            raise Forbidden(f"this token has the role {roles}, and looking at the page needs the role read")
        session = Session(
            name=bearer.name,
            issued=now,
            until=now + self.lasts,
            secret=self.seals.mark(SECRET, digest_of(token)),
            nonce=secrets.token_urlsafe(16),
        )
        return self.seals.seal(PURPOSE, msgspec.json.encode(session)), bearer

    def visitor(self, cookie: str, now: datetime) -> Visitor | None:
        """Return whose session it is; None when it is nobody's, is over, or its secret is gone."""
        content = self.seals.open(PURPOSE, cookie) if len(cookie) <= LONGEST_COOKIE else None
        if content is None:
            return None
        session = from_json(content, Session)
        bearer = self._bearer(session)
        if bearer is None or not session.issued - SKEW <= now < session.until:
            return None
        return visitor_of(self.seals, bearer.name, bearer.roles, "cookie", session.nonce)

    def _bearer(self, session: Session) -> Bearer | None:
        found: Bearer | None = None
        for key in self.keyring.keys:
            fits = self.seals.fits(session.secret, SECRET, key.digest)
            if fits and key.bearer.name == session.name and key.signing is None:
                found = key.bearer
        return found


def visitor_of(seals: Seals, name: str, roles: tuple[str, ...], *session: str) -> Visitor:
    """Return a visitor whose forms are good for this session alone."""
    csrf = seals.mark(CSRF, name.encode(), *(part.encode() for part in session))
    return Visitor(name=name, roles=tuple(role for role in ("read", "operate") if role in roles), csrf=csrf)
