"""What a host without a process of its own drives with: whose turn it is, how to be woken, and what it tells the bus.

None of it decides anything: a lost seat, token or event costs time, never an effect. The journal alone decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from runbook_engine.model.bus import BusEvent, Unpublished


class Seats(Protocol):
    """Which of several drivers of one execution goes on: the one that sat down last. The others end themselves."""

    def take(self, execution_id: str, driver: str, now: datetime) -> None:
        """Sit down, whoever sat there; the token of who sat there is forgotten. Raises Unreadable."""
        ...

    def holds(self, execution_id: str, driver: str) -> bool:
        """Whether this driver is the one that sits there. Raises Unreadable."""
        ...

    def leave(self, execution_id: str, driver: str) -> None:
        """Get up, unless somebody else sits there by now. Raises Unreadable."""
        ...

    def keep_token(self, execution_id: str, driver: str, token: str, until: datetime) -> bool:
        """Keep what wakes this driver, and say whether it sits there still. Raises Unreadable."""
        ...

    def token(self, execution_id: str) -> str | None:
        """Return what wakes the driver that sits there, None when it needs no waking. Raises Unreadable."""
        ...


class FirstUses(Protocol):
    """What may be used once: signatures of webhooks, answers of signed links."""

    def first_use(self, key: str, until: datetime, now: datetime) -> bool:
        """Whether nobody has used this key yet; it is remembered until then. Raises Unreadable, which means no."""
        ...

    def forget(self, key: str) -> None:
        """Let the key be used once more: what it was used for has not been kept. Raises Unreadable."""
        ...


class Callbacks(Protocol):
    """Wakes drivers that wait for an answer."""

    def wake(self, token: str) -> bool:
        """Wake who waits under the token; False when nobody does any more. Raises Retryable."""
        ...


class Bus(Protocol):
    """Tells the world around."""

    def publish(self, events: Sequence[BusEvent]) -> tuple[Unpublished, ...]:
        """Publish events, trying again what can be tried again; return those that were not taken."""
        ...
