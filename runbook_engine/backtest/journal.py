"""The journal of a replay: in memory, and telling of everything that it stores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from runbook_engine.model.incident import Incident, Intake
from runbook_engine.testing.memory_journal import MemoryJournal


class ReplayJournal(MemoryJournal):
    """A journal in memory that finds an incident by its key at once: a month of history has thousands."""

    def __init__(self, tell: Callable[[Intake], None]) -> None:
        super().__init__()
        self._tell = tell
        self._newest: dict[str, Incident] = {}

    def record(self, intake: Intake) -> None:
        """Store one delivery, and tell of it. Raises StaleVersion."""
        super().record(intake)
        for incident in intake.incidents:
            known = self._newest.get(incident.key)
            if known is None or incident.opened_at >= known.opened_at:
                self._newest[incident.key] = incident
        self._tell(intake)

    def newest_incident(self, key: str) -> Incident | None:
        """Return the newest incident of a correlation key, open or not."""
        known = self._newest.get(key)
        return None if known is None else self.incident(known.id)

    def newest_incidents(self, keys: Sequence[str]) -> Mapping[str, Incident]:
        """Return the newest incident of each of these correlation keys that has one."""
        found = {key: self.newest_incident(key) for key in keys}
        return {key: incident for key, incident in found.items() if incident is not None}
