"""Waking: an execution must be driven now. Whoever waits for it is woken; where nobody does, a driver is asked for.

A wish that is lost costs a minute: the sweep finds what is due and undriven.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from runbook_engine.entrypoints.logs import EventLog, say_error
from runbook_engine.errors import RunbookError
from runbook_engine.model.bus import BUS_VERSION, BusEvent, Unpublished
from runbook_engine.ports import Bus, Callbacks, Clock, Seats

DUE: Final = "Execution Due"


@dataclass(frozen=True, slots=True)
class Waker:
    """Wakes drivers, and asks for new ones over the bus."""

    seats: Seats
    callbacks: Callbacks
    bus: Bus
    clock: Clock
    log: EventLog

    def wake(self, execution_ids: Iterable[str], *, new: Collection[str] = (), besides: Sequence[BusEvent] = ()) -> int:
        """See to it that these executions are driven; return how many could not be seen to.

        Nobody waits for what is new. What is told to the bus besides goes in the same call.
        """
        wanted = dict.fromkeys(execution_ids)
        asleep = [each for each in wanted if each in new or not self._woken(each)]
        left = self.publish([*map(self._wish, asleep), *besides])
        return sum(each.event.kind == DUE for each in left)

    def ask_for_drivers(self, execution_ids: Iterable[str]) -> int:
        """Ask for a driver of each; return how many could not be asked for."""
        return len(self.publish([self._wish(execution_id) for execution_id in execution_ids]))

    def publish(self, events: Sequence[BusEvent]) -> tuple[Unpublished, ...]:
        """Publish, and log what was not taken; a bus that cannot be reached took nothing."""
        if not events:
            return ()
        try:
            left = self.bus.publish(events)
        except RunbookError as error:
            self.log.event("bus.unreachable", "error", events=len(events), **say_error(error))
            return tuple(Unpublished(event=event, code=type(error).__name__, reason=str(error)) for event in events)
        for each in left:
            self.log.event("bus.refused", "error", kind=each.event.kind, code=each.code, says=each.reason)
        return left

    def _wish(self, execution_id: str) -> BusEvent:
        return BusEvent(kind=DUE, at=self.clock.now(), detail={"version": BUS_VERSION, "execution_id": execution_id})

    def _woken(self, execution_id: str) -> bool:
        """Whether somebody waited and was woken; what cannot be told counts as no, and a driver is asked for."""
        try:
            token = self.seats.token(execution_id)
            return token is not None and self.callbacks.wake(token)
        except RunbookError as error:
            self.log.event("wake.failed", "warning", execution=execution_id, **say_error(error))
            return False
