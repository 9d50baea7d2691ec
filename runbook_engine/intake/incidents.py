"""Incidents: which one an alert belongs to, found in the draft, in the journal, or made anew."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from msgspec.structs import replace

from runbook_engine.errors import Conflict
from runbook_engine.intake.draft import Draft, TouchedIncident
from runbook_engine.model.alert import Alert
from runbook_engine.model.episode import Episode
from runbook_engine.model.incident import Incident, Intake
from runbook_engine.ports import Journal

INCIDENT_LABELS = ("cluster", "namespace", "service", "deployment", "team", "environment")


def touch_incident(
    key: str, alert: Alert, episode: Episode, draft: Draft, journal: Journal, window: timedelta, now: datetime
) -> TouchedIncident:
    """Return the incident of this correlation key that a firing alert belongs to, with the alert in it."""
    touched = draft.incidents.get(draft.newest.get(key, ""))
    if touched is None and (stored := _newest(key, draft, journal)) is not None:
        touched = draft.incidents.get(stored.id) or TouchedIncident.of(stored)
    if touched is None or _is_over(touched, window, now):
        touched = TouchedIncident.of(new_incident(key, alert, episode.episode_id, now))
    draft.incidents[touched.stored.id] = touched
    draft.newest[key] = touched.stored.id
    touched.fires(alert, now)
    return touched


def _newest(key: str, draft: Draft, journal: Journal) -> Incident | None:
    """Return the newest stored incident of a correlation key, as it was read for the whole delivery."""
    if key not in draft.stored:
        draft.stored[key] = journal.newest_incident(key)
    return draft.stored[key]


def _is_over(touched: TouchedIncident, window: timedelta, now: datetime) -> bool:
    """Whether what fires now is another incident: a person closed this one, or nothing of it has fired for long."""
    if touched.open_alerts:
        return False
    return touched.stored.closed_at is not None or now - touched.stored.last_firing_at > window


def acknowledge(incident: Incident, *, by: str, now: datetime) -> Intake:
    """Return what it changes that a person did something about an incident: nothing when it was not the first time."""
    if incident.acknowledged_at is not None:
        return Intake()
    return Intake(incidents=(replace(incident, acknowledged_at=now, acknowledged_by=by),))


def close(incident: Incident, *, by: str, reason: str, now: datetime) -> Intake:
    """Return what it changes that a person says an incident is over. Raises Conflict while its alerts fire."""
    if incident.closed_at is not None or (incident.resolved_at is not None and not incident.expired_alerts):
        raise Conflict(f"incident {incident.id[:8]} is over already, so there is nothing to close")
    if firing := len(incident.open_alerts):
        fire = "1 of its alerts fires" if firing == 1 else f"{firing} of its alerts fire"
        raise Conflict(f"incident {incident.id[:8]} cannot be closed: {fire} (it ends by itself once they resolve)")
    first = acknowledge(incident, by=by, now=now).incidents
    seen = first[0] if first else incident
    closed = replace(seen, resolved_at=now, closed_at=now, closed_by=by, closed_because=reason, expired_alerts=())
    return Intake(incidents=(closed,))


def measure(incident: Incident, *, now: datetime) -> Intake:
    """Return what it changes that the times of an incident were counted: nothing when they were before."""
    if incident.measured_at is not None:
        return Intake()
    return Intake(incidents=(replace(incident, measured_at=now),))


def reopen_in_incident(alert: Alert, episode: Episode, draft: Draft, journal: Journal, now: datetime) -> None:
    """Take an alert in again that had only expired, and fires."""
    _touched(episode.incident_id, draft, journal).fires(alert, now)


def close_in_incident(episode: Episode, draft: Draft, journal: Journal, now: datetime, *, resolved: bool) -> None:
    """Take an alert that is over out of its incident; only a resolve can end the incident."""
    if not episode.incident_id:
        return
    _touched(episode.incident_id, draft, journal).ends(episode.alert_key, now, resolved=resolved)


def _touched(incident_id: str, draft: Draft, journal: Journal) -> TouchedIncident:
    touched = draft.incidents.get(incident_id)
    if touched is None:
        touched = draft.incidents[incident_id] = TouchedIncident.of(journal.incident(incident_id))
    return touched


def new_incident(key: str, alert: Alert, episode_id: str, now: datetime) -> Incident:
    """Return an incident that this alert opens; the same on every delivery."""
    identity = hashlib.sha256(f"{len(key)}:{key}{episode_id}".encode()).hexdigest()[:12]
    return Incident(
        id=identity,
        key=key,
        title=alert.name,
        severity=alert.severity,
        opened_at=now,
        last_firing_at=now,
        open_alerts=(alert.alert_key,),
        alert_keys=(alert.alert_key,),
        labels=tuple((name, alert.labels[name]) for name in INCIDENT_LABELS if name in alert.labels),
    )
