"""Signatures of senders: an HMAC over the raw body, judged before anything of the body is read.

Where the sender signs the time too, what is older or newer than five minutes is refused, and a delivery counts once
in ten. Where none is signed nothing else tells a replay, so a body counts once in a day, and what it tells of must be
new for anything to start. A sender that repeats itself word for word may say a body again: that is never new.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from runbook_engine.errors import Overloaded
from runbook_engine.model.configuration import Signature
from runbook_engine.model.delivery import Headers
from runbook_engine.model.digest import hash_parts

TOLERANCE = timedelta(seconds=300)
REMEMBERED = timedelta(seconds=600)
REMEMBERED_UNTIMED = timedelta(hours=24)
FRESH = timedelta(minutes=15)  # how old news may be that came without a signed time
MOST_CANDIDATES = 16  # signatures in one header
MOST_REMEMBERED = 100_000
SECONDS = re.compile(r"[0-9]{10}")
MILLISECONDS = re.compile(r"[0-9]{13}")
INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,18}(Z|[+-][0-9]{2}:[0-9]{2})")


class SeenSignatures(Protocol):
    """Which signatures were taken already; the processes that take deliveries of one scope should share one."""

    def first(self, signature: str, *, now: datetime, keep: timedelta) -> bool:
        """Remember a signature for so long, and say whether it was unknown; both at once. Raises RunbookError."""
        ...

    def forget(self, signature: str) -> None:
        """Let a signature count again: what it came with was not kept."""
        ...


@dataclass(slots=True)
class RecentSignatures:
    """What one process has seen. Full, it lets nothing more in until something is old enough to be forgotten.

    That is what is too old to start anything if it came again, however long there is room to remember it.
    """

    most: int = MOST_REMEMBERED
    _known: dict[str, tuple[datetime, datetime]] = field(default_factory=dict)  # since when, until when
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def first(self, signature: str, *, now: datetime, keep: timedelta) -> bool:
        """Remember a signature for so long, and say whether it was unknown. Raises Overloaded."""
        with self._guard:
            known = self._known.get(signature)
            if known is not None and known[1] > now:
                return False
            if len(self._known) >= self.most:
                known_times = self._known.items()
                self._known = {
                    each: (since, until) for each, (since, until) in known_times if until > now and now - since <= FRESH
                }
            if len(self._known) >= self.most:
                raise Overloaded(f"{self.most} signatures are remembered, and none is old enough to be forgotten")
            self._known[signature] = (now, now + keep)
            return True

    def forget(self, signature: str) -> None:
        """Let a signature count again."""
        with self._guard:
            self._known.pop(signature, None)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A secret that signs, and how its signature is written."""

    signature: Signature
    secret: bytes = field(repr=False)

    @property
    def keep(self) -> timedelta:
        """How long a signature of this key is remembered."""
        return REMEMBERED if self.signature.timestamp else REMEMBERED_UNTIMED

    def mark(self, headers: Headers, body: bytes) -> str:
        """Return what is remembered of a delivery: of all that was signed, so that no copy of it looks like another."""
        told = headers.one(self.signature.timestamp) if self.signature.timestamp else ""
        return hash_parts(told or "", hashlib.sha256(body).hexdigest())

    def fresh_within(self, *, is_first: bool) -> timedelta | None:
        """Return how old the news of a delivery may be that starts something; None = of any age."""
        if self.signature.timestamp:
            return None
        return FRESH if is_first else timedelta(0)

    def signs(self, headers: Headers, body: bytes, now: datetime) -> bool:
        """Whether the headers hold this key's signature of the body; the comparison is always made."""
        given = headers.one(self.signature.header)
        told = headers.one(self.signature.timestamp) if self.signature.timestamp else ""
        expected = self._written(self._signed(told or "", body))
        candidates = self._candidates(given or "")
        same = False
        for candidate in candidates:
            same |= hmac.compare_digest(candidate.encode(errors="replace"), expected.encode())
        return same and (not self.signature.timestamp or _is_recent(told, now))

    def _candidates(self, given: str) -> list[str]:
        """Return every signature that came; none of a list that nobody would send."""
        if not self.signature.several:
            return [given]
        parts = given.split(",", MOST_CANDIDATES)
        return [part.strip() for part in parts] if len(parts) <= MOST_CANDIDATES else [""]

    def _signed(self, timestamp: str, body: bytes) -> bytes:
        if not self.signature.timestamp:
            return body
        return timestamp.encode(errors="replace") + self.signature.separator.encode() + body

    def _written(self, signed: bytes) -> str:
        digest = hmac.new(self.secret, signed, self.signature.algorithm).digest()
        return self.signature.prefix + (digest.hex() if self.signature.encoding == "hex" else _base64(digest))


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def _is_recent(told: str | None, now: datetime) -> bool:
    moment = _instant(told or "")
    return moment is not None and abs(now - moment) <= TOLERANCE


def _instant(text: str) -> datetime | None:
    """Return the instant that a time header names: seconds or milliseconds since 1970, or a date with its zone."""
    if SECONDS.fullmatch(text):
        return datetime.fromtimestamp(int(text), UTC)
    if MILLISECONDS.fullmatch(text):
        return datetime.fromtimestamp(int(text) // 1000, UTC)
    if not INSTANT.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
