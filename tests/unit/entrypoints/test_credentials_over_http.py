"""Signed deliveries over HTTP: they count once, unless they were not kept."""

from __future__ import annotations

import hmac
import io
import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from runbook_engine.engine import Engine
from runbook_engine.entrypoints.credentials import load_keyring
from runbook_engine.entrypoints.logs import EventLog
from runbook_engine.entrypoints.metrics import Metrics
from runbook_engine.entrypoints.server import create_app
from runbook_engine.entrypoints.settings import Settings
from runbook_engine.errors import Overloaded
from runbook_engine.model.incident import Intake
from runbook_engine.model.observation import ChangeEvent
from runbook_engine.model.target import Target
from runbook_engine.testing.memory_journal import MemoryJournal
from runbook_engine.testing.simulated_world import SimulatedWorld
from tests.lab import CONFIG, bundle_in, simulated_engine, webhook

SECRETS = {"GITHUB": "the-secret-of-github-itself", "KEY": "the-secret-of-the-header"}
SCOPES = """\
scopes:
  lab: {source: alertmanager}
  deploys: {source: deployments}
  aws: {source: cloudwatch, from: ["events:aws.cloudwatch"]}
tokens:
  github:
    roles: [ingest]
    scopes: [deploys]
    secrets: [{env: GITHUB}]
    presentedAs: {signature: {header: X-Hub-Signature-256, prefix: "sha256="}}
  lab: {roles: [ingest], secrets: [{env: KEY}], presentedAs: {header: X-Key}}
"""
GITHUB = (Path(__file__).parents[2] / "data" / "alerts" / "deployment-github.json").read_bytes()


class BusyJournal(MemoryJournal):
    """A journal that is busy on order."""

    busy = False

    def record(self, intake: Intake) -> None:
        """Store, or say that there is no time."""
        if self.busy:
            raise Overloaded("busy")
        super().record(intake)

    def record_change(self, target: Target, event: ChangeEvent) -> None:
        """Keep a change, or say that there is no time."""
        if self.busy:
            raise Overloaded("busy")
        super().record_change(target, event)


@dataclass
class Place:
    """A server, and what is behind it."""

    client: FlaskClient
    engine: Engine
    journal: BusyJournal
    log: io.StringIO

    def post(self, scope: str, body: bytes, **headers: str) -> int:
        """POST a body and return the status of the answer."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self.client.post(f"/hooks/{scope}", data=body, content_type="application/json", headers=named)
        return answer.status_code


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A server with a sender that signs, and one with a header of its own."""
    old = "scopes:\n  lab: {source: alertmanager}\n  other: {source: alertmanager}\n"
    bundle = bundle_in(tmp_path, config=CONFIG.replace(old, SCOPES))
    simulated, journal, log = SimulatedWorld(), BusyJournal(), io.StringIO()
    engine = simulated_engine(bundle, simulated, journal=journal)
    app = create_app(
        engine,
        keyring=load_keyring(bundle.configuration, Settings(environment=SECRETS).secret),
        pause=(simulated.pauses, simulated.pauses),
        clock=simulated.clock,
        metrics=Metrics(),
        log=EventLog(log),
        beat_file=tmp_path / "beat.json",
    )
    client = app.test_client()
    client.environ_base["HTTP_PREFER"] = "wait"  # the answer says what became of it
    return Place(client, engine, journal, log)


def signed(body: bytes) -> dict[str, str]:
    """Return GitHub's headers for a body."""
    return {
        "X_Hub_Signature_256": "sha256=" + hmac.new(SECRETS["GITHUB"].encode(), body, "sha256").hexdigest(),
        "X_GitHub_Event": "deployment_status",
    }


def test_a_signed_change_is_kept_and_counts_once(place: Place) -> None:
    """The bytes that were signed are the bytes that are read."""
    statuses = [place.post("deploys", GITHUB, **signed(GITHUB)) for _ in range(2)]

    assert [202, 401] == statuses
    deployed = Target("environment", "github", "", "acme/ledger/prod")
    since = place.engine.world.clock.now().replace(year=2020)
    assert ["ci-bot"] == [event.who for event in place.journal.recorded_changes(deployed, since)]


def test_a_signed_delivery_that_was_not_kept_may_come_again(place: Place) -> None:
    """A sender that is told to come again must not be taken for somebody who replays."""
    place.journal.busy = True
    first = place.post("deploys", GITHUB, **signed(GITHUB))
    place.journal.busy = False

    assert [503, 202, 401] == [first, *(place.post("deploys", GITHUB, **signed(GITHUB)) for _ in range(2))]


def test_a_signed_delivery_that_cannot_be_used_is_told_so(place: Place) -> None:
    """Sending it again would not help, and is not taken for a retry."""
    assert [400, 401] == [place.post("deploys", b"{", **signed(b"{")) for _ in range(2)]


def test_a_body_that_was_changed_is_refused(place: Place) -> None:
    """One space more is another body."""
    assert 401 == place.post("deploys", GITHUB + b" ", **signed(GITHUB))


@pytest.mark.parametrize("scope", ["deploys", "lab"])
def test_a_header_of_its_own_opens_its_scopes_and_is_never_shown(place: Place, scope: str) -> None:
    """A token without scopes opens all that may be posted to, and its secret reaches no log."""
    body = webhook() if scope == "lab" else json.dumps({"schema": "rb.change.v1", "who": "ci", "what": "x",
        "target": {"kind": "function", "name": "orders"}}).encode()  # fmt: skip

    assert 202 == place.post(scope, body, X_Key=SECRETS["KEY"])
    assert SECRETS["KEY"] not in place.log.getvalue()


@pytest.mark.parametrize("scope", ["aws", "unheard-of"])
def test_what_aws_delivers_cannot_be_posted(place: Place, scope: str) -> None:
    """Its scope looks like none at all, even to a valid token for all scopes."""
    assert 401 == place.post(scope, b"{}", X_Key=SECRETS["KEY"])
