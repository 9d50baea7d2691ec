"""Measuring: how long incidents took, told once for each as it is resolved, whoever acknowledged or closed it.

Nothing is written when time makes an incident resolved, and a person may close one from another process; so the worker
looks at the journal every now and then. That it was measured stands in the incident itself: several workers on one
journal, and one that starts again, count it once between them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from runbook_engine.engine import Engine
from runbook_engine.errors import StaleVersion, UnknownIncident
from runbook_engine.model.incident import Incident, IncidentReport

PERIOD = 30.0  # seconds
MOST_LOOKED_AT = 500  # of the newest; what was seen before and is not among them any more is looked at as well
MOST_MEASURED = 20  # a look: a report reads every run of its incident
NEWS = timedelta(days=1)  # what was over before, by an older release or while nobody looked, is history


class CountIncident(Protocol):
    """Counts the times of one incident."""

    def __call__(self, report: IncidentReport, /) -> None:
        """Count one."""
        ...


@dataclass(slots=True)
class Measuring:
    """Looks every now and then which incidents are resolved and not measured."""

    engine: Engine
    count: CountIncident
    _waiting: frozenset[str] = frozenset()  # seen, and not measured
    _next: float = field(default=0.0)

    def look(self, now: datetime) -> None:
        """Count what was resolved since the last look. Raises what the journal raises."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + PERIOD
        unmeasured = self._unmeasured(now)
        self._waiting = frozenset(incident.id for incident in unmeasured)
        over = [incident for incident in unmeasured if self._over_at(incident, now) is not None]
        for incident in over[:MOST_MEASURED]:
            self._measure(incident.id, now)

    def _measure(self, incident_id: str, now: datetime) -> None:
        try:
            report = self.engine.measure_incident(incident_id, now)
        except StaleVersion:
            return  # a storm writes to it: the next look finds it
        self._waiting -= {incident_id}
        if report is not None:
            self.count(report)

    def _unmeasured(self, now: datetime) -> list[Incident]:
        journal = self.engine.journal
        page = {incident.id: incident for incident in journal.incidents(limit=MOST_LOOKED_AT)}
        others = (self._stored(missing) for missing in self._waiting - page.keys())
        known = [*page.values(), *(other for other in others if other is not None)]
        return [each for each in known if each.measured_at is None and not self._is_history(each, now)]

    def _stored(self, incident_id: str) -> Incident | None:
        try:
            return self.engine.journal.incident(incident_id)
        except UnknownIncident:  # the journal was moved away beneath us
            return None

    def _is_history(self, incident: Incident, now: datetime) -> bool:
        over_at = self._over_at(incident, now)
        return over_at is not None and now - over_at > NEWS

    def _over_at(self, incident: Incident, now: datetime) -> datetime | None:
        """Return since when an incident counts as resolved, None while it does not."""
        if incident.resolved_at is None:
            return None
        quiet = self.engine.bundle.configuration.correlation.quiet
        over_at = incident.resolved_at + (timedelta(0) if incident.closed_at is not None else quiet)
        return over_at if over_at <= now else None
