"""The webhook and console adapters: told once, told plainly, and never steered by what an alert says."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from runbook_adapters import console, receivers
from runbook_adapters.console import ConsoleSettings
from runbook_adapters.receivers import WebhookSettings
from runbook_engine.errors import NoAdapter, Permanent, Retryable
from runbook_engine.model.configuration import Configuration, SecretReference
from runbook_engine.model.observation import Message
from runbook_engine.ports import AdapterContext
from tests.contract.http_service import HttpService, Told, http_service

NOW = datetime(2026, 3, 1, 3, 7, tzinfo=UTC)
MESSAGE = Message(
    id="7f3c:changed:1",
    event="changed",
    title="checkout-high-error-rate changed /checkout/degraded_mode",
    text='"false" -> "true"',
    at=NOW,
    severity="critical",
    runbook="checkout-high-error-rate",
    execution_id="e1",
    incident_id="7f3c",
    links={"dashboard": "https://grafana.example/d/checkout"},
    status="running",
    owner="team-checkout",
    alert="CheckoutHighErrorRate",
    target="apps/deployment/checkout",
    did=('03:06 /checkout/degraded_mode value "false" -> "true"',),
)


class FixedClock:
    """A clock that stands still."""

    def now(self) -> datetime:
        return NOW


def context(base: Path = Path(), secrets: dict[str, str] | None = None) -> AdapterContext:
    """Return what an adapter is built with."""
    return AdapterContext(
        clock=FixedClock(),
        configuration=Configuration(),
        base=base,
        state=base,
        secret=lambda reference: (secrets or {})[reference.env],
    )


def webhook(settings: WebhookSettings, **secrets: str):
    """Build the webhook adapter for one receiver."""
    return receivers.ADAPTER.build("receiver", settings, context(secrets=secrets)).writer


@pytest.fixture
def service() -> Iterator[HttpService]:
    """Who is told."""
    with http_service() as running:
        yield running


def test_message_arrives_whole_when_it_is_sent(service):
    """JSON of every field, the id as idempotency key, the token in its header."""
    webhook(WebhookSettings(url=f"{service.url}/hook?team=a", token=SecretReference(env="TOKEN")), TOKEN="s3cret").send(
        "chat", MESSAGE
    )

    (asked,) = service.asked
    assert (asked.method, asked.path, asked.fields) == ("POST", "/hook", {"team": "a"})
    assert json.loads(asked.body) == {
        "receiver": "chat",
        "id": "7f3c:changed:1",
        "event": "changed",
        "title": "checkout-high-error-rate changed /checkout/degraded_mode",
        "text": '"false" -> "true"',
        "at": "2026-03-01T03:07:00Z",
        "severity": "critical",
        "runbook": "checkout-high-error-rate",
        "execution_id": "e1",
        "incident_id": "7f3c",
        "links": {"dashboard": "https://grafana.example/d/checkout"},
        "asks": "",
        "until": None,
        "status": "running",
        "owner": "team-checkout",
        "alert": "CheckoutHighErrorRate",
        "target": "apps/deployment/checkout",
        "did": ['03:06 /checkout/degraded_mode value "false" -> "true"'],
        "reference": "",
        "overtaken": False,
        "taken_by": "",
        "settled": False,
    }
    assert asked.headers["Content-Type"] == "application/json"
    assert asked.headers["Idempotency-Key"] == "7f3c:changed:1"
    assert asked.headers["Authorization"] == "Bearer s3cret"
    assert asked.headers["User-Agent"] == "runbook-engine"


def test_address_is_found_when_it_is_a_secret(service):
    """The address of a chat hook is a credential: it may stay out of the file."""
    webhook(WebhookSettings(url=SecretReference(env="HOOK")), HOOK=f"{service.url}/secret").send("chat", MESSAGE)

    assert [asked.path for asked in service.asked] == ["/secret"]


def test_id_stays_one_header_when_it_holds_a_line_break(service):
    """Nothing in a message can add a header."""
    webhook(WebhookSettings(url=service.url)).send("chat", msgspec.structs.replace(MESSAGE, id="a\r\nX-Evil: 1"))

    assert service.asked[0].headers["Idempotency-Key"] == "a%0D%0AX-Evil:%201"
    assert "X-Evil" not in service.asked[0].headers


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_nothing_is_raised_when_the_answer_is(service, status):
    """Any success will do."""
    service.tell(Told(status))

    webhook(WebhookSettings(url=service.url)).send("chat", MESSAGE)

    assert len(service.asked) == 1


@pytest.mark.parametrize(
    ("told", "after", "says"),
    [
        pytest.param(Told(500, b"boom\n\x1b[31m"), None, "receiver chat answered HTTP 500: boom  [31m", id="broken"),
        pytest.param(
            Told(429, b"", (("Retry-After", "30"),)),
            timedelta(seconds=30),
            "receiver chat answered HTTP 429",
            id="too many, with seconds",
        ),
        pytest.param(
            Told(503, b"", (("Retry-After", "Sun, 01 Mar 2026 03:08:00 GMT"),)),
            timedelta(minutes=1),
            "receiver chat answered HTTP 503",
            id="overloaded, with a date",
        ),
        pytest.param(
            Told(503, b"", (("Retry-After", "Sun, 01 Mar 2026 03:00:00 GMT"),)),
            timedelta(0),
            "receiver chat answered HTTP 503",
            id="a date that has passed",
        ),
        pytest.param(
            Told(429, b"", (("Retry-After", "86400"),)),
            timedelta(minutes=15),
            "receiver chat answered HTTP 429",
            id="longer than we wait",
        ),
        pytest.param(
            Told(429, b"", (("Retry-After", "soon"),)), None, "receiver chat answered HTTP 429", id="not a time"
        ),
        pytest.param(Told(408), None, "receiver chat answered HTTP 408", id="request timeout"),
        pytest.param(
            Told(0),
            None,
            "receiver chat was not reached: the connection broke before the answer was complete",
            id="broken connection",
        ),
    ],
)
def test_delivery_may_be_repeated_when(service, told, after, says):
    """The engine waits and repeats; this adapter sends once."""
    service.tell(told)

    with pytest.raises(Retryable) as refusal:
        webhook(WebhookSettings(url=service.url)).send("chat", MESSAGE)

    assert (str(refusal.value), refusal.value.after) == (says, after)
    assert len(service.asked) == 1


@pytest.mark.parametrize(
    ("told", "says"),
    [
        pytest.param(
            Told(400, b"no such channel"),
            "receiver chat answered HTTP 400: no such channel "
            "(correct the url or token of receiver chat in engine.yaml)",
            id="refused",
        ),
        pytest.param(
            Told(401),
            "receiver chat answered HTTP 401 (correct the url or token of receiver chat in engine.yaml)",
            id="no credential",
        ),
        pytest.param(
            Told(307, b"", (("Location", "http://169.254.169.254/latest/meta-data/"),)),
            "receiver chat redirects, which is not followed (set its url to the final address)",
            id="redirect",
        ),
    ],
)
def test_delivery_is_given_up_when(service, told, says):
    """Doing it again would fail again."""
    service.tell(told)

    with pytest.raises(Permanent) as refusal:
        webhook(WebhookSettings(url=service.url)).send("chat", MESSAGE)

    assert str(refusal.value) == says
    assert len(service.asked) == 1


def test_delivery_may_be_repeated_when_nobody_listens():
    """A receiver that is down comes back."""
    with socket.socket() as taken:  # bound, so that nobody else listens there, and not listening
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/T0/secret-path"
        with pytest.raises(Retryable) as refusal:
            webhook(WebhookSettings(url=url)).send("chat", MESSAGE)

    assert str(refusal.value) == "receiver chat was not reached: no connection: Connection refused"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        pytest.param(
            "ftp://host/x",
            "adapter webhook: the address is neither http nor https "
            "(set url to an address such as https://host.example:9090/path)",
            id="another scheme",
        ),
        pytest.param(
            "https://me:pw@host/x",
            "adapter webhook: the address holds a credential (set token: {env: NAME} instead)",
            id="a credential",
        ),
    ],
)
def test_webhook_is_not_built_when_its_address_is_wrong(url, says):
    """What cannot work is said at start."""
    with pytest.raises(NoAdapter) as refusal:
        webhook(WebhookSettings(url=url))

    assert str(refusal.value) == says


def test_settings_are_read_when_written_in_yaml_shape():
    """An address is text, or a reference to a secret; anything else is refused."""
    plain = msgspec.convert({"url": "https://host"}, WebhookSettings)
    secret = msgspec.convert({"url": {"env": "HOOK"}, "token": {"file": "/run/token"}}, WebhookSettings)

    assert plain == WebhookSettings(url="https://host")
    assert secret == WebhookSettings(url=SecretReference(env="HOOK"), token=SecretReference(file="/run/token"))
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"url": "https://host", "follow": True}, WebhookSettings)


LINE = (
    "2026-03-01 03:07:00Z  [chat]  changed  critical  checkout-high-error-rate changed /checkout/degraded_mode  "
    '"false" -> "true"  dashboard: https://grafana.example/d/checkout\n'
)


def test_line_is_appended_when_the_console_is_a_file(tmp_path):
    """One line a message, after what is there."""
    (tmp_path / "told.log").write_text("before\n")

    console.ADAPTER.build("receiver", ConsoleSettings(path="told.log"), context(tmp_path)).writer.send("chat", MESSAGE)

    assert (tmp_path / "told.log").read_text() == "before\n" + LINE


@pytest.mark.parametrize(("stream", "expected"), [("stderr", ("", LINE)), ("stdout", (LINE, ""))])
def test_line_is_written_when_the_console_is_a_stream(capsys, stream, expected):
    """Standard error unless the settings say otherwise."""
    console.ADAPTER.build("receiver", ConsoleSettings(stream=stream), context()).writer.send("chat", MESSAGE)

    assert tuple(capsys.readouterr()) == expected


def test_terminal_is_not_steered_when_an_alert_tries(tmp_path):
    """Control characters are spelled out, and a message stays one line."""
    hostile = msgspec.structs.replace(MESSAGE, title="a\x1b[2Jb", text="one\r\ntwo\n\x07", links={}, severity="")

    console.ADAPTER.build("receiver", ConsoleSettings(path="told.log"), context(tmp_path)).writer.send("chat", hostile)

    assert (tmp_path / "told.log").read_text() == (
        "2026-03-01 03:07:00Z  [chat]  changed  a\\x1b[2Jb  one / two / \\x07\n"
    )


def test_console_says_so_when_its_file_cannot_be_written(tmp_path):
    """A missing folder is named."""
    settings = ConsoleSettings(path="nowhere/told.log")

    with pytest.raises(Permanent) as refusal:
        console.ADAPTER.build("receiver", settings, context(tmp_path)).writer.send("chat", MESSAGE)

    assert str(refusal.value) == (
        f"receiver chat cannot write to {tmp_path / 'nowhere' / 'told.log'}: No such file or directory"
    )


@pytest.mark.parametrize(
    ("spec", "settings", "says"),
    [
        pytest.param(
            console.ADAPTER, ConsoleSettings(), "console does not serve flags (it serves receiver)", id="console"
        ),
        pytest.param(
            receivers.ADAPTER,
            WebhookSettings(url="http://h"),
            "webhook does not serve flags (it serves receiver)",
            id="webhook",
        ),
    ],
)
def test_other_ports_are_refused_when_asked(spec, settings, says):
    """A receiver is a receiver."""
    with pytest.raises(NoAdapter) as refusal:
        spec.build("flags", settings, context())

    assert str(refusal.value) == says
