"""Entries: events as PutEvents takes them, in batches that it takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from runbook_engine.model.bus import BUS_SOURCE, BusEvent

MOST_ENTRIES = 10  # in one call
MOST_DETAIL = 200_000  # bytes, so that every target takes it: SNS, SQS and Step Functions stop at 262144
MOST_BATCH = 240_000  # bytes of details in one call; older limits still hold in some places


class Entry(msgspec.Struct, frozen=True):
    """One event with its detail as JSON."""

    event: BusEvent
    detail: str

    @property
    def size(self) -> int:
        """The bytes of its detail."""
        return len(self.detail.encode())

    def for_bus(self, bus: str) -> Mapping[str, Any]:
        """Return it as the service takes it."""
        return {
            "EventBusName": bus,
            "Source": BUS_SOURCE,
            "DetailType": self.event.kind,
            "Time": self.event.at,
            "Detail": self.detail,
        }


def entry_of(event: BusEvent) -> Entry:
    """Return the event with its detail written out."""
    return Entry(event, msgspec.json.encode(event.detail).decode())


def batches(entries: Sequence[Entry]) -> Iterator[tuple[Entry, ...]]:
    """Return the entries in order, as many together as one call takes."""
    batch: list[Entry] = []
    size = 0
    for entry in entries:
        if batch and (len(batch) == MOST_ENTRIES or size + entry.size > MOST_BATCH):
            yield tuple(batch)
            batch, size = [], 0
        batch.append(entry)
        size += entry.size
    if batch:
        yield tuple(batch)
