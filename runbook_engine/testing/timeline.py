"""The timeline of a scenario: what happened and what was decided, in the order of simulated time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from runbook_engine.model.audit import AuditRecord
from runbook_engine.model.quantity import duration_text
from runbook_engine.render.wording import say_actor


@dataclass(slots=True)
class Timeline:
    """What the test did, to be shown among what the engine did."""

    start: datetime
    notes: list[tuple[datetime, str]] = field(default_factory=list)
    findings: list[tuple[datetime, str]] = field(default_factory=list)

    def note(self, at: datetime, text: str) -> None:
        """Remember something that the test did or saw."""
        self.notes.append((at, text))

    def find(self, at: datetime, text: str) -> None:
        """Remember something that is not as expected: it stands behind all else of its instant."""
        self.findings.append((at, text))

    def lines(self, records: Iterable[AuditRecord]) -> tuple[str, ...]:
        """Return everything in order: at each instant the test's own notes first, and what it found last."""
        entries = [(at, 0, text) for at, text in self.notes]
        entries += [(record.at, 1, _say(record)) for record in records]
        entries += [(at, 2, text) for at, text in self.findings]
        entries.sort(key=lambda entry: entry[:2])
        return tuple(f"{self._offset(at):>8}  {text}" for at, _, text in entries)

    def _offset(self, at: datetime) -> str:
        offset = at - self.start
        return duration_text(timedelta(seconds=round(offset.total_seconds(), 3)))


def _say(record: AuditRecord) -> str:
    who = f"{named}: " if (named := say_actor(record)) else ""
    step = f"[{record.step}] " if record.step and record.step not in record.says else ""
    return f"{who}{step}{record.says}"
