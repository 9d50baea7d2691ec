"""Forged and replayed webhooks: every sender that signs, with wrong keys, changed bodies, old times, and recordings."""

from __future__ import annotations

import hmac
import io
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from runbook_engine.entrypoints.credentials import load_keyring
from runbook_engine.entrypoints.logs import EventLog
from runbook_engine.entrypoints.metrics import Metrics
from runbook_engine.entrypoints.server import create_app
from runbook_engine.entrypoints.settings import Settings
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.target import Target
from runbook_engine.testing.simulated_world import SimulatedWorld
from tests.attack.siege import Siege
from tests.lab import CONFIG, bundle_in, simulated_engine
from tests.unit.entrypoints import test_senders_over_http as senders
from tests.unit.entrypoints.test_credentials_over_http import GITHUB
from tests.unit.entrypoints.test_senders_over_http import Headers, Place, grafana, incident, mac, timed_signature

SECRETS = senders.SECRETS | {"GITHUB": "the-secret-of-github-itself", "BEARER": "the-secret-of-alertmanager"}
SCOPES = senders.SCOPES.replace(
    "mappings:\n", "  deploys: {source: deployments}\n  lab: {source: alertmanager}\nmappings:\n"
)
TOKENS = """\
  github:
    roles: [ingest]
    scopes: [deploys]
    secrets: [{env: GITHUB}]
    presentedAs: {signature: {header: X-Hub-Signature-256, prefix: "sha256="}}
  alertmanager: {roles: [ingest], scopes: [lab], secrets: [{env: BEARER}]}
"""
RELEASED = re.sub(rb'"created_at": "[^"]*"', b'"created_at": "2026-01-05T08:30:00Z"', GITHUB)
DEPLOYED = Target("environment", "github", "", "acme/ledger/prod")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Every kind of sender, and one runbook for alerts that are named Hot."""
    old = "scopes:\n  lab: {source: alertmanager}\n  other: {source: alertmanager}\n"
    return bundle_in(tmp_path_factory.mktemp("senders"), config=CONFIG.replace(old, SCOPES + TOKENS))


@pytest.fixture
def place(tmp_path: Path, bundle: Bundle) -> Place:
    """A server that nobody has sent anything to."""
    simulated = SimulatedWorld()
    engine, log = simulated_engine(bundle, simulated), io.StringIO()
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
    return Place(client, engine, simulated, log)


def signed(secret: str, body: bytes, place: Place) -> tuple[str, Headers, bytes]:
    """Return how the sender that has this secret signs a body: its scope, its headers, and what it sends."""
    match secret:
        case "GRAFANA":
            return "grafana", [("X-Grafana-Alerting-Signature", mac("GRAFANA", body))], body
        case "TIMED":
            return "timed", timed_signature(body, place.now), body
        case "OLD":
            return "pagerduty", [("X-PagerDuty-Signature", f"v1={mac('OLD', body)}")], body
        case "PLAIN":
            return "plain", [("X-Key", SECRETS["PLAIN"])], body
        case "BEARER":
            return "lab", [("Authorization", f"Bearer {SECRETS['BEARER']}")], body
        case _:
            digest = hmac.new(SECRETS["GITHUB"].encode(), body, "sha256").hexdigest()
            return (
                "deploys",
                [("X-Hub-Signature-256", f"sha256={digest}"), ("X-GitHub-Event", "deployment_status")],
                body,
            )


def bodies(place: Place) -> dict[str, bytes]:
    """Return what each sender that signs what it sends has to say."""
    return {
        "GRAFANA": grafana(place.now, "a"),
        "TIMED": grafana(place.now, "b"),
        "OLD": incident(place.now, 7),
        "GITHUB": RELEASED,
    }


def forged(secret: str, body: bytes, place: Place) -> Iterator[tuple[str, str, Headers, bytes]]:
    """Yield what a sender did not sign: name, scope, headers, body."""
    scope, headers, _ = signed(secret, body, place)
    (name, value), rest = headers[-1] if secret != "GITHUB" else headers[0], headers[1:] if secret == "GITHUB" else []
    prefix, _, digest = value.rpartition("=")
    prefix = f"{prefix}=" if prefix else ""
    times = [each for each in headers if each[0] == "X-Grafana-Time"]
    for what, wrong in {
        "nothing": "", "a prefix": prefix, "noughts": prefix + "0" * 64, "half of it": value[:-32], "more": value + "0",
        "in capitals": prefix + digest.upper(), "in base64": prefix + "A" * 44,
        "without a prefix": digest if prefix else "x",
        "as sha1": "sha1=" + "0" * 40, "of an empty key": prefix + hmac.new(b"", body, "sha256").hexdigest(),
        "the key itself": prefix + SECRETS[secret], "a reference": "{env: GRAFANA}", "no ASCII": prefix + "é" * 64,
    }.items():  # fmt: skip
        yield f"signed with {what}", scope, [*times, (name, wrong), *rest], body
    for other in ("GRAFANA", "TIMED", "OLD", "NEW", "GITHUB", "PLAIN"):
        if other != secret and (secret, other) != ("OLD", "NEW"):
            digest = hmac.new(SECRETS[other].encode(), body, "sha256").hexdigest()
            yield f"signed with the key of {other}", scope, [*times, (name, prefix + digest), *rest], body
    yield "unsigned", scope, rest, body
    if secret != "OLD":  # whose header is a list, of which one must fit
        yield "signed twice", scope, [*headers, headers[-1 if secret != "GITHUB" else 0]], body
    for at in range(0, len(body), max(1, len(body) // 12)):
        yield f"changed at {at}", scope, headers, body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
    yield "longer", scope, headers, body + b" "
    yield "shorter", scope, headers, body[:-1]
    yield "replaced", scope, headers, b"{}"
    for elsewhere in ("lab", "plain", "grafana", "timed", "pagerduty", "deploys", "nowhere"):
        if elsewhere != scope:
            yield f"sent to {elsewhere}", elsewhere, headers, body


def test_what_a_sender_did_not_sign_is_refused(place: Place) -> None:
    """In the same words whatever is wrong with it, and nothing comes of it."""
    siege = Siege("forged webhooks: keys, bodies, scopes", "webhook: Grafana, PagerDuty, GitHub, timed")

    for secret, body in bodies(place).items():
        for name, scope, headers, sent in forged(secret, body, place):
            said = place.send(scope, sent, [(key, value.encode().decode("latin-1")) for key, value in headers])
            siege.tried(f"{secret} {name}: {said}", refused=said == (401, "no valid credential"))

    siege.tried("something was opened", refused=not place.engine.journal.executions(limit=9))
    recorded = place.engine.journal.recorded_changes(DEPLOYED, place.now - timedelta(days=9999))
    siege.tried("a change was kept", refused=not recorded)
    siege.ends("401 no valid credential")


def test_a_time_that_was_signed_is_one_of_these_minutes(place: Place) -> None:
    """Nor can it be changed, left out or written otherwise."""
    siege = Siege("forged webhooks: old and altered times", "webhook: signed over the time")
    body = grafana(place.now)
    signature = timed_signature(body, place.now)
    for minutes in (-600, -60, -6, 6, 60, 600, 60 * 24 * 365):
        headers = timed_signature(body, place.now + timedelta(minutes=minutes))
        siege.tried(f"{minutes} minutes", refused=place.send("timed", body, headers)[0] == 401)
    stamp = signature[0][1]
    for written in (
        str(int(stamp) + 1),
        f"{stamp}.0",
        f" {stamp}x",
        f"+{stamp}",
        f"0{stamp}",
        "",
        "now",
        "-1",
        "9" * 40,
    ):
        said = place.send("timed", body, [("X-Grafana-Time", written), signature[1]])
        siege.tried(f"the time {written!r}: {said}", refused=said[0] == 401)
    siege.tried("no time", refused=place.send("timed", body, signature[1:])[0] == 401)
    siege.tried("two times", refused=place.send("timed", body, [signature[0], *signature])[0] == 401)

    siege.tried("something was opened", refused=not place.engine.journal.executions(limit=9))
    siege.ends("401 no valid credential")


def test_a_recording_begins_nothing(place: Place) -> None:
    """Within the hour, within the day, and after it, when the signature itself is no longer remembered."""
    siege = Siege("replayed webhooks", "webhook: signed senders; Alertmanager with startsAt")
    everything = bodies(place) | {"BEARER": grafana(place.now, "c").replace(b'"version": "1", "orgId": 1, ', b"")}
    sent = {secret: signed(secret, body, place) for secret, body in everything.items()}
    first = {
        secret: place.client.post(f"/hooks/{s}", data=b, headers=h).status_code for secret, (s, h, b) in sent.items()
    }
    before = _known(place)

    for passed in (0, 1, 4, 55, 60 * 24):
        place.simulated.clock.push(timedelta(minutes=passed))
        for secret, (scope, headers, body) in sent.items():
            for _ in range(3):
                place.client.post(f"/hooks/{scope}", data=body, headers=headers)
            siege.tried(f"{secret} after {passed} minutes", refused=_known(place) == before)

    assert {202} == set(first.values()), first
    siege.ends("401, or 202 and nothing new: an alert is known by what it says")


def _known(place: Place) -> tuple[int, int, int]:
    """Return how much there is: runs, incidents, changes that others made."""
    journal = place.engine.journal
    changes = journal.recorded_changes(DEPLOYED, place.now - timedelta(days=9999))
    return len(journal.executions(limit=99)), len(journal.incidents(limit=99)), len(changes)
