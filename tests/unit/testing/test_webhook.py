"""The simulated Alertmanager: deliveries as the real one sends them."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from runbook_engine.documents.runbook_test import AlertDocument
from runbook_engine.model.delivery import Request
from runbook_engine.testing.clock import EPOCH
from runbook_engine.testing.webhook import Sender

LABELS = {"alertname": "CheckoutErrors", "severity": "critical"}
LATER = EPOCH + timedelta(minutes=5)


def alert(**written: object) -> AlertDocument:
    """Return an alert as a test file writes it."""
    return AlertDocument.model_validate({"at": "0s", **written})


def sent(request: Request) -> dict[str, Any]:
    """Return the one alert of a delivery."""
    [only] = json.loads(request.body)["alerts"]
    return only


def test_alert_keeps_its_start_when_repeated_and_resolved() -> None:
    """A second notification is of the same firing, and so is the resolve; after it, a new one begins."""
    sender = Sender("test")

    first = sent(sender.send(alert(fires=LABELS), EPOCH, EPOCH))
    repeat = sent(sender.send(alert(fires=LABELS), LATER, EPOCH))
    resolved = sent(sender.send(alert(resolves=LABELS), LATER, EPOCH))
    again = sent(sender.send(alert(fires=LABELS), LATER, EPOCH))

    assert first == repeat
    assert (first["startsAt"], first["endsAt"]) == ("2026-01-05T09:00:00Z", "0001-01-01T00:00:00Z")
    assert (resolved["status"], resolved["startsAt"], resolved["endsAt"]) == (
        "resolved",
        "2026-01-05T09:00:00Z",
        "2026-01-05T09:05:00Z",
    )
    assert again["startsAt"] == "2026-01-05T09:05:00Z"


def test_alert_has_the_told_start_when_one_is_written() -> None:
    """An alert may have begun before the test."""
    delivery = Sender("test").send(alert(fires=LABELS, startsAt="-10m", scope="other"), EPOCH, EPOCH)

    assert sent(delivery)["startsAt"] == "2026-01-05T08:50:00Z"
    assert (delivery.scope, delivery.source, delivery.received_at) == ("other", "alertmanager", EPOCH)


def test_other_alerts_are_repeated_when_one_falls_silent() -> None:
    """Only the silent one is not heard of again."""
    sender, other = Sender("test"), {"alertname": "Other"}
    sender.send(alert(fires=LABELS), EPOCH, EPOCH)
    sender.send(alert(fires=other), EPOCH, EPOCH)

    repeated = [sent(request)["labels"] for request in sender.everything_but(LABELS, LATER)]

    assert repeated == [other]
