"""The SNS receiver: read by people, parsed by programs, filtered by attributes, and never steered by an alert."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_adapters.sns import ADAPTER, SnsSettings
from runbook_adapters.sns.wording import MOST_BYTES, attributes_of, body_of, subject_of
from runbook_engine.errors import NoAdapter, Permanent, Retryable
from runbook_engine.model.configuration import SecretReference
from runbook_engine.model.observation import Message
from tests.contract.aws.account import ACCOUNT, NOW, REGION, account, client, context, of_aws, serve, service
from tests.contract.http_service import HttpService, Told

ARN = f"arn:aws:sns:{REGION}:{ACCOUNT}:oncall"
MESSAGE = Message(
    id="7f3c:changed:1",
    event="changed",
    title="checkout-high-error-rate changed /checkout/degraded_mode",
    text='"false" -> "true"\nnow errors fall',
    at=NOW,
    severity="critical",
    runbook="checkout-high-error-rate",
    execution_id="e1",
    incident_id="7f3c",
    links={"dashboard": "https://grafana.example/d/checkout"},
)
LETTER = """\
checkout-high-error-rate changed /checkout/degraded_mode

"false" -> "true"
now errors fall

dashboard: https://grafana.example/d/checkout

severity: critical
runbook: checkout-high-error-rate
incident: 7f3c
execution: e1

changed at 2026-03-01 03:07:00 UTC"""


class Oncall:
    """A topic, and a queue that hears everything said to it."""

    def __init__(self, name: str = "oncall", **policy: Any) -> None:
        fifo = {"FifoTopic": "true"} if name.endswith(".fifo") else {}
        queue = {"FifoQueue": "true"} if fifo else {}
        self.sqs, sns = client("sqs"), client("sns")
        self.topic: str = sns.create_topic(Name=name, Attributes=fifo)["TopicArn"]
        self.queue: str = self.sqs.create_queue(QueueName=name, Attributes=queue)["QueueUrl"]
        end = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
        sns.subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=end, Attributes=policy)

    def heard(self) -> list[dict[str, Any]]:
        """Return what the queue holds, as SNS wraps it."""
        found = self.sqs.receive_message(
            QueueUrl=self.queue, MaxNumberOfMessages=10, AttributeNames=["All"], VisibilityTimeout=0
        )
        return [{**each.get("Attributes", {}), **json.loads(each["Body"])} for each in found.get("Messages", [])]


@pytest.fixture
def oncall() -> Iterator[Oncall]:
    """A topic with one listener."""
    with account():
        yield Oncall()


@pytest.fixture(scope="module")
def server() -> Iterator[HttpService]:
    """A service for every test here that wants one."""
    with service() as running:
        yield running


@pytest.fixture
def told(server: HttpService) -> HttpService:
    """A service that says what the test wants."""
    server.asked.clear()
    return server


def said(body: str, status: int = 200) -> Told:
    """Return an answer in XML."""
    return of_aws(body.encode(), ("Content-Type", "text/xml"))._replace(status=status)


def refused(code: str, status: int, message: str = "so it is") -> Told:
    """Return how a service that speaks XML says no."""
    return said(
        f"<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>", status
    )


def test_message_arrives_for_people_and_for_programs_when_it_is_sent(oncall: Oncall) -> None:
    """A program gets every field, a filter its attributes, an e-mail its subject."""
    serve(ADAPTER, "receiver", topic=oncall.topic).writer.send("chat", MESSAGE)

    (heard,) = oncall.heard()
    assert {"receiver": "chat", **json.loads(msgspec.json.encode(MESSAGE))} == json.loads(heard["Message"])
    assert "[critical] checkout-high-error-rate changed /checkout/degraded_mode" == heard["Subject"]
    assert {
        "kind": "execution",
        "event": "changed",
        "severity": "critical",
        "runbook": "checkout-high-error-rate",
        "incident_id": "7f3c",
    } == {name: each["Value"] for name, each in heard["MessageAttributes"].items()}


def test_letter_is_readable_when_it_is_for_people() -> None:
    """What happened, where to look, and what it is about; a text message has the title alone."""
    told = json.loads(body_of("chat", MESSAGE))

    assert LETTER == told["default"]
    assert MESSAGE.title == told["sms"]
    assert {"default", "sms", "http", "https", "sqs", "lambda", "firehose"} == set(told)


def test_letter_says_until_when_an_answer_is_wanted() -> None:
    """A question that lapses says when."""
    asking = msgspec.structs.replace(MESSAGE, event="approval", until=NOW + timedelta(minutes=10))

    told = json.loads(body_of("chat", asking))["default"]

    assert told.endswith("approval at 2026-03-01 03:07:00 UTC, to be answered until 2026-03-01 03:17:00 UTC")


@pytest.mark.parametrize(
    ("policy", "heard"), [('{"severity": ["critical"]}', 1), ('{"event": ["ended"]}', 0)], ids=["for it", "not for it"]
)
def test_subscription_hears_only_what_it_filters_for(policy: str, heard: int) -> None:
    """Attributes are there to be filtered by."""
    with account():
        oncall = Oncall(FilterPolicy=policy)
        serve(ADAPTER, "receiver", topic=oncall.topic).writer.send("chat", MESSAGE)

        assert heard == len(oncall.heard())


def test_second_delivery_is_dropped_when_the_topic_is_fifo() -> None:
    """One message a message id, in the order of its incident; what SNS takes as neither is hashed."""
    with account():
        oncall = Oncall("oncall.fifo")
        writer = serve(ADAPTER, "receiver", topic=oncall.topic).writer
        odd = msgspec.structs.replace(MESSAGE, id="spaces and ünïcode " * 20, incident_id="")
        for message in (MESSAGE, MESSAGE, odd, odd):
            writer.send("chat", message)

        heard = oncall.heard()

    assert [MESSAGE.id, odd.id] == [json.loads(each["Message"])["id"] for each in heard]
    assert ["7f3c", "runbook-engine"] == [each["MessageGroupId"] for each in heard]


def test_topic_is_found_when_it_is_named_by_the_environment(oncall: Oncall) -> None:
    """Terraform knows the ARN, engine.yaml the name of the variable."""
    within = context(secrets={"RUNBOOK_TOPIC_ONCALL": oncall.topic})

    serve(ADAPTER, "receiver", within, topic={"env": "RUNBOOK_TOPIC_ONCALL"}).writer.send("chat", MESSAGE)

    assert 1 == len(oncall.heard())


def test_topic_is_told_where_it_is_when_no_region_is_given(oncall: Oncall) -> None:
    """Its ARN says where."""
    built = ADAPTER.build("receiver", SnsSettings(topic=oncall.topic), context())

    built.writer.send("chat", MESSAGE)

    assert 1 == len(oncall.heard())


@pytest.mark.parametrize(
    ("message", "subject"),
    [
        pytest.param({"title": "a\r\nBcc: x@evil.example\x1b[2J"}, "[critical] a Bcc: x@evil.example[2J", id="hostile"),
        pytest.param({"title": "Größe → 0 ✓"}, "[critical] Gr??e ? 0 ?", id="beyond ASCII"),
        pytest.param({"title": "x" * 200}, f"[critical] {'x' * 85}...", id="too long"),
        pytest.param({"title": "", "severity": ""}, "changed", id="without a title"),
        pytest.param({"title": "\x00", "event": "", "severity": ""}, "runbook-engine", id="without anything"),
    ],
)
def test_subject_is_one_line_of_ascii_when(message: dict[str, str], subject: str) -> None:
    """SNS refuses any other, and mail programs obey line breaks."""
    shown = subject_of(msgspec.structs.replace(MESSAGE, **message))

    assert subject == shown
    assert len(shown) < 100


@given(st.text(max_size=300), st.text(max_size=300), st.text(max_size=40))
def test_nothing_steers_anything_when_alerts_have_their_say(title: str, text: str, severity: str) -> None:
    """Whatever labels hold: a subject of printable ASCII, attributes that SNS takes, valid JSON twice over."""
    message = msgspec.structs.replace(MESSAGE, title=title, text=text, severity=severity)

    subject, told = subject_of(message), json.loads(body_of("chat", message))

    assert subject.isascii()
    assert subject.isprintable()
    assert 0 < len(subject) < 100
    assert all(0 < len(each["StringValue"]) <= 256 for each in attributes_of(message).values())
    assert MESSAGE.id == json.loads(told["sqs"])["id"]
    assert "\x1b" not in told["default"]


@pytest.mark.parametrize(
    "text", ["x" * 1_000_000, "✓" * 500_000, '"\\' * 300_000, "\n" * 900_000], ids=["long", "wide", "escaped", "lines"]
)
def test_text_is_cut_when_it_is_too_large(text: str) -> None:
    """It fits with room to spare, and says that something is missing."""
    body = body_of("chat", msgspec.structs.replace(MESSAGE, text=text))

    told = json.loads(body)
    cut = "[cut here: the rest is in the engine's own record]"
    assert MOST_BYTES // 2 < len(body.encode()) <= MOST_BYTES
    assert cut in told["default"]
    assert json.loads(told["lambda"])["text"].endswith(cut)
    assert json.loads(told["lambda"])["incident_id"] == "7f3c"


def test_links_are_left_out_when_even_they_are_too_large() -> None:
    """What it is about arrives."""
    body = body_of("chat", msgspec.structs.replace(MESSAGE, links={"dashboard": "https://x/" + "y" * 500_000}))

    assert len(body.encode()) <= MOST_BYTES
    assert "execution: e1" in json.loads(body)["default"]


@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        pytest.param(
            refused("NotFound", 404),
            Permanent,
            f"telling receiver chat: there is no topic {ARN} (correct topic: of receiver chat)",
            id="no such topic",
        ),
        pytest.param(
            refused("AuthorizationError", 403, "not authorized"),
            Permanent,
            "telling receiver chat: AuthorizationError: not authorized "
            "(see `runbook permissions --format iam` for what the engine needs)",
            id="denied",
        ),
        pytest.param(
            refused("InvalidParameter", 400, "too long"),
            Permanent,
            "telling receiver chat: InvalidParameter: too long",
            id="refused",
        ),
        pytest.param(
            refused("KMSThrottling", 400),
            Retryable,
            "telling receiver chat: KMSThrottling: so it is",
            id="throttled",
        ),
        pytest.param(
            refused("InternalError", 500),
            Retryable,
            "telling receiver chat: InternalError: so it is: it may be done or not",
            id="in doubt",
        ),
    ],
)
def test_delivery_is_repeated_or_given_up_when(
    told: HttpService, answer: Told, kind: type[Exception], says: str
) -> None:
    """One that is in doubt is sent again: a second one is harmless."""
    told.tell(answer)

    with pytest.raises(kind) as caught:
        serve(ADAPTER, "receiver", topic=ARN).writer.send("chat", MESSAGE)

    assert says == str(caught.value)
    assert 1 == len(told.asked)
    if isinstance(caught.value, Retryable):
        assert timedelta(seconds=10) == caught.value.after


@pytest.mark.parametrize(
    ("port", "topic", "says"),
    [
        pytest.param("flags", ARN, "sns does not serve flags (it serves receiver)", id="another port"),
        pytest.param(
            "receiver",
            "oncall",
            "sns cannot tell 'oncall': it is not the ARN of a topic "
            "(set topic to its ARN, as in arn:aws:sns:eu-central-1:123456789012:oncall)",
            id="no ARN",
        ),
    ],
)
def test_receiver_is_not_built_when_it_cannot_work(port: Any, topic: str, says: str) -> None:
    """What cannot work is said at start."""
    with pytest.raises(NoAdapter) as caught:
        serve(ADAPTER, port, topic=topic)

    assert says == str(caught.value)


def test_settings_are_read_when_written_in_yaml_shape() -> None:
    """A topic is text, or a reference; a typing error is refused."""
    assert SnsSettings(topic=ARN, region=REGION) == msgspec.convert({"topic": ARN, "region": REGION}, SnsSettings)
    assert SnsSettings(topic=SecretReference(env="TOPIC")) == msgspec.convert({"topic": {"env": "TOPIC"}}, SnsSettings)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"topic": ARN, "topik": ARN}, SnsSettings)


def test_doctor_says_how_many_listen(told: HttpService) -> None:
    """A topic that nobody has confirmed tells nobody."""
    counts = {"SubscriptionsConfirmed": 0, "SubscriptionsPending": 2}
    listed = "".join(f"<entry><key>{key}</key><value>{value}</value></entry>" for key, value in counts.items())
    topic = f"<GetTopicAttributesResult><Attributes>{listed}</Attributes></GetTopicAttributesResult>"
    who = f"<Account>{ACCOUNT}</Account><Arn>arn:aws:sts::{ACCOUNT}:assumed-role/r/s</Arn>"
    told.answer = lambda asked: (
        said(f"<X><GetCallerIdentityResult>{who}</GetCallerIdentityResult></X>")
        if b"GetCallerIdentity" in asked.body
        else said(f"<X>{topic}</X>")
    )
    probe = serve(ADAPTER, "receiver", topic=ARN).probe
    assert probe is not None

    assert (
        f"answers for account {ACCOUNT}, region {REGION}, as assumed-role/r/s; "
        f"{ARN} has 0 confirmed subscriptions, 2 pending"
    ) == probe()


def test_deeds_are_cleaned_and_left_out_when_even_they_are_too_large() -> None:
    """What was changed has words of others in it, too."""
    small = json.loads(body_of("chat", msgspec.structs.replace(MESSAGE, did=("a\x1b[2J\nb",))))
    large = body_of("chat", msgspec.structs.replace(MESSAGE, did=("x" * 500_000,)))

    assert ["a[2J b"] == json.loads(small["lambda"])["did"]
    assert len(large.encode()) <= MOST_BYTES
    assert [] == json.loads(json.loads(large)["lambda"])["did"]
