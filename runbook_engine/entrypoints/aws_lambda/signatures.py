"""Signatures that were seen, kept where every function looks: a webhook that is sent again is known by all of them.

A function may die before its delivery is durable, and then nobody takes its signature back. So it is remembered for no
longer than a function lives, until the delivery has been kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from runbook_engine.entrypoints.signatures import REMEMBERED_UNTIMED
from runbook_engine.ports import FirstUses

KIND = "signature:"
IN_HAND = timedelta(seconds=25)  # the time limit of the function that takes deliveries


@dataclass(frozen=True, slots=True)
class KeptSignatures:
    """Remembers signatures of webhooks."""

    uses: FirstUses

    def first(self, signature: str, *, now: datetime, keep: timedelta) -> bool:
        """Remember a signature while its delivery is in hand; False when it was there. Raises Unreadable."""
        return self.uses.first_use(KIND + signature, now + min(keep, IN_HAND), now)

    def keep(self, signature: str, now: datetime) -> None:
        """Remember a signature for good, because its delivery has been kept. Raises Unreadable."""
        self.forget(signature)
        self.uses.first_use(KIND + signature, now + REMEMBERED_UNTIMED, now)

    def forget(self, signature: str) -> None:
        """Let it come once more: what came with it has not been kept."""
        self.uses.forget(KIND + signature)
