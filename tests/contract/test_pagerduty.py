"""The pagerduty adapter: an incident is one alert there: triggered, acknowledged by who has it, resolved at its end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as trying
from hypothesis import strategies as some

from runbook_adapters.pagerduty import ADAPTER, PagerDutySettings
from runbook_adapters.pagerduty.events import MOST_BYTES, body_of, key_of
from runbook_engine.errors import NoAdapter, Permanent, Retryable
from runbook_engine.model.configuration import SecretReference
from runbook_engine.model.observation import Message
from tests.contract.http_service import HttpService, Told, http_service
from tests.contract.test_receivers import context

NOW = datetime(2026, 3, 1, 3, 7, tzinfo=UTC)
KEY = "0123456789abcdef0123456789abcdef"
ACCEPTED = Told(202, b'{"status":"success","message":"Event processed","dedup_key":"k"}')
MESSAGE = Message(
    id="e1-3",
    event="notFixed",
    title="checkout-high-error-rate: CheckoutHighErrorRate on apps/deployment/checkout",
    text="unresolved: every step was tried\nand verification still does not pass",
    at=NOW,
    severity="critical",
    runbook="checkout-high-error-rate",
    execution_id="e1",
    incident_id="9cc95088e703",
    links={"dashboard": "https://grafana.example/d/checkout", "approve": "https://runbooks.example/approvals/e1"},
    status="unresolved",
    owner="team-checkout",
    alert="CheckoutHighErrorRate",
    target="apps/deployment/checkout",
    did=("03:07 apps/deployment/checkout replicas 4 -> 6",),
)


@pytest.fixture
def pagerduty() -> Iterator[HttpService]:
    """PagerDuty, as far as it is told."""
    with http_service(lambda _asked: ACCEPTED) as running:
        yield running


def receiver(pagerduty: HttpService) -> Any:
    """Return the receiver."""
    settings = PagerDutySettings(routing_key=SecretReference(env="KEY"), url=f"{pagerduty.url}/")
    return ADAPTER.build("receiver", settings, context(secrets={"KEY": KEY})).writer


def told(pagerduty: HttpService) -> list[dict[str, Any]]:
    """Return the events that arrived."""
    return [json.loads(asked.body) for asked in pagerduty.asked]


def test_event_arrives_whole_when_somebody_must_look(pagerduty: HttpService) -> None:
    """What an on-call reads at night, and where to look."""
    reference = receiver(pagerduty).send("oncall", MESSAGE)

    assert "/v2/enqueue" == pagerduty.asked[0].path
    assert "runbook-engine/9cc95088e703" == reference
    assert [
        {
            "routing_key": KEY,
            "event_action": "trigger",
            "dedup_key": "runbook-engine/9cc95088e703",
            "client": "runbook-engine",
            "links": [
                {"href": "https://grafana.example/d/checkout", "text": "dashboard"},
                {"href": "https://runbooks.example/approvals/e1", "text": "Approve or deny"},
            ],
            "payload": {
                "summary": "checkout-high-error-rate: CheckoutHighErrorRate on apps/deployment/checkout: "
                "unresolved: every step was tried and verification still does not pass",
                "source": "apps/deployment/checkout",
                "severity": "critical",
                "timestamp": "2026-03-01T03:07:00+00:00",
                "component": "apps/deployment/checkout",
                "group": "team-checkout",
                "class": "CheckoutHighErrorRate",
                "custom_details": {
                    "event": "notFixed",
                    "text": "unresolved: every step was tried\nand verification still does not pass",
                    "did": ["03:07 apps/deployment/checkout replicas 4 -> 6"],
                    "runbook": "checkout-high-error-rate",
                    "status": "unresolved",
                    "incident": "9cc95088e703",
                    "execution": "e1",
                },
            },
        }
    ] == told(pagerduty)


@pytest.mark.parametrize("path", ["", "/", "/v2/enqueue", "/v2/enqueue/"])
def test_url_may_name_the_path_or_leave_it_out(pagerduty: HttpService, path: str) -> None:
    """PagerDuty's own pages show the whole address."""
    settings = PagerDutySettings(routing_key=SecretReference(env="KEY"), url=f"{pagerduty.url}{path}")
    ADAPTER.build("receiver", settings, context(secrets={"KEY": KEY})).writer.send("oncall", MESSAGE)

    assert ["/v2/enqueue"] == [asked.path for asked in pagerduty.asked]


@pytest.mark.parametrize(
    ("changes", "wished"),
    [
        pytest.param({"event": "approval", "status": "awaiting_approval"}, ["trigger"], id="a question pages"),
        pytest.param({"event": "blocked", "status": "blocked"}, ["trigger"], id="so does what is blocked"),
        pytest.param({"event": "ended", "status": "failed"}, ["trigger"], id="so does a bad end"),
        pytest.param(
            {"event": "ended", "status": "succeeded", "settled": True}, ["resolve"], id="what is fixed is resolved"
        ),
        pytest.param(
            {"event": "ended", "status": "cancelled", "settled": True}, ["resolve"], id="so is what went away by itself"
        ),
        pytest.param(
            {"event": "ended", "status": "succeeded"}, [], id="not while something else of the incident is open"
        ),
        pytest.param(
            {"event": "ended", "status": "handed_over", "taken_by": "ann"}, ["acknowledge"], id="a person has it"
        ),
        pytest.param(
            {"event": "notFixed", "status": "handed_over", "taken_by": "ann"}, ["acknowledge"], id="however it is told"
        ),
        pytest.param({"event": "ended", "status": "handed_over"}, ["trigger"], id="handed over to nobody who answered"),
        pytest.param(
            {"event": "notFixed", "status": "cancelled", "settled": True},
            ["resolve"],
            id="nobody is woken for what went away by itself",
        ),
        pytest.param({"event": "notFixed", "status": "cancelled"}, ["trigger"], id="what a person stopped burns on"),
        pytest.param(
            {"event": "notFixed", "status": "succeeded", "overtaken": True}, [], id="old news opens nothing again"
        ),
        pytest.param(
            {"event": "ended", "status": "succeeded", "settled": True, "overtaken": True},
            [],
            id="an end that comes after later news closes nothing",
        ),
        pytest.param(
            {"event": "notFixed", "status": "unresolved", "overtaken": True}, ["trigger"], id="late is not too late"
        ),
    ],
)
def test_what_is_wanted_follows_from_how_it_stands(
    pagerduty: HttpService, changes: dict[str, Any], wished: list[str]
) -> None:
    """One alert an incident, whatever happens to it."""
    receiver(pagerduty).send("oncall", msgspec.structs.replace(MESSAGE, **changes))

    assert wished == [event["event_action"] for event in told(pagerduty)]
    assert {"runbook-engine/9cc95088e703"} >= {event["dedup_key"] for event in told(pagerduty)}


@pytest.mark.parametrize(
    ("severity", "expected"),
    [
        ("critical", "critical"),
        ("high", "error"),
        ("warning", "warning"),
        ("low", "info"),
        ("info", "info"),
        ("none", "info"),
        ("unknown", "error"),
        ("", "error"),
    ],
)
def test_severity_is_one_that_pagerduty_knows(severity: str, expected: str) -> None:
    """What nobody graded is not taken lightly."""
    body = json.loads(body_of(msgspec.structs.replace(MESSAGE, severity=severity), "trigger", KEY))

    assert expected == body["payload"]["severity"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, "runbook-engine/9cc95088e703", id="the incident"),
        pytest.param({"incident_id": ""}, "runbook-engine/e1", id="else the execution"),
        pytest.param({"incident_id": "", "execution_id": ""}, "runbook-engine/e1-3", id="else the message"),
        pytest.param({"event": "storm"}, "runbook-engine/e1-3", id="a storm is about more than one incident"),
    ],
)
def test_alert_is_known_by(changes: dict[str, Any], expected: str) -> None:
    """So that telling twice pages once."""
    assert expected == key_of(msgspec.structs.replace(MESSAGE, **changes))


@trying(deadline=None)
@given(some.text(max_size=50), some.integers(1, 20_000))
def test_event_fits_whatever_is_in_it(text: str, times: int) -> None:
    """PagerDuty takes 512 KB, and 1024 characters of a summary."""
    large = (text + "\u0001é") * times
    message = msgspec.structs.replace(
        MESSAGE, title=large, text=large, did=(large,) * 20, target=large, alert=large, owner=large,
        links={f"{number} {large}": "https://d.example" for number in range(20)},
    )  # fmt: skip

    body = body_of(message, "trigger", KEY)

    event = json.loads(body)
    assert len(body) <= MOST_BYTES
    assert len(event["payload"]["summary"]) <= 1024
    assert 10 == len(event["links"])


def test_text_that_is_cut_says_so() -> None:
    """And the rest is on record."""
    body = json.loads(body_of(msgspec.structs.replace(MESSAGE, text="x" * 70_000), "trigger", KEY))

    assert body["payload"]["custom_details"]["text"].endswith("x [cut here: the rest is in the engine's own record]")


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "https://h/" + "x" * 3000])
def test_address_that_is_none_is_left_out(url: str) -> None:
    """PagerDuty would refuse the whole event."""
    body = json.loads(body_of(msgspec.structs.replace(MESSAGE, links={"x": url}), "trigger", KEY))

    assert [] == body["links"]


@pytest.mark.parametrize(
    ("answer", "error", "after", "says"),
    [
        pytest.param(
            Told(400, b'{"status":"invalid event","message":"Event object is invalid","errors":["bad routing key"]}'),
            Permanent,
            None,
            "receiver oncall was not told: PagerDuty says Event object is invalid; bad routing key "
            "(set routingKey to the integration key of an Events API v2 integration, of this url's region)",
            id="refused",
        ),
        pytest.param(
            Told(404, b"<html>"),
            Permanent,
            None,
            "receiver oncall was not told: PagerDuty says HTTP 404 "
            "(set routingKey to the integration key of an Events API v2 integration, of this url's region)",
            id="no such address",
        ),
        pytest.param(
            Told(429, b"", (("Retry-After", "7"),)),
            Retryable,
            timedelta(seconds=7),
            "receiver oncall was not told: PagerDuty answered HTTP 429",
            id="too many",
        ),
        pytest.param(
            Told(500), Retryable, None, "receiver oncall was not told: PagerDuty answered HTTP 500", id="its trouble"
        ),
        pytest.param(
            Told(200, b"<html>sign in</html>"),
            Retryable,
            None,
            "receiver oncall was not reached: what answered is not PagerDuty",
            id="a captive portal",
        ),
        pytest.param(
            Told(0),
            Retryable,
            None,
            "receiver oncall was not reached: the connection broke before the answer was complete",
            id="broken connection",
        ),
    ],
)
def test_delivery_fails(
    pagerduty: HttpService, answer: Told, error: type[Exception], after: timedelta | None, says: str
) -> None:
    """Again when it may help; in the words of PagerDuty, never with the key."""
    pagerduty.tell(answer)

    with pytest.raises(error) as refusal:
        receiver(pagerduty).send("oncall", MESSAGE)

    assert (says, after) == (str(refusal.value), getattr(refusal.value, "after", None))


def test_other_ports_are_refused() -> None:
    """A receiver is a receiver."""
    with pytest.raises(NoAdapter) as refusal:
        ADAPTER.build("flags", PagerDutySettings(routing_key=SecretReference(env="KEY")), context())

    assert "pagerduty does not serve flags (it serves receiver)" == str(refusal.value)


def test_settings_are_read_when_written_in_yaml_shape() -> None:
    """camelCase, as everywhere."""
    read = msgspec.convert({"routingKey": {"env": "KEY"}}, PagerDutySettings)

    assert PagerDutySettings(routing_key=SecretReference(env="KEY")) == read
