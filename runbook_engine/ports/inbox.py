"""The inbox: where a front door stores a delivery before anybody has decided what it means."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from runbook_engine.model.delivery import Request
    from runbook_engine.model.inbox import Fill, SetAside, Waiting


class Inbox(Protocol):
    """Deliveries in the order in which they were stored; what a method writes is durable when it returns.

    A delivery leaves with `Journal.record` of the intake that names it, in the same transaction, and only as the oldest
    one: Conflict when somebody else was faster.
    """

    def keep(self, request: Request, alerts: int) -> int:
        """Store a delivery of so many alerts, and return its number."""
        ...

    def oldest(self) -> Waiting | None:
        """Return the delivery that comes next; None when nothing waits."""
        ...

    def is_empty(self) -> bool:
        """Return whether nothing waits."""
        ...

    def fill(self) -> Fill:
        """Return how much waits."""
        ...

    def tried(self, number: int) -> int:
        """Count one more try to decide what waits, and return how many there were; 0 = it no longer waits."""
        ...

    def spare(self, number: int) -> None:
        """Take one counted try back: what ended it had nothing to do with what waits."""
        ...

    def tidy(self) -> None:
        """Do what a store has to do now and then, so that no front door waits for it."""
        ...

    def set_aside(self, number: int, *, reason: str, at: datetime) -> None:
        """Let the others pass a delivery that cannot be decided. Raises Conflict when it no longer waits."""
        ...

    def aside(self, limit: int, after: int = 0) -> tuple[SetAside, ...]:
        """Return what was set aside, oldest first; of all with a number above `after`."""
        ...

    def give_back(self, number: int, at: datetime) -> int:
        """Put what was set aside behind all that waits, under a new number; it waits since then.

        Raises Conflict when it is not there.
        """
        ...

    def discard(self, number: int) -> None:
        """Throw away what was set aside. Raises Conflict when it is not there."""
        ...
