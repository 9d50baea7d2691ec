"""Webhooks of the past: one alert of a history as the Alertmanager delivery in which it came, or would have come."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from runbook_engine.model.delivery import Request

NEVER = "0001-01-01T00:00:00Z"
SOURCE = "alertmanager"
ORIGIN = "a history"  # a person asks what it would have meant, whoever brought it
HEADERS: Mapping[str, str] = {"content-type": "application/json"}


def alert_request(
    scope: str,
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
    *,
    started: datetime | None,
    ended: datetime | None,
    resolved: bool,
    at: datetime,
) -> Request:
    """Return the delivery of one alert that fires or resolves at an instant."""
    alert = {
        "status": "resolved" if resolved else "firing",
        "labels": labels,
        "annotations": annotations,
        "startsAt": NEVER if started is None else written(started),
        "endsAt": written(ended or at) if resolved else NEVER,
    }
    return delivery_request(scope, SOURCE, msgspec.json.encode({"version": "4", "alerts": [alert]}), at)


def delivery_request(scope: str, source: str, body: bytes, at: datetime) -> Request:
    """Return a delivery as it was recorded."""
    return Request(scope, source, HEADERS, body, at, origin=ORIGIN)


def written(instant: datetime) -> str:
    """Return an instant as senders write it."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
