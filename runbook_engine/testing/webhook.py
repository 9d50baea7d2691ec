"""A simulated Alertmanager: the deliveries that alerts of a scenario arrive in."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from runbook_engine.documents.runbook_test import AlertDocument
from runbook_engine.model.delivery import Request
from runbook_engine.model.digest import hash_parts

NEVER = "0001-01-01T00:00:00Z"
Key = tuple[str, tuple[tuple[str, str], ...]]  # scope and labels


@dataclass(frozen=True, slots=True)
class _Firing:
    starts_at: datetime
    annotations: Mapping[str, str]


@dataclass(slots=True)
class Sender:
    """Sends webhooks, and remembers what fires, as Alertmanager does: an alert keeps its start until it resolves."""

    scope: str
    _firing: dict[Key, _Firing] = field(default_factory=dict)

    def send(self, alert: AlertDocument, now: datetime, start: datetime) -> Request:
        """Return the delivery of an alert that fires or resolves now."""
        scope = alert.scope or self.scope
        key = (scope, tuple(sorted(alert.labels.items())))
        told = None if alert.starts_at is None else start + alert.starts_at
        known = self._firing.get(key)
        began = told or (known.starts_at if known is not None else now)
        if alert.fires is not None:
            self._firing[key] = _Firing(began, alert.annotations)
            return _request(key, began, None, alert.annotations, now)
        self._firing.pop(key, None)
        return _request(key, began, now, alert.annotations, now)

    def everything_but(self, labels: Mapping[str, str], now: datetime) -> Iterator[Request]:
        """Forget one alert, and return the deliveries in which all others are repeated."""
        silent = tuple(sorted(labels.items()))
        self._firing = {key: firing for key, firing in self._firing.items() if key[1] != silent}
        for key, firing in self._firing.items():
            yield _request(key, firing.starts_at, None, firing.annotations, now)


def _request(
    key: Key, began: datetime, ended: datetime | None, annotations: Mapping[str, str], now: datetime
) -> Request:
    scope, labels = key
    status = "firing" if ended is None else "resolved"
    alert = {
        "status": status,
        "labels": dict(labels),
        "annotations": dict(annotations),
        "startsAt": _written(began),
        "endsAt": NEVER if ended is None else _written(ended),
        "generatorURL": "",
        "fingerprint": hash_parts(*(part for pair in labels for part in pair))[:16],
    }
    body = {
        "receiver": "runbook-engine",
        "status": status,
        "alerts": [alert],
        "groupLabels": {},
        "commonLabels": dict(labels),
        "commonAnnotations": dict(annotations),
        "externalURL": "",
        "version": "4",
        "groupKey": "{}:{}",
        "truncatedAlerts": 0,
    }
    return Request(
        scope=scope,
        source="alertmanager",
        headers={"content-type": "application/json"},
        body=json.dumps(body).encode(),
        received_at=now,
    )


def _written(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
