"""Lateness: alerts that somebody may have recorded and sends again. People are told, and nothing starts.

Where a sender does not sign the time of sending, only the time of what it tells says whether it is new. What has no
time at all may be of any age, and what has one to come would look new for as long. But what is old may be true as well:
the sender was muted, or this engine was down.
"""

from __future__ import annotations

from msgspec.structs import replace

from runbook_engine.model.alert import TOLD_LATE, Alert
from runbook_engine.model.delivery import Parsed, Request
from runbook_engine.sources.normalise import CLOCK_TOLERANCE


def mark_late(parsed: Parsed, request: Request) -> Parsed:
    """Return what a delivery meant, with a mark on each alert that fires and is not known to be new."""
    if request.fresh_within is None or not parsed.alerts:
        return parsed
    alerts = tuple(_marked(alert) if _is_late(alert, request) else alert for alert in parsed.alerts)
    late = any(TOLD_LATE in alert.warnings for alert in alerts)
    return replace(parsed, alerts=alerts, warnings=(*parsed.warnings, TOLD_LATE) if late else parsed.warnings)


def _is_late(alert: Alert, request: Request) -> bool:
    told, within = alert.observed_at or alert.starts_at, request.fresh_within
    if alert.status != "firing" or within is None:
        return False
    return told is None or not -CLOCK_TOLERANCE <= request.received_at - told <= within


def _marked(alert: Alert) -> Alert:
    return replace(alert, warnings=(*alert.warnings, TOLD_LATE))
