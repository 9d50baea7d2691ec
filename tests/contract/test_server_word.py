"""What a person says of incidents, storms and what they took over, over HTTP."""

from __future__ import annotations

import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from runbook_engine.engine import Engine
from runbook_engine.entrypoints.credentials import load_keyring
from runbook_engine.entrypoints.logs import EventLog
from runbook_engine.entrypoints.metrics import Metrics
from runbook_engine.entrypoints.server import create_app
from runbook_engine.entrypoints.settings import Settings
from runbook_engine.entrypoints.worker import run_until_idle
from runbook_engine.model.incident import Intake
from runbook_engine.model.storm import Latch
from runbook_engine.testing.memory_journal import MemoryJournal
from runbook_engine.testing.simulated_world import SimulatedWorld
from tests.lab import CONFIG, SECRETS, TOKENS, bundle_in, post, simulated_engine, webhook

READER = {"Authorization": f"Bearer {SECRETS['READER']}"}
ANN = {"Authorization": f"Bearer {SECRETS['ANN']}"}


class Desk:
    """A server, and what is behind it."""

    def __init__(self, folder: Path) -> None:
        bundle = bundle_in(folder, config=CONFIG + TOKENS, mode="approve")
        self.simulated = SimulatedWorld()
        self.engine: Engine = simulated_engine(bundle, self.simulated, journal=MemoryJournal())
        app = create_app(
            self.engine,
            keyring=load_keyring(bundle.configuration, Settings(environment=SECRETS).secret),
            pause=(self.simulated.pauses, self.simulated.pauses),
            clock=self.simulated.clock,
            metrics=Metrics(),
            log=EventLog(io.StringIO()),
            beat_file=folder / "beat.json",
        )
        self.client: FlaskClient = app.test_client()

    def post(self, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
        """Act as ann."""
        answered = self.client.post(path, json=body if body is not None else {}, headers=ANN)
        return answered.status_code, answered.json

    def get(self, path: str) -> Any:
        """Look as a reader."""
        return self.client.get(path, headers=READER).json

    def hold(self) -> None:
        """Let a storm be held."""
        now = self.simulated.clock.now()
        latch = Latch(held_since=now, last_at=now, reason="more than 50 targets within 5m")
        self.engine.journal.record(Intake(latch=latch))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Make a server whose runbook asks first."""
    return Desk(tmp_path)


def test_a_storm_is_shown_measured_and_released(desk: Desk) -> None:
    """By who may operate; released twice is a conflict."""
    desk.hold()

    shown = desk.get("/api/storm")["storm"]
    metrics = desk.client.get("/metrics").text
    released = desk.post("/api/storm/release", {"reason": "one rack"})

    assert (True, "more than 50 targets within 5m") == (shown["held"], shown["reason"])
    assert "runbook_storm_held 1.0" in metrics
    nobody: dict[str, object] = {"runs": 0, "targets": 0, "first": [], "at_a_time": 50, "within_seconds": 300.0}
    nobody |= {"last_after_seconds": 0.0, "late": 0}
    done = {"done": "release storm", "execution": None, "incident": None, "by": "ann", "release": nobody}
    assert (202, done) == released
    after = desk.get("/api/storm")["storm"]
    assert (False, "ann", "one rack") == (after["held"], after["released_by"], after["released_because"])
    assert "runbook_storm_held 0.0" in desk.client.get("/metrics").text
    assert 409 == desk.post("/api/storm/release")[0]
    assert 403 == desk.client.post("/api/storm/release", json={}, headers=READER).status_code


def test_an_incident_is_acknowledged_and_closed(desk: Desk) -> None:
    """What fires is not closed; what is not known is not found."""
    post(desk.engine, webhook())
    [incident] = desk.engine.journal.incidents(limit=1)
    path = f"/api/incidents/{incident.id}"

    acknowledged = desk.post(f"{path}/acknowledge")
    firing = desk.post(f"{path}/close")
    desk.simulated.push(timedelta(hours=10))
    desk.engine.expire(desk.simulated.clock.now())
    closed = desk.post(f"{path}/close", {"reason": "sender was removed"})

    assert (202, {"done": "acknowledge", "execution": None, "incident": incident.id, "by": "ann"}) == acknowledged
    assert (409, 202, 404) == (firing[0], closed[0], desk.post("/api/incidents/nope/acknowledge")[0])
    kept = desk.get(path)["incident"]
    assert ("ann", "ann", "sender was removed") == (
        kept["acknowledged_by"],
        kept["closed_by"],
        kept["closed_because"],
    )
    [listed] = desk.get("/api/incidents")["incidents"]
    assert "resolved" == listed["status"]


def test_what_was_taken_over_is_released(desk: Desk) -> None:
    """Kept for as long as was said, given back by a word."""
    [execution] = post(desk.engine, webhook())

    taken = desk.post(f"/api/executions/{execution}/takeover", {"undo": False, "for": "2h"})
    run_until_idle(desk.engine, [execution], clock=desk.simulated.clock, owner="w", sleep=lambda seconds: None)
    kept = desk.engine.journal.load(execution)
    released = desk.post(f"/api/executions/{execution}/release")

    assert (202, 202) == (taken[0], released[0])
    assert ("ann", desk.simulated.clock.now() + timedelta(hours=2)) == (kept.kept_by, kept.kept_until)
    too_long = desk.post(f"/api/executions/{execution}/takeover", {"undo": False, "for": "2d"})
    assert (400, '"for" is longer than nothing and at most 1d') == (too_long[0], too_long[1]["error"]["message"])


def test_standing_is_shown(desk: Desk) -> None:
    """For every runbook, with stable keys."""
    [standing] = desk.get("/api/standing")["runbooks"]

    assert {
        "runbook",
        "digest",
        "mode",
        "ceiling",
        "goes",
        "demoted",
        "fault",
        "because",
        "verified_successes",
        "proposal",
    } == set(standing)
    assert ("approve", "approve", False) == (standing["mode"], standing["goes"], standing["demoted"])
