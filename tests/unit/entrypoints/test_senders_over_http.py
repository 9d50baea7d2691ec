"""Grafana, PagerDuty and mapped senders at the front door: how they sign, what they are answered, what begins."""

from __future__ import annotations

import hmac
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
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
from runbook_engine.errors import Unauthenticated, Unreadable
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.delivery import Headers as Received
from runbook_engine.model.delivery import Request
from runbook_engine.testing.simulated_world import SimulatedWorld
from tests.lab import CONFIG, bundle_in, simulated_engine

SECRETS = {
    "GRAFANA": "the-secret-of-grafana-itself",
    "TIMED": "the-secret-of-a-timed-grafana",
    "OLD": "the-old-secret-of-pagerduty",
    "NEW": "the-new-secret-of-pagerduty",
    "PLAIN": "the-secret-of-somebody-else",
}
SCOPES = """\
scopes:
  grafana: {source: grafana}
  timed: {source: grafana}
  pagerduty: {source: pagerduty}
  plain: {source: mapped, mapping: plain}
mappings:
  plain:
    alerts: /events
    name: /name
    status: {from: /state, words: {bad: firing, good: resolved, test: ignore}}
    labels: {part: /part}
tokens:
  grafana: {roles: [ingest], scopes: [grafana], secrets: [{env: GRAFANA}], presentedAs: grafana}
  timed:
    roles: [ingest]
    scopes: [timed]
    secrets: [{env: TIMED}]
    presentedAs: {grafana: {timestampHeader: X-Grafana-Time}}
  pagerduty: {roles: [ingest], scopes: [pagerduty], secrets: [{env: OLD}, {env: NEW}], presentedAs: pagerduty}
  plain: {roles: [ingest], scopes: [plain], secrets: [{env: PLAIN}], presentedAs: {header: X-Key}}
"""
Headers = list[tuple[str, str]]


@dataclass
class Place:
    """A server, what is behind it, and its clock."""

    client: FlaskClient
    engine: Engine
    simulated: SimulatedWorld
    log: io.StringIO

    @property
    def now(self) -> datetime:
        """What its clock says."""
        return self.simulated.clock.now()

    def send(self, scope: str, body: bytes, headers: Iterable[tuple[str, str]] = (), method: str = "POST") -> Any:
        """Send a body; return the status of the answer and what it says."""
        told = [("Content-Type", "application/json"), *headers]
        answer = self.client.open(f"/hooks/{scope}", method=method, data=body, headers=told)
        said = answer.get_json()
        if answer.status_code != 202:
            return answer.status_code, said["error"]["message"]
        return 202, len(said["executions"])


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Senders of every new kind, and one runbook for alerts that are named Hot."""
    old = "scopes:\n  lab: {source: alertmanager}\n  other: {source: alertmanager}\n"
    return bundle_in(tmp_path_factory.mktemp("senders"), config=CONFIG.replace(old, SCOPES))


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


def grafana(starts_at: datetime, part: str = "all", status: str = "firing", **more: Any) -> bytes:
    """Return Grafana's webhook with one alert."""
    entry = {"status": status, "labels": {"alertname": "Hot", "part": part}, "startsAt": starts_at.isoformat()}
    return json.dumps({"version": "1", "orgId": 1, "alerts": [entry | more]}).encode()


def incident(at: datetime, number: int = 1) -> bytes:
    """Return PagerDuty's webhook for an incident that began."""
    data = {"id": f"Q{number}", "title": "Hot", "created_at": at.isoformat(), "urgency": "high"}
    event = {"id": "e", "event_type": "incident.triggered", "occurred_at": at.isoformat(), "data": data}
    return json.dumps({"event": event}).encode()


def mac(secret: str, signed: bytes) -> str:
    """Return a signature as hex."""
    return hmac.new(SECRETS[secret].encode(), signed, "sha256").hexdigest()


def plain_signature(body: bytes) -> Headers:
    """Return how Grafana signs by default."""
    return [("X-Grafana-Alerting-Signature", mac("GRAFANA", body))]


def timed_signature(body: bytes, at: datetime) -> Headers:
    """Return how Grafana signs with a time."""
    stamp = str(int(at.timestamp()))
    signature = mac("TIMED", stamp.encode() + b":" + body)
    return [("X-Grafana-Time", stamp), ("X-Grafana-Alerting-Signature", signature)]


def listed(*secrets: str, body: bytes) -> Headers:
    """Return PagerDuty's list of signatures; what is no secret's name stands for itself."""
    parts = [f"v1={mac(each, body)}" if each in SECRETS else each for each in secrets]
    return [("X-PagerDuty-Signature", ",".join(parts))]


REFUSED = (401, "no valid credential")
LATE = (
    "told late: it may be a recording of an older alert, because its sender signs no time (look whether it is true, "
    "then start the runbook by hand)"
)


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_grafana_is_taken_by_both_of_its_methods(place: Place, method: str) -> None:
    """A contact point may be set to either."""
    body = grafana(place.now)

    assert (202, 1) == place.send("grafana", body, plain_signature(body), method)


def test_another_method_is_told_so_to_whoever_may_post(place: Place) -> None:
    """And strangers hear what they always hear."""
    body = incident(place.now)

    answers = [place.send("pagerduty", body, headers, "PUT") for headers in (listed("OLD", body=body), [])]

    assert [(400, "what pagerduty sends comes by POST, not by PUT"), REFUSED] == answers
    assert 405 == place.client.delete("/hooks/pagerduty").status_code


def test_grafana_repeats_a_body_word_for_word_and_begins_nothing_by_it(place: Place) -> None:
    """It says that all is as before; a recording says the same, and does no more."""
    body = grafana(place.now)
    over = grafana(place.now, status="resolved", endsAt=(place.now + timedelta(minutes=1)).isoformat())

    first, again = (place.send("grafana", body, plain_signature(body)) for _ in range(2))
    ended = place.send("grafana", over, plain_signature(over))
    recorded = place.send("grafana", body, plain_signature(body))

    assert [(202, 1), (202, 0), (202, 0), (202, 0)] == [first, again, ended, recorded]


@pytest.mark.parametrize(
    ("minutes", "begun", "status", "told"),
    [
        pytest.param(14, 1, "pending", [], id="new"),
        pytest.param(16, 0, "blocked", [LATE], id="old: a recording, or it was muted, or the engine was down"),
    ],
)
def test_news_without_a_signed_time_starts_something_while_it_is_new_and_is_told_when_it_is_old(
    place: Place, minutes: int, begun: int, status: str, told: list[str]
) -> None:
    """A recording of last week must not act; an alert that could not be delivered for 20 minutes must not be lost."""
    body = grafana(place.now - timedelta(minutes=minutes))

    assert (202, begun) == place.send("grafana", body, plain_signature(body))

    (execution,) = place.engine.journal.executions(limit=9)
    assert (status, told) == (execution.status, [each.reason for each in [execution] if each.ended])
    assert bool(told) == bool(execution.outbox)
    assert [execution.incident_id] == [incident.id for incident in place.engine.journal.incidents(limit=9)]


def test_a_recording_of_what_is_over_begins_nothing(place: Place) -> None:
    """Also after the day for which its body is known."""
    begun, at = grafana(place.now), place.now
    over = grafana(at, status="resolved", endsAt=(at + timedelta(minutes=1)).isoformat())
    answers = [place.send("grafana", body, plain_signature(body)) for body in (begun, over)]
    place.simulated.clock.push(timedelta(hours=25))

    assert [(202, 1), (202, 0), (202, 0)] == [*answers, place.send("grafana", begun, plain_signature(begun))]


@pytest.mark.parametrize("error", [Unreadable("the disk is full"), ValueError("a bug of ours")], ids=["known", "bug"])
def test_a_retry_is_taken_when_the_first_try_was_not_kept(
    place: Place, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever kept it from being stored: PagerDuty takes a 401 for a final no."""
    body = incident(place.now)
    signed = listed("OLD", body=body)

    def fails(intake: object) -> None:
        raise error

    with monkeypatch.context() as broken:
        broken.setattr(place.engine.journal, "record", fails)
        told = [("Content-Type", "application/json"), *signed]
        first = place.client.post("/hooks/pagerduty", data=body, headers=told)

    assert 503 == first.status_code
    assert [(202, 1), REFUSED] == [place.send("pagerduty", body, signed) for _ in range(2)]


def test_the_log_says_what_was_odd_about_a_delivery(place: Place) -> None:
    """The sender has its 202 and reads no further; whoever keeps the engine must be able to find it."""
    body = grafana(place.now - timedelta(hours=1))

    place.send("grafana", body, plain_signature(body))

    (event,) = [json.loads(line) for line in place.log.getvalue().splitlines() if '"delivery"' in line]
    assert ["told_late"] == event["warnings"]


@pytest.mark.parametrize(("minutes", "kinds"), [(5, ["opened"]), (20, ["opened"]), (25 * 60, ["opened"])])
def test_another_web_process_takes_a_recording_for_a_repeat(place: Place, minutes: int, kinds: list[str]) -> None:
    """Each remembers for itself what it has seen; the journal is one, and knows the alert."""
    body = incident(place.now)
    signed = listed("OLD", body=body)
    place.send("pagerduty", body, signed)
    keyring = load_keyring(place.engine.bundle.configuration, Settings(environment=SECRETS).secret)
    place.simulated.clock.push(timedelta(minutes=minutes))

    bearer = keyring.sender(Received.of(signed), "pagerduty", body, place.now)
    again = Request("pagerduty", "pagerduty", {}, body, place.now, fresh_within=bearer.fresh_within)

    assert () == place.engine.ingest(again).opened
    (execution,) = place.engine.journal.executions(limit=9)
    assert kinds == [arrival.transition for arrival in place.engine.journal.arrivals(execution.incident_id)]


def test_a_new_firing_acts_although_a_recording_of_an_old_one_came_before(place: Place) -> None:
    """Whoever sends a recording must not be able to keep the engine from acting."""
    recorded, new = (grafana(place.now - timedelta(hours=hours)) for hours in (30, 0))

    first = place.send("grafana", recorded, plain_signature(recorded))
    (told,) = place.engine.journal.executions(limit=9)
    second = place.send("grafana", new, plain_signature(new))

    assert [(202, 0), (202, 1)] == [first, second]
    begun = [execution for execution in place.engine.journal.executions(limit=9) if execution.id != told.id]
    assert ["blocked", "auto"] == [told.status, *(execution.mode for execution in begun)]


def test_news_with_a_signed_time_may_be_of_any_age(place: Place) -> None:
    """It has just been sent: the signature says so."""
    body = grafana(place.now - timedelta(hours=3))

    assert (202, 1) == place.send("timed", body, timed_signature(body, place.now))


@pytest.mark.parametrize(
    ("seconds", "taken"),
    [
        pytest.param(-301, False, id="too old"),
        pytest.param(-299, True, id="old"),
        pytest.param(299, True, id="ahead"),
        pytest.param(302, False, id="too far ahead"),
    ],
)
def test_a_signed_time_is_within_five_minutes(place: Place, seconds: int, taken: bool) -> None:
    """And what is signed with it counts once."""
    body = grafana(place.now)
    headers = timed_signature(body, place.now + timedelta(seconds=seconds))

    answers = [place.send("timed", body, headers) for _ in range(2)]

    assert [(202, 1) if taken else REFUSED, REFUSED] == answers


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(lambda body: [], id="no signature"),
        pytest.param(lambda body: [("X-Grafana-Alerting-Signature", mac("GRAFANA", body).upper())], id="capitals"),
        pytest.param(lambda body: [("X-Grafana-Alerting-Signature", "v1=" + mac("GRAFANA", body))], id="a prefix"),
        pytest.param(lambda body: [("X-Grafana-Alerting-Signature", mac("TIMED", body))], id="another's secret"),
        pytest.param(lambda body: plain_signature(body + b" "), id="of another body"),
        pytest.param(lambda body: plain_signature(body) * 2, id="two headers"),
        pytest.param(
            lambda body: [("X-Grafana-Alerting-Signature", ",".join([mac("GRAFANA", body)] * 2))], id="two values"
        ),
    ],
)
def test_what_grafana_would_not_send_is_refused(place: Place, headers: Any) -> None:
    """All of it with the same words."""
    body = grafana(place.now)

    assert REFUSED == place.send("grafana", body, headers(body))


@pytest.mark.parametrize(
    ("signatures", "taken"),
    [
        pytest.param(["OLD"], True, id="one secret"),
        pytest.param(["NEW"], True, id="the other secret"),
        pytest.param(["OLD", "NEW"], True, id="both, while it is changed"),
        pytest.param(["v1=" + "0" * 64, "NEW"], True, id="one that we do not know, and ours"),
        pytest.param(["v2=" + "0" * 64, " ", "NEW"], True, id="ours behind whatever is to come"),
        pytest.param(["GRAFANA"], False, id="another's secret"),
        pytest.param([], False, id="nothing"),
        pytest.param(["v1="], False, id="an empty one"),
        pytest.param(["v1=" + "0" * 64] * 16 + ["NEW"], False, id="more than anybody sends"),
        pytest.param(["v1=" + "0" * 64] * 15 + ["NEW"], True, id="as many as are looked at"),
    ],
)
def test_one_signature_of_a_list_must_fit(place: Place, signatures: list[str], taken: bool) -> None:
    """PagerDuty signs with both secrets while one is changed for the other."""
    body = incident(place.now)

    assert ((202, 1) if taken else REFUSED) == place.send("pagerduty", body, listed(*signatures, body=body))


def test_a_signature_without_its_prefix_or_in_capitals_is_none(place: Place) -> None:
    """The grammar of the header is exact."""
    body = incident(place.now)

    for signature in (mac("NEW", body), "V1=" + mac("NEW", body), "v1=" + mac("NEW", body).upper()):
        assert REFUSED == place.send("pagerduty", body, [("X-PagerDuty-Signature", signature)])


def test_a_list_in_another_order_is_the_same_delivery(place: Place) -> None:
    """Whoever records one could leave a signature out, or turn them round."""
    body = incident(place.now)
    orders = (("OLD", "NEW"), ("NEW", "OLD"), ("OLD",), ("NEW",))

    answers = [place.send("pagerduty", body, listed(*order, body=body)) for order in orders]

    assert [(202, 1), REFUSED, REFUSED, REFUSED] == answers


def test_two_headers_are_no_list(place: Place) -> None:
    """Where a host can tell them apart they are two answers to one question."""
    body = incident(place.now)
    keyring = load_keyring(place.engine.bundle.configuration, Settings(environment=SECRETS).secret)
    twice = Received.of(listed("OLD", body=body) + listed("NEW", body=body))

    with pytest.raises(Unauthenticated) as refused:
        keyring.sender(twice, "pagerduty", body, place.now)

    assert "no valid credential" == str(refused.value)


def test_a_ping_is_taken_and_means_nothing(place: Place) -> None:
    """People press the button to see whether it arrives."""
    body = json.dumps({"event": {"id": "p", "event_type": "pagey.ping", "data": {"message": "Hello"}}}).encode()

    answer = place.client.post(
        "/hooks/pagerduty", data=body, headers=[("Content-Type", "application/json"), *listed("NEW", body=body)]
    )

    assert 202 == answer.status_code
    said = answer.get_json()
    assert (0, [], [], ["ignored"]) == (said["accepted"], said["rejected"], said["executions"], said["warnings"])


def test_a_mapped_sender_begins_what_its_mapping_says(place: Place) -> None:
    """One alert fires, one is no alert, one misses what it needs; and the reason names the place."""
    events = [{"name": "Hot", "state": "Bad", "part": "x"}, {"name": "Hot", "state": "test"}, {"state": "bad"}]
    body = json.dumps({"events": events}).encode()

    answer = place.client.post("/hooks/plain", json={"events": events}, headers={"X-Key": SECRETS["PLAIN"]})

    assert 202 == answer.status_code
    said = answer.get_json()
    assert (1, 1, ["ignored", "missing_starts_at"]) == (said["accepted"], len(said["executions"]), said["warnings"])
    assert [{"index": 2, "reason": "nothing stands at /name, and it is needed as name"}] == said["rejected"]
    assert REFUSED == place.send("plain", body, [("X-Key", SECRETS["GRAFANA"])])


def test_a_mapped_body_of_which_nothing_can_be_used_is_told_so(place: Place) -> None:
    """Sending it again would not help."""
    key = [("X-Key", SECRETS["PLAIN"])]

    answers = [place.send("plain", body, key) for body in (b"{}", b'{"events": [{}]}', b'{"events": []}')]

    assert [
        (400, 'the mapping "plain" finds neither an alert nor a list of alerts at /events of the body'),
        (400, "no alert of the delivery is valid: nothing stands at /state, and it is needed as status"),
        (202, 0),
    ] == answers
