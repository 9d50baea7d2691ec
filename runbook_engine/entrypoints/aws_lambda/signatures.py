"""Signatures that were seen, kept where every function looks: a webhook that is sent again is known by all of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from runbook_engine.ports import FirstUses

KIND = "signature:"


@dataclass(frozen=True, slots=True)
class KeptSignatures:
    """Remembers signatures of webhooks."""

    uses: FirstUses

    def first(self, signature: str, *, now: datetime, keep: timedelta) -> bool:
        """Remember a signature; False when it was there. Raises Unreadable: then nobody is let in."""
        return self.uses.first_use(KIND + signature, now + keep, now)

    def forget(self, signature: str) -> None:
        """Let it come once more: what came with it has not been kept."""
        self.uses.forget(KIND + signature)
