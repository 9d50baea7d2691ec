"""Publishing to a bus. HTTP 200 can hide failures, so every entry is looked at, and each has its own fate.

What the service did not take by a fault of its own is sent again, within a few seconds; anything else is returned.
An event may so arrive twice, which whoever listens to a bus has to bear anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from runbook_adapters.aws.clients import Clients
from runbook_adapters.aws.problems import code_of, touching
from runbook_adapters.eventbridge.entries import MOST_DETAIL, Entry, batches, entry_of
from runbook_engine.errors import EffectUnknown, Permanent, Retryable
from runbook_engine.model.bus import BusEvent, Unpublished
from runbook_engine.ports import Clock

SERVICE = "events"
BUDGET = timedelta(seconds=5)  # no try begins later
MOST_TRIES = 5
FIRST_WAIT = 0.1  # seconds; twice as long each time, and a random half of it less
UNANSWERED = "NotAnswered"  # our own codes: the service has said nothing, or no
REFUSED = "Refused"
PASSING = frozenset(("InternalFailure", "InternalException", "ThrottlingException", UNANSWERED))

Fates = list[Unpublished | None]  # of entries, in their order; None = it was taken


class EventBridgeBus:
    """Publishes to one bus."""

    def __init__(
        self,
        clients: Clients,
        name: Callable[[], str],
        clock: Clock,
        *,
        sleep: Callable[[float], None],
        jitter: Callable[[], float],
    ) -> None:
        self._clients = clients
        self._name = name
        self._clock = clock
        self._sleep = sleep
        self._jitter = jitter

    def publish(self, events: Sequence[BusEvent]) -> tuple[Unpublished, ...]:
        """Publish events, trying again what can be tried again; return those that were not taken. Raises NoAdapter."""
        entries = [entry_of(event) for event in events]
        fates: Fates = [_too_large(entry) if entry.size > MOST_DETAIL else None for entry in entries]
        waiting = [index for index, fate in enumerate(fates) if fate is None]
        until = self._clock.now() + BUDGET
        wait = FIRST_WAIT
        for attempt in range(MOST_TRIES):
            if attempt:
                self._sleep(wait * (1 - self._jitter() / 2))
                wait *= 2
            for index, fate in zip(waiting, self._sent([entries[index] for index in waiting], until), strict=True):
                fates[index] = fate
            waiting = [index for index in waiting if _passes(fates[index])]
            if not waiting or self._clock.now() >= until:
                break
        return tuple(fate for fate in fates if fate is not None)

    def _sent(self, entries: Sequence[Entry], until: datetime) -> Fates:
        """Send what fits together in one call after the other; a bus that hangs is not waited for each time."""
        fates: Fates = []
        for batch in batches(entries):
            hangs = self._clock.now() >= until and any(fate is not None and fate.code == UNANSWERED for fate in fates)
            fates += [_unsent(entry) for entry in batch] if hangs else self._batch_sent(batch)
        return fates

    def _batch_sent(self, batch: Sequence[Entry]) -> Fates:
        """Send one batch once, and return what became of each of its entries."""
        client, bus = self._clients.touching(SERVICE), self._name()
        try:
            with touching(f"publishing to bus {bus}"):
                answer = client.put_events(Entries=[entry.for_bus(bus) for entry in batch])
        except (Retryable, EffectUnknown) as error:
            return [Unpublished(event=entry.event, code=UNANSWERED, reason=str(error)) for entry in batch]
        except Permanent as error:
            code = code_of(error.__cause__) if isinstance(error.__cause__, Exception) else ""
            return [Unpublished(event=entry.event, code=code or REFUSED, reason=str(error)) for entry in batch]
        told: list[dict[str, Any]] = answer.get("Entries") or []
        silent: dict[str, Any] = {"ErrorCode": UNANSWERED, "ErrorMessage": "the service did not say what became of it"}
        return [_fate(entry, told[index] if index < len(told) else silent) for index, entry in enumerate(batch)]


def _fate(entry: Entry, told: dict[str, Any]) -> Unpublished | None:
    code = str(told.get("ErrorCode") or "")
    if not code:
        return None
    return Unpublished(event=entry.event, code=code, reason=str(told.get("ErrorMessage") or code))


def _passes(fate: Unpublished | None) -> bool:
    return fate is not None and fate.code in PASSING


def _unsent(entry: Entry) -> Unpublished:
    return Unpublished(event=entry.event, code=UNANSWERED, reason="not sent: the bus has not answered in time before")


def _too_large(entry: Entry) -> Unpublished:
    says = f"the detail has {entry.size} bytes, and {MOST_DETAIL} are taken (name what it is about by its id)"
    return Unpublished(event=entry.event, code="TooLarge", reason=says)
