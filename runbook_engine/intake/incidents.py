"""Incidents: which one an alert belongs to, found in the draft, in the journal, or made anew."""

from __future__ import annotations

import hashlib
from datetime import datetime

from runbook_engine.correlation import incident_key
from runbook_engine.intake.draft import Draft, TouchedIncident
from runbook_engine.model.alert import Alert
from runbook_engine.model.configuration import Configuration
from runbook_engine.model.episode import Episode
from runbook_engine.model.incident import Incident
from runbook_engine.ports import Journal

INCIDENT_LABELS = ("cluster", "namespace", "service", "deployment", "team", "environment")


def touch_incident(
    alert: Alert, episode: Episode, draft: Draft, journal: Journal, configuration: Configuration, now: datetime
) -> TouchedIncident:
    """Return the incident that a firing alert belongs to, with the alert in it."""
    key = incident_key(alert, configuration.correlation.keys)
    touched = draft.incidents.get(draft.newest.get(key, ""))
    if touched is None and (stored := journal.newest_incident(key)) is not None:
        touched = draft.incidents.get(stored.id) or TouchedIncident.of(stored)
    window = configuration.correlation.window
    if touched is None or (not touched.open_alerts and now - touched.stored.last_firing_at > window):
        touched = TouchedIncident.of(new_incident(key, alert, episode.episode_id, now))
    draft.incidents[touched.stored.id] = touched
    draft.newest[key] = touched.stored.id
    touched.fires(alert, now)
    return touched


def close_in_incident(episode: Episode, draft: Draft, journal: Journal, now: datetime, *, resolved: bool) -> None:
    """Take an alert that is over out of its incident; only a resolve can end the incident."""
    if not episode.incident_id:
        return
    touched = draft.incidents.get(episode.incident_id)
    if touched is None:
        touched = draft.incidents[episode.incident_id] = TouchedIncident.of(journal.incident(episode.incident_id))
    touched.ends(episode.alert_key, now, resolved=resolved)


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
