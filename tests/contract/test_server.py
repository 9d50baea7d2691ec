"""The HTTP contract of the local runner: what senders, readers and operators may rely on."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from runbook_engine.engine import Engine
from runbook_engine.entrypoints import backlog
from runbook_engine.entrypoints.credentials import load_keyring
from runbook_engine.entrypoints.heartbeat import Heartbeat, write_heartbeat
from runbook_engine.entrypoints.logs import EventLog
from runbook_engine.entrypoints.metrics import Metrics
from runbook_engine.entrypoints.server import create_app
from runbook_engine.entrypoints.settings import Settings
from runbook_engine.entrypoints.storage import PROBE
from runbook_engine.entrypoints.worker import run_until_idle
from runbook_engine.errors import Overloaded, Spoiled, Unreadable
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.directive import Approve
from runbook_engine.model.incident import Intake
from runbook_engine.testing.memory_journal import MemoryJournal
from runbook_engine.testing.simulated_world import SimulatedWorld
from tests.lab import CONFIG, SECRETS, TOKENS, bundle_in, simulated_engine, webhook

JSON = "application/json"
SENDER = {"Authorization": f"Bearer {SECRETS['SENDER_OLD']}"}
READER = {"Authorization": f"Bearer {SECRETS['READER']}"}
ANN = {"Authorization": f"Bearer {SECRETS['ANN']}"}


class FragileJournal(MemoryJournal):
    """A journal that refuses on order."""

    def __init__(self) -> None:
        super().__init__()
        self.refusal: Exception | None = None

    def record(self, intake: Intake) -> None:
        """Store, or refuse."""
        if self.refusal is not None:
            raise self.refusal
        super().record(intake)

    def counts(self) -> Mapping[str, int]:
        """Count, or refuse."""
        if isinstance(self.refusal, Unreadable):
            raise self.refusal
        return super().counts()


@dataclass
class Lab:
    """A server under test, and everything behind it."""

    client: FlaskClient
    engine: Engine
    simulated: SimulatedWorld
    journal: FragileJournal
    log: io.StringIO
    beat_file: Path

    def post(self, path: str, body: Any = None, **options: Any) -> TestResponse:
        """POST JSON, or bytes as they are."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        options.setdefault("content_type", JSON)
        return self.client.post(path, data=content, **options)

    def work(self) -> None:
        """Do what a worker would do until somebody is waited for."""
        run_until_idle(
            self.engine,
            self.engine.due(self.simulated.clock.now()),
            clock=self.simulated.clock,
            owner="w1",
            sleep=lambda seconds: None,
            until=lambda directives: any(isinstance(one, Approve) for one in directives.values()),
        )

    def beat(self) -> None:
        """Be a worker that goes round."""
        write_heartbeat(self.beat_file, Heartbeat(at=self.simulated.clock.now(), pid=1, owner="w1"))


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Bundle]:
    """The lab's installation, with tokens and without, acting and asking."""
    return {
        "guarded": bundle_in(tmp_path_factory.mktemp("guarded"), config=CONFIG + TOKENS),
        "asking": bundle_in(tmp_path_factory.mktemp("asking"), config=CONFIG + TOKENS, mode="approve"),
        "open": bundle_in(tmp_path_factory.mktemp("open")),
    }


@pytest.fixture
def lab(bundles: Mapping[str, Bundle], tmp_path: Path) -> Callable[..., Lab]:
    """Make a server of one of the installations; limits may be changed."""

    def make(name: str = "guarded", stored: Callable[[], None] = lambda: None, **limits: int) -> Lab:
        bundle = bundles[name]
        configuration = bundle.configuration
        limited = msgspec.structs.replace(configuration.limits, **limits)
        bundle = Bundle(bundle.runbooks, msgspec.structs.replace(configuration, limits=limited))
        simulated, journal, log = SimulatedWorld(), FragileJournal(), io.StringIO()
        engine = simulated_engine(bundle, simulated, journal=journal)
        app = create_app(
            engine,
            keyring=load_keyring(bundle.configuration, Settings(environment=SECRETS).secret),
            pause=(simulated.pauses, simulated.pauses),
            clock=simulated.clock,
            metrics=Metrics(),
            log=EventLog(log),
            beat_file=tmp_path / "beat.json",
            stored=stored,
        )
        client = app.test_client()
        client.environ_base["HTTP_PREFER"] = "wait"  # the answer says what became of it
        return Lab(client, engine, simulated, journal, log, tmp_path / "beat.json")

    return make


# --- webhooks ------------------------------------------------------------------------------------------------


def test_a_delivery_is_answered_202_with_what_became_of_it(lab: Callable[..., Lab]) -> None:
    """The answer names the executions, and they are stored when it arrives."""
    here = lab()

    answer = here.post("/hooks/lab", webhook("one", "two"), headers=SENDER)

    assert 202 == answer.status_code
    keys = {"decided", "delivery", "accepted", "rejected", "executions", "incidents", "warnings", "changes"}
    assert keys == set(answer.json)
    assert 2 == answer.json["accepted"]
    assert ["pending", "pending"] == [here.journal.load(one).status for one in answer.json["executions"]]


def test_the_worker_is_woken_by_what_waits_for_it_and_by_nothing_else(lab: Callable[..., Lab]) -> None:
    """What was decided at the door, says nothing new, or was refused, is nothing to wake anybody for."""
    rung: list[str] = []
    here = lab(stored=lambda: rung.append("rung"))
    later = SENDER | {"Prefer": ""}

    answers = [
        here.post("/hooks/lab", webhook("one"), headers=SENDER),
        here.post("/hooks/lab", webhook("one"), headers=later),
        here.post("/hooks/lab", b"no alert", headers=later),
    ]
    early = list(rung)
    waits = here.post("/hooks/lab", webhook("two"), headers=later)

    assert [202, 202, 400] == [answer.status_code for answer in answers]
    assert ([], ["rung"]) == (early, rung)
    assert waits.json["delivery"]


def test_a_delivery_is_stored_and_decided_later_when_nobody_wants_to_wait(lab: Callable[..., Lab]) -> None:
    """Senders do not read answers; what is answered is stored, and waits for the worker."""
    here = lab()

    answer = here.post("/hooks/lab", webhook("one", "two"), headers=SENDER | {"Prefer": ""})

    waiting = here.engine.oldest_waiting()
    assert waiting is not None
    assert (202, False, waiting.number) == (answer.status_code, answer.json["decided"], answer.json["delivery"])
    assert (2, [], []) == (answer.json["accepted"], answer.json["executions"], answer.json["incidents"])
    assert "Preference-Applied" not in answer.headers
    assert (webhook("one", "two"), "lab") == (waiting.request.body, waiting.request.scope)
    assert SECRETS["SENDER_OLD"] not in repr(waiting.request)
    assert 2 == len(here.engine.decide(waiting).opened)


@pytest.mark.parametrize(
    ("prefer", "decided"),
    [
        pytest.param("wait", True, id="as long as it takes"),
        pytest.param("wait=10", True, id="so many seconds"),
        pytest.param("respond-async, WAIT=10; x=y", True, id="among others, in any case"),
        pytest.param("respond-async", False, id="the opposite"),
        pytest.param("waiting=1", False, id="another word"),
    ],
)
def test_who_wants_to_wait_says_so(prefer: str, decided: bool, lab: Callable[..., Lab]) -> None:
    """RFC 7240: the answer says whether the wish was heeded."""
    answer = lab().post("/hooks/lab", webhook(), headers=SENDER | {"Prefer": prefer})

    assert decided is answer.json["decided"]
    assert ("wait" if decided else None) == answer.headers.get("Preference-Applied")


def test_nobody_overtakes_what_waits(lab: Callable[..., Lab]) -> None:
    """A repeat may end what the one before it begins, so it is decided after it, wish or not."""
    here = lab()
    first = here.post("/hooks/lab", webhook("one"), headers=SENDER | {"Prefer": ""})

    second = here.post("/hooks/lab", webhook("one", status="resolved"), headers=SENDER)

    assert [False, False] == [answer.json["decided"] for answer in (first, second)]
    assert second.json["delivery"] > first.json["delivery"]
    assert "Preference-Applied" not in second.headers


def test_a_repeat_is_not_stored_when_nothing_waits(lab: Callable[..., Lab]) -> None:
    """An alert that fires for hours is told every few minutes."""
    here = lab()
    here.post("/hooks/lab", webhook("one", "two"), headers=SENDER)

    answer = here.post("/hooks/lab", webhook("two", "one"), headers=SENDER | {"Prefer": ""})

    assert (202, True, None, 2) == (
        answer.status_code,
        *(answer.json[key] for key in ("decided", "delivery", "accepted")),
    )
    assert here.engine.oldest_waiting() is None


def test_too_much_that_waits_is_503_until_it_is_decided(
    lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody decides, so nothing more is promised; what was promised is still there."""
    monkeypatch.setattr(backlog, "MOST_WAITING", 4)
    here, quick = lab(), SENDER | {"Prefer": ""}
    taken = [here.post("/hooks/lab", webhook(f"a{part}", f"b{part}"), headers=quick) for part in range(2)]
    here.simulated.clock.push(timedelta(seconds=2))

    refused = here.post("/hooks/lab", webhook("late"), headers=quick)
    while (waiting := here.engine.oldest_waiting()) is not None:
        here.engine.decide(waiting)
    here.simulated.clock.push(timedelta(seconds=2))
    again = here.post("/hooks/lab", webhook("late"), headers=quick)

    assert [202, 202, 503, 202] == [each.status_code for each in (*taken, refused, again)]
    assert refused.json["error"]["code"] == "overloaded"
    assert "4 alerts in 0 MiB wait to be decided, the most is 4 in 256 MiB" in here.log.getvalue()


def test_a_runner_in_which_nothing_is_decided_is_not_ready(lab: Callable[..., Lab]) -> None:
    """The worker goes round, and yet a delivery waits."""
    here = lab()
    here.post("/hooks/lab", webhook(), headers=SENDER | {"Prefer": ""})
    here.simulated.clock.push(timedelta(seconds=90))
    here.beat()

    answer, metrics = here.client.get("/readyz"), here.client.get("/metrics").text

    assert (503, ["a delivery waits for 90 s to be decided"]) == (answer.status_code, answer.json["reasons"])
    for line in ("deliveries 1.0", "alerts 1.0", "age_seconds 90.0", "set_aside 0.0"):
        assert f"\nrunbook_inbox_{line}\n" in metrics


def test_a_delivery_that_comes_twice_changes_nothing_the_second_time(lab: Callable[..., Lab]) -> None:
    """Alertmanager sends at least once."""
    here = lab()

    first = here.post("/hooks/lab", webhook(), headers=SENDER)
    second = here.post("/hooks/lab", webhook(), headers=SENDER)

    assert (202, 202) == (first.status_code, second.status_code)
    assert 1 == len(here.journal.executions(limit=10))


def test_an_invalid_alert_is_dropped_and_its_neighbours_are_kept(lab: Callable[..., Lab]) -> None:
    """One broken alert does not cost the others, and the sender is told."""
    body = {"alerts": [{"status": "firing", "labels": {}}, {"status": "firing", "labels": {"alertname": "Hot"}}]}

    answer = lab().post("/hooks/lab", body, headers=SENDER)

    assert 202 == answer.status_code
    assert (1, [0]) == (answer.json["accepted"], [one["index"] for one in answer.json["rejected"]])


@pytest.mark.parametrize(
    ("body", "options", "status", "code"),
    [
        pytest.param(b"{", {}, 400, "invalid_json", id="not JSON"),
        pytest.param(b"[]", {}, 400, "schema", id="no object"),
        pytest.param(b'{"alerts": [], "alerts": []}', {}, 400, "duplicate_key", id="a key twice"),
        pytest.param(b'{"alerts": [{"labels": {}}]}', {}, 400, "schema", id="no valid alert"),
        pytest.param(b'{"alerts": [{"labels": {"a": "\xff"}}]}', {}, 400, "bad_encoding", id="not UTF-8"),
        pytest.param(b"x", {"headers": {"Content-Encoding": "gzip"}}, 400, "bad_gzip", id="not gzip"),
        pytest.param(b"x", {"headers": {"Content-Encoding": "br"}}, 415, "unsupported_media_type", id="brotli"),
        pytest.param(webhook(), {"content_type": "text/plain"}, 415, "unsupported_media_type", id="plain text"),
        pytest.param(
            b"a=b",
            {"content_type": "application/x-www-form-urlencoded"},
            415,
            "unsupported_media_type",
            id="a form",
        ),
        pytest.param(b" " * 5000, {}, 413, "too_large", id="too large"),
        pytest.param(
            gzip.compress(b" " * 50_000), {"headers": {"Content-Encoding": "gzip"}}, 413, "too_large", id="a small bomb"
        ),
    ],
)
def test_a_body_that_cannot_be_used_is_refused_with_its_code(
    body: bytes, options: dict[str, Any], status: int, code: str, lab: Callable[..., Lab]
) -> None:
    """Sending it again would not help, so it is never 5xx."""
    here = lab(max_body=4096, max_inflated=16_384)
    options = {**options, "headers": {**SENDER, **options.get("headers", {})}}

    answer = here.post("/hooks/lab", body, **options)

    assert (status, code) == (answer.status_code, answer.json["error"]["code"])
    assert () == here.journal.executions(limit=1)


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        pytest.param("/hooks/lab", {}, id="no credential"),
        pytest.param("/hooks/lab", {"Authorization": "Bearer wrong-secret-of-the-sender"}, id="a wrong secret"),
        pytest.param("/hooks/nobody", SENDER, id="an unknown scope"),
        pytest.param("/hooks/other", SENDER, id="somebody else's scope"),
        pytest.param("/hooks/lab", READER, id="a token of another role"),
    ],
)
def test_every_stranger_gets_the_same_401(path: str, headers: dict[str, str], lab: Callable[..., Lab]) -> None:
    """Byte for byte: nobody learns which scopes exist."""
    answer = lab().post(path, webhook(), headers=headers)

    assert 401 == answer.status_code
    assert b'{"error":{"code":"unauthorized","message":"no valid credential"}}' == answer.data
    assert "Bearer" == answer.headers["WWW-Authenticate"]


def test_two_authorization_headers_are_refused_even_if_both_are_right(lab: Callable[..., Lab]) -> None:
    """A proxy and an application may disagree on which one counts."""
    twice = [("Authorization", SENDER["Authorization"]), ("Authorization", SENDER["Authorization"])]

    answer = lab().client.post("/hooks/lab", data=webhook(), content_type=JSON, headers=twice)

    assert 401 == answer.status_code


def test_a_stranger_is_refused_before_the_body_is_read(lab: Callable[..., Lab]) -> None:
    """Who has no credential cannot make us work."""
    answer = lab(max_body=10).post("/hooks/lab", b"x" * 1000)

    assert 401 == answer.status_code


@pytest.mark.parametrize(
    ("refusal", "retry_after"),
    [
        pytest.param(Overloaded("busy", timedelta(seconds=60)), "60", id="a full disk"),
        pytest.param(Unreadable("journal /secret/path is damaged"), "5", id="a damaged journal"),
        pytest.param(ZeroDivisionError("a bug"), "5", id="a bug"),
    ],
)
def test_a_store_that_cannot_keep_it_is_503(refusal: Exception, retry_after: str, lab: Callable[..., Lab]) -> None:
    """The one code that every sender sends again after; the reason stays in our log."""
    here = lab()
    here.journal.refusal = refusal

    answer = here.post("/hooks/lab", webhook(), headers=SENDER)

    assert (503, retry_after) == (answer.status_code, answer.headers["Retry-After"])
    assert str(refusal) not in answer.text
    assert type(refusal).__name__ in here.log.getvalue()


def test_too_many_open_executions_open_no_more_and_what_alerts_say_is_heard(lab: Callable[..., Lab]) -> None:
    """A resolve that was refused for want of room would let runs act on what is over."""
    here = lab(max_open_executions=1)

    first = here.post("/hooks/lab", webhook("one"), headers=SENDER)
    crowded = here.post("/hooks/lab", webhook("two"), headers=SENDER)
    over = here.post("/hooks/lab", webhook("one", status="resolved"), headers=SENDER)

    assert [202, 202, 202] == [answer.status_code for answer in (first, crowded, over)]
    assert [1, 0] == [len(answer.json["executions"]) for answer in (first, crowded)]
    assert [False, True] == ["no_room" in answer.json["warnings"] for answer in (first, crowded)]
    [run] = here.journal.executions(limit=10)
    assert ["resolved"] == [signal.kind for signal in here.journal.signals(run.id, 0)]
    [incident] = crowded.json["incidents"]
    [arrival] = [each for each in here.journal.arrivals(incident) if each.alert.labels["part"] == "two"]
    assert [
        (
            "refused",
            "as many runs are open as may be, 1 (limits.maxOpenExecutions): none was opened for this alert, look at it "
            "yourself (it opens one when it fires anew and there is room)",
        )
    ] == [(decision.outcome, decision.reason) for decision in arrival.decisions]


@pytest.mark.parametrize(
    "path",
    ["/hooks/lab/", "//hooks/lab", "/hooks//lab", "/hooks", "/hooks/", "/", "/nothing", "/api", "/hooks/lab/../lab"],
)
def test_no_path_is_ever_redirected(path: str, lab: Callable[..., Lab]) -> None:
    """A redirect turns a sender's POST into a GET, and the alert is lost."""
    here = lab()

    for answer in (here.client.post(path, data=webhook(), content_type=JSON, headers=SENDER), here.client.get(path)):
        assert not 300 <= answer.status_code < 400
        assert 429 != answer.status_code


def test_every_answer_carries_the_security_headers_and_no_echo(lab: Callable[..., Lab]) -> None:
    """What was asked for is not said back, and no browser may make something else of an answer."""
    here = lab()

    for answer in (
        here.client.get("/<script>alert(1)</script>"),
        here.post("/hooks/<script>", b"<script>"),
        here.client.get("/healthz"),
        here.client.get("/api/executions/<script>", headers=READER),
    ):
        assert "nosniff" == answer.headers["X-Content-Type-Options"]
        assert "no-store" == answer.headers["Cache-Control"]
        assert JSON == answer.content_type
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "script" not in answer.text


def test_neither_tokens_nor_payloads_reach_the_log(lab: Callable[..., Lab]) -> None:
    """A delivery is logged by its hash and its numbers."""
    here = lab()

    here.post("/hooks/lab", webhook("very-private"), headers=SENDER)
    here.post("/hooks/lab", b"very-private {", headers=SENDER)
    here.post("/hooks/lab", b"", headers={"Authorization": "Bearer very-private-secret"})

    events = [json.loads(line) for line in here.log.getvalue().splitlines()]
    assert ["delivery", "refused", "refused"] == [event["event"] for event in events]
    assert {"scope", "sender", "accepted", "rejected", "executions", "bytes", "body_sha256", "ms"} <= set(events[0])
    assert "very-private" not in here.log.getvalue()
    assert SECRETS["SENDER_OLD"] not in here.log.getvalue()


# --- reading and operating -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        pytest.param("GET", "/api/executions", {}, 401, id="reading needs a credential"),
        pytest.param("GET", "/api/executions", SENDER, 403, id="a sender may not read"),
        pytest.param("GET", "/api/executions", READER, 200, id="a reader may"),
        pytest.param("GET", "/api/incidents", READER, 200, id="incidents too"),
        pytest.param("GET", "/api/pause", READER, 200, id="and the pause"),
        pytest.param("POST", "/api/resume", READER, 403, id="a reader may not operate"),
        pytest.param("POST", "/api/resume", {}, 401, id="nor may a stranger"),
        pytest.param("POST", "/api/resume", ANN, 202, id="an operator may"),
        pytest.param("GET", "/api/executions/none", READER, 404, id="an unknown execution"),
        pytest.param("GET", "/api/incidents/none", READER, 404, id="an unknown incident"),
        pytest.param("GET", "/api/executions?limit=0", READER, 400, id="a limit of nothing"),
        pytest.param("GET", "/api/executions?limit=x", READER, 400, id="a limit that is no number"),
        pytest.param("GET", "/api/executions?active=maybe", READER, 400, id="a wish that is neither"),
        pytest.param("DELETE", "/api/executions", ANN, 405, id="a method that does not exist"),
        pytest.param("GET", "/healthz", {}, 200, id="health needs none"),
        pytest.param("GET", "/metrics", {}, 200, id="nor do metrics"),
    ],
)
def test_each_role_opens_its_own_doors(
    method: str, path: str, headers: dict[str, str], status: int, lab: Callable[..., Lab]
) -> None:
    """The whole table of who may do what."""
    assert status == lab().client.open(path, method=method, headers=headers).status_code


def test_an_incident_is_read_with_everything_that_happened(lab: Callable[..., Lab]) -> None:
    """From the list to the report, with stable keys."""
    here = lab()
    here.post("/hooks/lab", webhook(), headers=SENDER)
    here.work()

    [row] = here.client.get("/api/incidents", headers=READER).json["incidents"]
    report = here.client.get(f"/api/incidents/{row['id']}", headers=READER).json
    [line] = here.client.get("/api/executions", headers=READER).json["executions"]
    execution = here.client.get(f"/api/executions/{line['id']}", headers=READER).json

    assert "open" == row["status"] == report["status"]  # its run has no verification
    assert {
        *("incident", "status", "arrivals", "executions", "acted_at", "mitigated_at", "started_at", "quiet_until"),
        *("from_opened", "from_started", "flapping", "changes"),
    } == set(report)
    assert ("shed", "/lab/all", "succeeded", "held") == tuple(
        line[key] for key in ("runbook", "target", "status", "compensation")
    )
    assert {"execution", "runbook", "audit", "evidence"} == set(execution)
    assert "intended" in {record["event"] for record in execution["audit"]}


def test_a_person_approves_exactly_the_change_that_is_asked_for(lab: Callable[..., Lab]) -> None:
    """The hash that was shown decides, and the name in the trail is the token's."""
    here = lab("asking")
    [execution_id] = here.post("/hooks/lab", webhook(), headers=SENDER).json["executions"]
    here.work()
    [line] = here.client.get("/api/executions?active=true", headers=READER).json["executions"]
    path = f"/api/executions/{execution_id}/approve"

    stale = here.post(path, {"plan_hash": "0" * 64}, headers=ANN)
    yes = here.post(path, {"plan_hash": line["approval"]["plan_hash"], "reason": "looks right"}, headers=ANN)
    late = here.post(path, {"plan_hash": line["approval"]["plan_hash"]}, headers=ANN)
    here.work()

    assert "awaiting_approval" == line["status"]
    assert 409 == late.status_code
    assert late.json["error"]["message"].startswith("ann has said yes already, at ")
    assert (409, "stale_plan") == (stale.status_code, stale.json["error"]["code"])
    assert (202, {"done": "approve", "execution": execution_id, "incident": None, "by": "ann"}) == (
        yes.status_code,
        yes.json,
    )
    assert "succeeded" == here.journal.load(execution_id).status
    assert "ann" in {record.actor for record in here.journal.audit(execution_id)}


@pytest.mark.parametrize(
    ("verb", "body", "status"),
    [("deny", {}, "cancelled"), ("cancel", {"undo": False}, "cancelled"), ("takeover", {"undo": False}, "handed_over")],
)
def test_a_person_stops_a_run(verb: str, body: dict[str, Any], status: str, lab: Callable[..., Lab]) -> None:
    """Each way of saying no ends the run without a change."""
    here = lab("asking")
    [execution_id] = here.post("/hooks/lab", webhook(), headers=SENDER).json["executions"]
    here.work()

    answer = here.post(f"/api/executions/{execution_id}/{verb}", body, headers=ANN)
    here.work()

    assert 202 == answer.status_code
    assert here.journal.load(execution_id).ended
    assert () == here.simulated.effects_made
    assert status == here.journal.load(execution_id).status


@pytest.mark.parametrize(
    ("path", "body", "options", "status"),
    [
        pytest.param("cancel", {}, {}, 400, id="neither keep nor undo"),
        pytest.param("cancel", {"undo": True, "by": "bob"}, {}, 400, id="a name of one's own choice"),
        pytest.param("approve", {"plan_hash": "1"}, {}, 400, id="a hash too short to mean anything"),
        pytest.param("approve", b"{", {}, 400, id="not JSON"),
        pytest.param("approve", {"plan_hash": "1234"}, {"content_type": "text/plain"}, 415, id="not called JSON"),
        pytest.param("deny", {"reason": "x" * 20_000}, {}, 413, id="a novel"),
        pytest.param("deny", {}, {}, 409, id="nothing is asked"),
    ],
)
def test_a_malformed_wish_does_nothing(
    path: str, body: Any, options: dict[str, Any], status: int, lab: Callable[..., Lab]
) -> None:
    """What is not understood exactly is not done at all."""
    here = lab()
    [execution_id] = here.post("/hooks/lab", webhook(), headers=SENDER).json["executions"]

    answer = here.post(f"/api/executions/{execution_id}/{path}", body, headers=ANN, **options)

    assert status == answer.status_code
    assert () == here.journal.signals(execution_id, 0)


def test_the_kill_switch_is_thrown_seen_and_lifted(lab: Callable[..., Lab]) -> None:
    """A pause says until when, by whom and why."""
    here = lab()

    thrown = here.post("/api/pause", {"for": "30m", "reason": "deploying"}, headers=ANN)
    seen = here.client.get("/api/pause", headers=READER).json["pause"]
    lifted = here.post("/api/resume", {}, headers=ANN)

    assert (202, 202) == (thrown.status_code, lifted.status_code)
    assert ("ann", "deploying") == (seen["by"], seen["reason"])
    assert here.simulated.pauses.pause(here.simulated.clock.now()) is None


@pytest.mark.parametrize("period", ["", "soon", "0s", "-5m", "8d", "99999999999999d"])
def test_a_pause_has_a_sensible_end(period: str, lab: Callable[..., Lab]) -> None:
    """A kill switch that nobody remembers is a trap."""
    assert 400 == lab().post("/api/pause", {"for": period}, headers=ANN).status_code


# --- without tokens --------------------------------------------------------------------------------------------


def test_without_tokens_programs_of_this_machine_need_no_credential(lab: Callable[..., Lab]) -> None:
    """The first five minutes on a laptop."""
    here = lab("open")

    assert 202 == here.post("/hooks/lab", webhook()).status_code
    assert 200 == here.client.get("/api/executions").status_code


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Origin": "https://evil.example"}, id="a page of somebody else"),
        pytest.param({"Origin": "null"}, id="a page of nobody"),
        pytest.param({"Host": "evil.example"}, id="a name that was bent to loopback"),
        pytest.param({"Host": "evil.example:8930"}, id="the same with a port"),
    ],
)
def test_without_tokens_a_browser_is_refused(headers: dict[str, str], lab: Callable[..., Lab]) -> None:
    """Any web page can make a browser post to loopback; none may start a runbook."""
    here = lab("open")

    answer = here.post("/hooks/lab", webhook(), headers=headers)

    assert 403 == answer.status_code
    assert () == here.journal.executions(limit=1)


# --- health ------------------------------------------------------------------------------------------------------


def test_ready_means_that_work_can_be_done(lab: Callable[..., Lab]) -> None:
    """Journal writable, worker going round, runbooks loaded; each absence is named."""
    here = lab()

    before = here.client.get("/readyz")
    here.beat()
    ready = here.client.get("/readyz")
    here.simulated.push(timedelta(minutes=1))
    stale = here.client.get("/readyz")

    assert (503, ["the worker has not started"]) == (before.status_code, before.json["reasons"])
    assert (200, []) == (ready.status_code, ready.json["reasons"])
    assert (503, ["the worker does not go round"]) == (stale.status_code, stale.json["reasons"])


def test_a_journal_that_cannot_be_read_is_not_ready_but_alive(lab: Callable[..., Lab]) -> None:
    """A restart would not mend a disk."""
    here = lab()
    here.beat()
    here.journal.refusal = Unreadable("journal /secret/path is damaged")

    ready, alive, metrics = (here.client.get(path) for path in ("/readyz", "/healthz", "/metrics"))

    assert (503, ["the journal cannot be written: Unreadable"]) == (ready.status_code, ready.json["reasons"])
    assert 200 == alive.status_code
    assert "runbook_journal_up 0.0" in metrics.text


def test_a_journal_that_a_person_must_look_at_says_so_and_not_where_it_is(lab: Callable[..., Lab]) -> None:
    """Who is called by it at night has no log before him; a stranger learns no folder."""
    here = lab()
    here.beat()
    here.journal.refusal = Spoiled(
        "journal /secret/path is damaged (restore it)", "journal path is damaged (restore it)"
    )

    ready = here.client.get("/readyz")

    assert (503, ["journal path is damaged (restore it)"]) == (ready.status_code, ready.json["reasons"])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_a_full_disk_is_not_ready_and_says_so(lab: Callable[..., Lab]) -> None:
    """Before the first delivery is refused; a journal that has nothing to write would not notice."""
    here = lab()
    here.beat()
    (here.beat_file.parent / PROBE).symlink_to("/dev/full")

    ready = here.client.get("/readyz")

    assert 503 == ready.status_code
    assert ["the state folder cannot be written: the disk is full"] == ready.json["reasons"]


def test_metrics_say_what_arrived_and_how_it_stands(lab: Callable[..., Lab]) -> None:
    """Alerts by outcome, deliveries by code, executions by status, the age of the backlog."""
    here = lab()
    here.beat()
    here.post("/hooks/lab", webhook("one", "two"), headers=SENDER)
    here.post("/hooks/lab", b"{", headers=SENDER)
    here.simulated.push(timedelta(seconds=9))

    text = here.client.get("/metrics").text

    for line in (
        'runbook_alerts_total{outcome="accepted"} 2.0',
        'runbook_deliveries_total{code="202"} 1.0',
        'runbook_deliveries_total{code="400"} 1.0',
        'runbook_executions{status="pending"} 2.0',
        "runbook_backlog_age_seconds 9.0",
        "runbook_worker_heartbeat_age_seconds 9.0",
        "runbook_journal_up 1.0",
    ):
        assert line in text.splitlines()
