"""The front door: who is let in, what is answered, and every road of the platform."""

import json
from collections.abc import Callable

import pytest

from tests.emulators.aws import ACCOUNT, REGION, Aws, events
from tests.pipeline.installation import CONFIG, SHED, TOKEN, Installation

Install = Callable[..., Installation]
ALARM = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:CheckoutHighErrorRate"


@pytest.mark.parametrize(
    ("scope", "token"),
    [("alertmanager", "wrong" * 8), ("nobody", TOKEN), ("alarms", TOKEN), ("alertmanager", "a" * 40)],
    ids=["a wrong token", "an unknown scope", "a scope of the platform", "a token without the role"],
)
def test_nobody_is_let_in_who_must_not_be_and_all_hear_the_same(install: Install, scope: str, token: str) -> None:
    """What is wrong is not told."""
    installed = install()

    reply = installed.post(installed.fires(), token=token, scope=scope)

    assert reply.status == 401
    assert reply.json() == {"error": {"code": "unauthorized", "message": "no valid credential"}}
    assert installed.executions() == ()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ("", 400, "schema"),
        ("{", 400, "invalid_json"),
        ("[]", 400, "schema"),
        ('{"alerts": [], "alerts": []}', 400, "duplicate_key"),
        ("[" * 100_000, 400, "too_deep"),
    ],
)
def test_bad_bodies_are_answered_with_what_is_wrong_with_them(
    aws: Aws, install: Install, body: str, status: int, code: str
) -> None:
    """A sender's mistake is its own: 400, never a retry, never a trace."""
    install()
    headers = {"content-type": "application/json", "authorization": f"Bearer {TOKEN}"}

    reply = aws.http("POST", "/hooks/alertmanager", headers=headers, body=body)

    assert (reply.status, reply.json()["error"]["code"]) == (status, code)


def test_a_security_header_that_is_there_twice_is_refused(aws: Aws, install: Install) -> None:
    """A proxy and the engine could each believe another one."""
    install()
    headers = [
        ("Authorization", f"Bearer {TOKEN}"),
        ("Authorization", "Bearer x"),
        ("Content-Type", "application/json"),
    ]

    assert aws.http("POST", "/hooks/alertmanager", headers=headers, body="{}").status == 401


def test_an_alarm_over_the_default_bus_starts_a_runbook(aws: Aws, install: Install) -> None:
    """CloudWatch needs no token: the platform itself says who delivers."""
    installed = install()

    aws.invoke("runbook-engine-alert-ingest", events.alarm_change(ALARM, "ALARM", time=aws.clock.now()))
    aws.settle()

    assert [run.runbook for run in installed.executions()] == ["shed"]
    assert installed.flag() == "true"


def test_an_event_of_a_source_that_no_scope_admits_is_refused_without_a_retry(aws: Aws, install: Install) -> None:
    """It would be refused again; it is logged and counted."""
    installed = install()

    invocation = aws.invoke("runbook-engine-alert-ingest", events.event("aws.ec2", "Whatever", {}))

    assert invocation.error is None
    assert installed.executions() == ()


def test_a_journal_that_does_not_answer_is_503_for_a_sender_and_an_error_for_the_platform(
    aws: Aws, install: Install
) -> None:
    """Each is told in the way that makes it deliver again; afterwards everything is there once."""
    installed = install()
    alert = installed.fires()
    assert installed.post(installed.fires("Warm")).status == 202
    aws.faults.fail("dynamodb", "*", "InternalServerError", times=40)

    assert installed.post(alert).status == 503
    assert aws.invoke("runbook-engine-alert-ingest", events.alarm_change(ALARM, "ALARM")).error is not None

    aws.faults.clear()
    assert installed.post(alert).status == 202
    aws.settle()
    assert installed.flag() == "true"


def test_a_queue_is_told_which_messages_failed(aws: Aws, install: Install) -> None:
    """Of a batch only what was not kept comes again."""
    queue = aws.queue("alarms", dead_letter=aws.queue("alarms-dlq"), receives=3)
    config = CONFIG.replace('from: ["events:aws.cloudwatch"]', f'from: ["{queue.arn}"]')
    installed = install(config=config, runbooks=(SHED,))
    good = events.alarm_change(ALARM, "ALARM", time=aws.clock.now())
    sqs = aws.client("sqs")
    sqs.send_message(QueueUrl=queue.url, MessageBody=json.dumps(good))
    sqs.send_message(QueueUrl=queue.url, MessageBody="not json")

    aws.drain_queue(queue.url, "runbook-engine-alert-ingest")
    aws.settle()

    assert installed.flag() == "true"
    assert aws.messages(queue) == []
