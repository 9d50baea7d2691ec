"""Seals: what this start of the runner has signed, and nobody else can. A restart makes a new key, so all are void."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass, field

SHORTEST_KEY = 32  # bytes


@dataclass(frozen=True, slots=True)
class Seals:
    """Signs, each purpose apart: what is sealed for one never opens for another."""

    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse a key that could be guessed."""
        if len(self.key) < SHORTEST_KEY:
            raise ValueError(f"the key of the web page has {SHORTEST_KEY} bytes or more, not {len(self.key)}")

    def mark(self, purpose: str, *parts: bytes) -> str:
        """Return what only we can say about these parts."""
        signed = b"".join(b"%d:%b" % (len(part), part) for part in (purpose.encode(), *parts))
        return hmac.new(self.key, signed, hashlib.sha256).hexdigest()

    def fits(self, given: str, purpose: str, *parts: bytes) -> bool:
        """Whether we said this about these parts; compared in constant time."""
        return hmac.compare_digest(given.encode(errors="replace"), self.mark(purpose, *parts).encode())

    def seal(self, purpose: str, content: bytes) -> str:
        """Return content that anybody may carry, and nobody may change."""
        carried = base64.urlsafe_b64encode(content).decode().rstrip("=")
        return f"{carried}.{self.mark(purpose, content)}"

    def open(self, purpose: str, sealed: str) -> bytes | None:
        """Return what was sealed for this purpose; None when it was not, or was changed."""
        carried, _, mark = sealed.partition(".")
        try:
            content = base64.b64decode(carried + "=" * (-len(carried) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        return content if self.fits(mark, purpose, content) else None
