"""Who of AWS may deliver where: only what engine.yaml admits, and by nothing but its origin."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_engine.errors import Unauthenticated
from runbook_engine.model.configuration import Configuration, Scope
from runbook_engine.model.sender import InvalidSender, Sender, parse_sender
from runbook_engine.sources.envelope import Origin, scope_of
from runbook_engine.sources.envelope.delivered import OriginKind

OWN, OTHER = "210987654321", "999999999999"
TOPIC = f"arn:aws:sns:eu-west-1:{OWN}:ops-alarms"
QUEUE = f"arn:aws:sqs:eu-west-1:{OWN}:alarms.fifo"
ALARMS = f"arn:aws:cloudwatch:eu-west-1:{OWN}:alarm:ledger-*"


def configuration(**senders: str) -> Configuration:
    """Return an installation with a scope for each, and one that is posted to."""
    scopes = [Scope(name=name, senders=(parse_sender(text),)) for name, text in senders.items()]
    return Configuration(scopes=(Scope(name="posted"), *scopes))


EVERYBODY = configuration(
    topic=TOPIC,
    queue=QUEUE,
    alarms=ALARMS,
    events="events:aws.cloudwatch",
    partner=f"events:runbook-engine.deploys@{OTHER}",
    logs="logs:/aws/lambda/orders",
)


@pytest.mark.parametrize(
    ("origin", "scope"),
    [
        pytest.param(Origin("topic", TOPIC, OWN), "topic", id="a topic"),
        pytest.param(Origin("queue", QUEUE, OWN), "queue", id="a queue"),
        pytest.param(Origin("alarm", ALARMS.replace("*", "dlq-depth"), OWN), "alarms", id="an alarm of a pattern"),
        pytest.param(Origin("events", "aws.cloudwatch", OWN), "events", id="an event of our own account"),
        pytest.param(Origin("events", "runbook-engine.deploys", OTHER), "partner", id="an event of a named account"),
        pytest.param(Origin("logs", "/aws/lambda/orders", OWN), "logs", id="a log group"),
    ],
)
def test_the_scope_is_that_which_names_the_origin(origin: Origin, scope: str) -> None:
    """Where a message comes from is all that decides."""
    assert scope == scope_of(origin, EVERYBODY, OWN).name


@pytest.mark.parametrize(
    ("origin", "sentence"),
    [
        pytest.param(
            Origin("topic", TOPIC + "-2", OWN),
            f"no scope of engine.yaml admits topic {TOPIC}-2 "
            f"(add it to the scope that it belongs to: from: ['{TOPIC}-2'])",
            id="another topic",
        ),
        pytest.param(
            Origin("queue", TOPIC, OWN),
            f"no scope of engine.yaml admits queue {TOPIC} (add it to the scope that it belongs to: from: ['{TOPIC}'])",
            id="the topic's name on a queue",
        ),
        pytest.param(
            Origin("events", "aws.cloudwatch", OTHER),
            f"no scope of engine.yaml admits events aws.cloudwatch@{OTHER} "
            f"(add it to the scope that it belongs to: from: ['events:aws.cloudwatch@{OTHER}'])",
            id="the right source in another account",
        ),
        pytest.param(
            Origin("events", "runbook-engine.deploys", OWN),
            f"no scope of engine.yaml admits events runbook-engine.deploys@{OWN} "
            f"(add it to the scope that it belongs to: from: ['events:runbook-engine.deploys@{OWN}'])",
            id="our own account, where another is named",
        ),
        pytest.param(
            Origin("task", "arn:aws:states:eu-west-1:210987654321:execution:rb:1", OWN),
            "no scope of engine.yaml admits task arn:aws:states:eu-west-1:210987654321:execution:rb:1 "
            "(a state machine drives executions, it sends no alerts)",
            id="a state machine",
        ),
    ],
)
def test_what_no_scope_admits_is_refused_with_the_remedy(origin: Origin, sentence: str) -> None:
    """Fail closed, and say what to write; the sentence is for our own log."""
    with pytest.raises(Unauthenticated) as caught:
        scope_of(origin, EVERYBODY, OWN)

    assert sentence == str(caught.value)


@pytest.mark.parametrize("account", ["", OTHER], ids=["an unknown account", "another account"])
def test_an_event_is_not_admitted_when_our_own_account_is_not_its(account: str) -> None:
    """A name without an account means ours, so it means nothing when ours is not known."""
    with pytest.raises(Unauthenticated):
        scope_of(Origin("events", "aws.cloudwatch", OWN), EVERYBODY, account)
    with pytest.raises(Unauthenticated):
        scope_of(Origin("events", "aws.cloudwatch", ""), EVERYBODY, "")


def test_the_first_scope_that_admits_is_meant() -> None:
    """As everywhere in engine.yaml, order decides."""
    both = configuration(narrow=ALARMS.replace("*", "dlq-*"), wide=ALARMS)

    assert ["narrow", "wide"] == [
        scope_of(Origin("alarm", ALARMS.replace("*", name), OWN), both, OWN).name for name in ("dlq-depth", "burn")
    ]


@pytest.mark.parametrize(
    ("text", "sender"),
    [
        pytest.param(TOPIC, Sender("topic", TOPIC), id="a topic"),
        pytest.param(ALARMS, Sender("alarm", ALARMS), id="alarms"),
        pytest.param("events:aws.cloudwatch", Sender("events", "aws.cloudwatch"), id="a source of events"),
        pytest.param(f"logs:/a/b@{OTHER}", Sender("logs", "/a/b", OTHER), id="a log group of an account"),
    ],
)
def test_a_sender_is_read_from_its_text(text: str, sender: Sender) -> None:
    """As engine.yaml names it."""
    assert sender == parse_sender(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "arn:aws:sns:*:*:*",
        f"arn:aws:sns:eu-west-1:{OWN}:*",
        f"arn:aws:cloudwatch:*:{OWN}:alarm:a",
        "arn:aws:cloudwatch:eu-west-1:*:alarm:a",
        f"arn:aws:lambda:eu-west-1:{OWN}:function:a",
        "events:*",
        "events:aws.cloudwatch@123",
        "topic:a",
        f"{TOPIC}\n",
    ],
)
def test_a_sender_that_could_be_anybody_is_refused(text: str) -> None:
    """Accounts, regions, topics and queues are named whole; only an alarm's own name may be a pattern."""
    with pytest.raises(InvalidSender):
        parse_sender(text)


@given(kind=st.sampled_from(["topic", "queue", "alarm", "events", "logs", "task"]), name=st.text(), account=st.text())
def test_no_origin_is_admitted_by_chance(kind: OriginKind, name: str, account: str) -> None:
    """Any other text is nobody."""
    with pytest.raises(Unauthenticated):
        scope_of(Origin(kind, name, account), EVERYBODY, OWN)
