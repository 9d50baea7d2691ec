"""Deliveries that bring much at once: one fault, many alerts, and incidents that begin and end in one body."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from runbook_engine.intake import draft
from runbook_engine.intake.receipt import Receipt
from runbook_engine.model.delivery import Request
from tests.scenario.rig import ALERT, MINUTE, Rig

PODS = 500


def deliver(rig: Rig, *told: tuple[str, str]) -> Receipt:
    """Post one body with an alert for each status and pod."""
    now = rig.simulated.clock.now()
    alerts = [
        {
            "status": status,
            "labels": {"alertname": ALERT, "severity": "critical", "service": "checkout", "pod": pod},
            ("endsAt" if status == "resolved" else "startsAt"): now.isoformat(),
        }
        for status, pod in told
    ]
    body = json.dumps({"version": "4", "alerts": alerts}).encode()
    return rig.engine.ingest(Request("local", "alertmanager", {"content-type": "application/json"}, body, now))


def test_a_storm_is_one_incident_and_one_execution_when_one_service_breaks() -> None:
    """Every pod alerts in the same body: all are members of one run, and its end is the end of all of them."""
    rig = Rig()
    pods = [f"pod-{number}" for number in range(PODS)]

    fired = deliver(rig, *(("firing", pod) for pod in pods))
    [execution] = rig.journal.executions(limit=10)
    [incident] = rig.journal.incidents(limit=10)
    rig.simulated.push(MINUTE)
    deliver(rig, *(("resolved", pod) for pod in pods))

    assert (fired.opened, fired.joined) == ((execution.id,), ())
    assert len(execution.members) == PODS
    assert [len(incident.open_alerts), len(incident.alert_keys), len(incident.execution_ids)] == [PODS, PODS, 1]
    assert len(rig.journal.signals(execution.id, 0)) == PODS
    after = rig.journal.incident(incident.id)
    assert (after.open_alerts, after.resolved_at) == ((), rig.now)


def test_an_incident_names_its_newest_alerts_and_counts_on_every_open_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pods with ever new names join it for days; it grows no further, and is over when the last of them is."""
    monkeypatch.setattr(draft, "MOST_NAMES", 10)
    rig = Rig()
    pods = [f"pod-{number}" for number in range(25)]
    deliver(rig, *(("firing", pod) for pod in pods))
    [first] = rig.journal.incidents(limit=10)
    key = dict(zip(pods, first.open_alerts, strict=True))
    rig.simulated.push(MINUTE)

    deliver(rig, ("firing", "late"), ("resolved", "pod-3"))
    [incident] = rig.journal.incidents(limit=10)
    deliver(rig, *(("resolved", pod) for pod in (*pods, "late")))
    [over] = rig.journal.incidents(limit=10)

    late = incident.open_alerts[-1]
    assert first.alert_keys == first.open_alerts
    assert (*[key[pod] for pod in pods[15:]], late, key["pod-3"]) == incident.alert_keys
    assert {*key.values(), late} - {key["pod-3"]} == set(incident.open_alerts)
    assert ((), rig.now) == (over.open_alerts, over.resolved_at)


def test_both_incidents_are_stored_when_one_ends_and_the_next_begins_in_one_body() -> None:
    """Long after its only alert fired, the old incident ends; a new alert of the same service is a new incident."""
    rig = Rig()
    deliver(rig, ("firing", "old"))
    [old] = rig.journal.incidents(limit=10)
    rig.simulated.push(timedelta(hours=1))

    deliver(rig, ("resolved", "old"), ("firing", "new"))

    new, ended = rig.journal.incidents(limit=10)
    assert ended.id == old.id
    assert (ended.open_alerts, ended.resolved_at) == ((), rig.now)
    assert new.id != old.id
    assert (len(new.open_alerts), new.resolved_at) == (1, None)
