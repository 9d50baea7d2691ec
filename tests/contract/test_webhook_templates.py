"""Templates of the webhook adapter: what each service is told, and that no alert writes anything but text into it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as trying
from hypothesis import strategies as some

from runbook_adapters.receivers import ADAPTER, WebhookSettings
from runbook_adapters.receivers.fields import NAMES, fields_of
from runbook_adapters.receivers.templates import load_template, shipped_names
from runbook_engine.errors import NoAdapter, Permanent, Retryable
from runbook_engine.model.configuration import SecretReference
from runbook_engine.model.observation import Message
from tests.contract.http_service import HttpService, Told, http_service
from tests.contract.test_receivers import context

NOW = datetime(2026, 3, 1, 3, 7, tzinfo=UTC)
VALUES = {"project": "OPS", "type": "Incident"}
MESSAGE = Message(
    id="e1-2",
    event="approval",
    title="checkout: HighErrors on apps/deployment/checkout",
    text="approval by team-checkout needed",
    at=NOW,
    severity="critical",
    runbook="checkout",
    execution_id="e1",
    incident_id="9cc9",
    links={"dashboard": "https://grafana.example/d/1", "approve": "https://runbooks.example/approvals/e1?sig=a_b*c"},
    asks="0123",
    until=NOW + timedelta(minutes=15),
    status="awaiting_approval",
    owner="team-checkout",
    alert="HighErrors",
    target="apps/deployment/checkout",
    did=("03:07 replicas 4 -> 6",),
)
PLAIN = msgspec.structs.replace(MESSAGE, event="ended", links={}, asks="", until=None, did=(), status="succeeded")
HOSTILE = (
    '"},"x":{"y":"\\u0000\x00\n{{ message.id }} {{ values.project }} '
    "<!channel> @channel [a](https://evil.example) `x` ${y} "
)
MADE_OF = tuple(name.removeprefix("message.") for name in NAMES if name.startswith("message."))


@pytest.fixture
def service() -> Iterator[HttpService]:
    """Who is told."""
    with http_service() as running:
        yield running


def webhook(service: HttpService, *, base: Path = Path(), **settings: Any) -> Any:
    """Return a receiver with these settings."""
    wanted = WebhookSettings(url=f"{service.url}/hook", **settings)
    return ADAPTER.build("receiver", wanted, context(base, {"KEY": "GenieKey 0f"})).writer


def rendered(template: str | dict[str, Any], message: Message = MESSAGE) -> Any:
    """Return what a template makes of a message."""
    return json.loads(load_template(template, Path(), VALUES).render("chat", message))


def strings(node: Any) -> Iterator[str]:
    """Yield every text of a JSON value, and every key."""
    match node:
        case str():
            yield node
        case dict():
            yield from node
            for inner in node.values():
                yield from strings(inner)
        case list():
            for inner in node:
                yield from strings(inner)


def shape(node: Any) -> Any:
    """Return a JSON value with its texts left out."""
    match node:
        case dict():
            return {key: shape(inner) for key, inner in node.items()}
        case list():
            return [shape(inner) for inner in node]
        case str():
            return ""
        case _:
            return node


def test_shipped_templates_are_these() -> None:
    """Each is in the package, and in the documentation."""
    assert (
        "generic", "jira-issue", "mattermost", "opsgenie-alert", "servicenow-incident", "teams-card",
    ) == shipped_names()  # fmt: skip


def test_storm_is_an_alert_of_its_own_in_opsgenie() -> None:
    """Under the alias of an incident that is open already it would wake nobody."""
    assert MESSAGE.id == rendered("opsgenie-alert", msgspec.structs.replace(MESSAGE, event="storm"))["alias"]


@pytest.mark.parametrize("name", shipped_names())
def test_shipped_template_keeps_its_shape_whatever_an_alert_says(name: str) -> None:
    """Text stays text: no key, no element and no field more than with harmless text, and nothing is filled twice."""
    hostile = msgspec.structs.replace(
        MESSAGE, title=HOSTILE, text=HOSTILE, target=HOSTILE, alert=HOSTILE, owner=HOSTILE, did=(HOSTILE,) * 3
    )

    found = rendered(name, hostile)

    assert shape(rendered(name)) == shape(found)
    texts = list(strings(found))
    assert any('"},"x":{"y":"' in text.replace("\\", "") for text in texts)
    assert any("{{ message.id }}" in text.replace("\\_", "_") for text in texts), "what is filled in is not read again"
    assert not any("\x00" in text for text in texts)


@pytest.mark.parametrize("name", ["teams-card", "mattermost"])
def test_markdown_of_an_alert_is_shown_as_it_is_written(name: str) -> None:
    """No link, no code, no mention; our own link stays one."""
    found = rendered(name, msgspec.structs.replace(MESSAGE, title=HOSTILE, text=HOSTILE, did=(HOSTILE,)))

    texts = "\n".join(strings(found))
    assert "@channel" not in texts
    assert "[a](" not in texts
    assert "\\[a\\](https://evil.example)" in texts
    assert "\\`x\\`" in texts
    assert "https://runbooks.example/approvals/e1?sig=a_b*c" in texts


@pytest.mark.parametrize(
    ("name", "path", "expected"),
    [
        ("jira-issue", ("fields", "project", "key"), "OPS"),
        ("jira-issue", ("fields", "summary"), MESSAGE.title),
        ("servicenow-incident", ("urgency",), "1"),
        ("servicenow-incident", ("correlation_id",), "9cc9"),
        ("opsgenie-alert", ("priority",), "P1"),
        ("opsgenie-alert", ("alias",), "9cc9"),
        ("mattermost", ("attachments", 0, "color"), "#d1242f"),
        ("teams-card", ("attachments", 0, "content", "actions", 0, "url"), MESSAGE.links["approve"]),
        ("generic", ("changed",), "03:07 replicas 4 -> 6"),
    ],
)
def test_shipped_template_says(name: str, path: tuple[str | int, ...], expected: str) -> None:
    """What the service's own documentation calls it."""
    found = rendered(name)
    for step in path:
        found = found[step]

    assert expected == found


def test_what_has_no_text_is_left_out() -> None:
    """A button without an address would make the card invalid."""
    content = rendered("teams-card", PLAIN)["attachments"][0]["content"]
    jira = rendered("jira-issue", PLAIN)["fields"]["description"]["content"]

    assert [] == content["actions"]
    assert ["Severity", "Target", "Status"] == [fact["title"] for fact in content["body"][-1]["facts"]]
    assert ["paragraph", "paragraph"] == [node["type"] for node in jira]


@pytest.mark.parametrize(
    ("name", "path", "most"),
    [
        ("jira-issue", ("fields", "summary"), 255),
        ("servicenow-incident", ("short_description",), 160),
        ("opsgenie-alert", ("message",), 130),
        ("opsgenie-alert", ("entity",), 512),
        ("opsgenie-alert", ("description",), 15_000),
    ],
)
def test_shipped_template_stays_within_the_service_s_limits(name: str, path: tuple[str, ...], most: int) -> None:
    """What is longer would be refused, so it ends in dots; and a title is one line."""
    large = "a\nb " * 20_000
    found = rendered(name, msgspec.structs.replace(MESSAGE, title=large, text=large, target=large, did=(large,)))
    for step in path:
        found = found[step]

    assert len(found) <= most
    assert "..." in found


@trying(deadline=None)
@given(some.text(), some.sampled_from(("none", "markdown")))
def test_field_is_text_whatever_it_holds(text: str, escape: str) -> None:
    """Values go into decoded JSON, so they cannot end a string."""
    template = {"escape": escape, "body": {"a": "<{{ message.text }}>", "b": ["{{message.text:5}}"]}}

    found = rendered(template, msgspec.structs.replace(MESSAGE, text=text))

    assert {"a", "b"} == set(found)
    assert found["a"].startswith("<")
    assert found["a"].endswith(">")


def test_every_field_can_be_named() -> None:
    """The list is what the documentation has."""
    assert set(NAMES) == set(fields_of("chat", MESSAGE))
    assert {"reference", "overtaken", "settled"} == set(Message.__struct_fields__) - set(MADE_OF)


def test_template_may_be_a_file_or_stand_in_engine_yaml(service: HttpService, tmp_path: Path) -> None:
    """A file beside engine.yaml, or the document itself where there are no files."""
    document = {"about": "mine", "body": {"say": "{{ receiver }}: {{ message.title : 8 }}", "n": [1, True, None]}}
    (tmp_path / "mine.json").write_text(json.dumps(document))

    webhook(service, base=tmp_path, template="mine.json").send("chat", MESSAGE)
    webhook(service, template=document).send("chat", MESSAGE)

    assert [{"say": "chat: check...", "n": [1, True, None]}] * 2 == [json.loads(asked.body) for asked in service.asked]


def test_request_is_made_as_the_service_wants_it(service: HttpService) -> None:
    """By its method, with its headers, one of them a secret."""
    headers = {"Authorization": SecretReference(env="KEY"), "X-Team": "checkout"}

    reference = webhook(service, template="generic", method="PUT", headers=headers).send("chat", MESSAGE)

    (asked,) = service.asked
    assert ("", "PUT", "GenieKey 0f", "checkout") == (
        reference, asked.method, asked.headers["Authorization"], asked.headers["X-Team"],
    )  # fmt: skip
    assert "e1-2" == asked.headers["Idempotency-Key"]


@pytest.mark.parametrize(
    ("expect", "status", "error", "says"),
    [
        pytest.param((), 299, None, "", id="any success"),
        pytest.param((201,), 201, None, "", id="the expected one"),
        pytest.param((409,), 409, None, "", id="an answer that means that it is there already"),
        pytest.param(
            (201,),
            200,
            Permanent,
            "receiver chat answered HTTP 200 (correct the url, headers or template of receiver chat in engine.yaml)",
            id="another success",
        ),
        pytest.param((201,), 503, Retryable, "receiver chat answered HTTP 503", id="overloaded"),
    ],
)
def test_answer_is_judged_by_what_was_expected(
    service: HttpService, expect: tuple[int, ...], status: int, error: type[Exception] | None, says: str
) -> None:
    """A sign-in page is a success too, as far as HTTP goes."""
    service.tell(Told(status))
    receiver = webhook(service, template="generic", expect=expect)

    if error is None:
        assert "" == receiver.send("chat", MESSAGE)
        return
    with pytest.raises(error) as refusal:
        receiver.send("chat", MESSAGE)
    assert says == str(refusal.value)


@pytest.mark.parametrize(
    ("document", "says"),
    [
        pytest.param(
            {"body": {"a": ["{{ message.titel }}"]}},
            "template in engine.yaml: unknown field 'message.titel' at body.a[0] (did you mean 'message.title'?)",
            id="a field that is none",
        ),
        pytest.param(
            {"body": {"a": "{{ values.project }}"}},
            "template in engine.yaml: unknown field 'values.project' at body.a "
            "(add project under values of the receiver)",
            id="a value that is not set",
        ),
        pytest.param(
            {"body": {"a": "{{ message.title.__class__ }}"}},
            "template in engine.yaml: unknown field 'message.title.__class__' at body.a "
            "(did you mean 'message.title'?)",
            id="an attribute",
        ),
        pytest.param(
            {"body": "{{ message.title | upper }}"},
            "template in engine.yaml: a field is not closed or not named at body "
            "(write {{ message.title }} or {{ message.title : 130 }})",
            id="a filter",
        ),
        pytest.param(
            {"body": {"$choose": "message.severity", "cases": {}}},
            "template in engine.yaml: a $choose has the keys $choose, cases, else at body "
            "(write them all, and no other)",
            id="a choice without an else",
        ),
        pytest.param(
            {"body": {"$when": "message.titel", "then": 1}},
            "template in engine.yaml: unknown field 'message.titel' at body (did you mean 'message.title'?)",
            id="a condition on nothing",
        ),
        pytest.param(
            {"body": {"$if": "x"}},
            "template in engine.yaml: unknown word '$if' at body (it knows $choose and $when)",
            id="a word that is none",
        ),
        pytest.param(
            {"body": {"$when": "message.asks", "then": 1}},
            "template in engine.yaml says nothing at all at body (a $when stands within a list or an object)",
            id="nothing at all",
        ),
        pytest.param(
            {"escape": "html", "body": 1},
            "template in engine.yaml: escape is one of none, markdown (correct it)",
            id="an escape that is none",
        ),
        pytest.param(
            {"text": "x"},
            "template in engine.yaml is none (a template is an object with body, and if it likes about and escape)",
            id="no body",
        ),
    ],
)
def test_template_is_refused_at_the_start(service: HttpService, document: dict[str, Any], says: str) -> None:
    """With the place of what is wrong, before anybody must be told anything."""
    with pytest.raises(NoAdapter) as refusal:
        webhook(service, template=document)

    assert says == str(refusal.value)


@pytest.mark.parametrize(
    ("template", "says"),
    [
        pytest.param(
            "jira",
            "there is no template 'jira' (it knows generic, jira-issue, mattermost, opsgenie-alert, "
            "servicenow-incident, teams-card; write one of them, or a .json file)",
            id="a name that is none",
        ),
        pytest.param(
            "away.json", "template away.json cannot be read: No such file or directory (correct its path)", id="no file"
        ),
        pytest.param(
            "bad.json",
            "template bad.json cannot be used: JSON is malformed: object keys must be strings (byte 1) (correct it)",
            id="no JSON",
        ),
    ],
)
def test_template_that_is_not_there(service: HttpService, tmp_path: Path, template: str, says: str) -> None:
    """Shipped ones go by their name, others by their file."""
    (tmp_path / "bad.json").write_text("{body")

    with pytest.raises(NoAdapter) as refusal:
        webhook(service, base=tmp_path, template=template)

    assert says == str(refusal.value)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        pytest.param(
            {"headers": {"Authorization": "GenieKey 0f"}},
            "adapter webhook: the header Authorization holds a credential "
            "(write Authorization: {env: NAME} instead, the variable holds the whole value)",
            id="a literal credential",
        ),
        pytest.param(
            {"headers": {"X-Api-Key": "0f"}},
            "adapter webhook: the header X-Api-Key holds a credential "
            "(write X-Api-Key: {env: NAME} instead, the variable holds the whole value)",
            id="another literal credential",
        ),
        pytest.param(
            {"headers": {"Host": "internal"}},
            "adapter webhook: the header 'Host' cannot be set (remove it)",
            id="whose it is",
        ),
        pytest.param(
            {"headers": {"X Y": "z"}}, "adapter webhook: the header 'X Y' cannot be set (remove it)", id="no header"
        ),
        pytest.param(
            {"headers": {"Authorization": SecretReference(env="KEY")}, "token": SecretReference(env="KEY")},
            "adapter webhook: token and the header Authorization say two things (keep one of them)",
            id="two credentials",
        ),
    ],
)
def test_header_is_refused_at_the_start(service: HttpService, settings: dict[str, Any], says: str) -> None:
    """A credential never stands in a file, and a request is one request."""
    with pytest.raises(NoAdapter) as refusal:
        webhook(service, **settings)

    assert says == str(refusal.value)


def test_header_that_no_request_can_hold_is_said_without_its_value(service: HttpService) -> None:
    """A secret with a line break would add a header."""
    wanted = WebhookSettings(url=service.url, headers={"X-Api-Key": SecretReference(env="KEY")})
    receiver = ADAPTER.build("receiver", wanted, context(secrets={"KEY": "a\r\nX-Evil: 1"})).writer

    with pytest.raises(Retryable) as refusal:
        receiver.send("chat", MESSAGE)

    assert str(refusal.value) == (
        "receiver chat was not reached: the header X-Api-Key holds a line break or another character "
        "that no header can hold"
    )


def test_settings_are_read_when_written_in_yaml_shape() -> None:
    """Texts, secrets and a document of one's own."""
    read = msgspec.convert(
        {
            "url": {"env": "U"},
            "template": {"body": 1},
            "headers": {"A": {"file": "a"}, "B": "b"},
            "expect": [201],
            "method": "PATCH",
        },
        WebhookSettings,
    )

    assert {"A": SecretReference(file="a"), "B": "b"} == read.headers
    assert ({"body": 1}, (201,), "PATCH") == (read.template, read.expect, read.method)
