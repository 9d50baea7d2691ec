"""The front door: who is let in, what is answered, and every road of the platform."""

import hmac
import json
from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.emulators.aws import ACCOUNT, REGION, Aws, events
from tests.pipeline.installation import CONFIG, SHED, TOKEN, Installation

Install = Callable[..., Installation]
INGEST = "runbook-engine-alert-ingest"
SIGNED = CONFIG.replace(
    "scopes: [alertmanager]}",
    'scopes: [alertmanager], presentedAs: {signature: {header: X-Signature, prefix: "sha256="}}}',
)
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


def test_an_event_of_a_source_that_no_scope_admits_ends_in_a_dead_letter_queue(aws: Aws, install: Install) -> None:
    """A slip of the pen in engine.yaml destroys nothing: people find what came."""
    installed = install()

    invocation = aws.invoke("runbook-engine-alert-ingest", events.event("aws.ec2", "Whatever", {}))

    assert invocation.error is not None
    assert "no scope of engine.yaml admits events aws.ec2@123456789012" in invocation.error["errorMessage"]
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


def test_a_sender_is_told_to_come_again_while_the_table_is_throttled(aws: Aws, install: Install) -> None:
    """The table waited already, longer after every try; a sender holds its alert, so the door does not wait as well."""
    installed = install()
    alert = installed.fires()
    assert installed.post(installed.fires("Warm")).status == 202
    aws.faults.throttle("dynamodb", "TransactWriteItems", times=1000)

    refused = installed.post(alert)
    aws.faults.clear()
    taken = installed.post(alert)
    aws.settle()

    assert (503, "5") == (refused.status, refused.headers["retry-after"])
    said = {"code": "overloaded", "message": "not taken, send it again later"}
    assert {"error": said} == json.loads(refused.body)
    assert (202, "true") == (taken.status, installed.flag())


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
    assert [message.body for message in aws.messages(queue)] == ["not json"]  # until it is in the dead-letter queue


def signed(aws: Aws, installed: Installation) -> Callable[[], int]:
    """Return what posts one and the same signed delivery, and says how it is answered."""
    body = json.dumps({"version": "4", "receiver": "r", "status": "firing", "alerts": [installed.fires()]})
    signature = "sha256=" + hmac.new(TOKEN.encode(), body.encode(), "sha256").hexdigest()
    headers = {"Content-Type": "application/json", "X-Signature": signature}
    return lambda: aws.http("POST", "/hooks/alertmanager", headers=headers, body=body).status


def test_a_sender_that_puts_reaches_the_function(aws: Aws, install: Install) -> None:
    """Grafana may be set to it; one that never puts is told so, once it has proven who it is."""
    install()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"}

    answer = aws.http("PUT", "/hooks/alertmanager", headers=headers, body='{"alerts": []}')

    assert 400 == answer.status
    assert "what alertmanager sends comes by POST, not by PUT" in answer.text


def test_a_signed_delivery_is_taken_once(aws: Aws, install: Install) -> None:
    """Who has recorded it cannot send it again, for a day."""
    send = signed(aws, install(config=SIGNED))

    assert send() == 202
    assert send() == 401
    aws.advance(timedelta(hours=23))
    assert send() == 401


def test_a_signed_delivery_that_was_not_kept_may_come_again(aws: Aws, install: Install) -> None:
    """The sender is told 503 and sends the same bytes: its signature has not been used up."""
    installed = install(config=SIGNED)
    send = signed(aws, installed)
    installed.host(acts=False).engine.journal.counts()
    aws.faults.fail("dynamodb", "Query", "AccessDeniedException", status=400, times=1)

    assert send() == 503
    assert send() == 202
    assert len(installed.executions()) == 1


def test_a_signed_delivery_whose_function_died_may_come_again(aws: Aws, install: Install) -> None:
    """Nobody is left who could take its signature back, so it lapses with the time that a function has."""
    installed = install(config=SIGNED)
    send = signed(aws, installed)
    aws.faults.kill_at("dynamodb", "TransactWriteItems", nth=2)  # after the signature, before the alert

    assert send() == 500
    assert installed.executions() == ()
    aws.advance(timedelta(seconds=26))
    assert send() == 202
    assert len(installed.executions()) == 1


def test_a_token_that_was_changed_is_known_after_five_minutes(aws: Aws, install: Install) -> None:
    """However long the process lives, and however its own clock stood still meanwhile."""
    installed = install()
    assert installed.post(installed.fires()).status == 202
    name = "/runbook-engine/tokens/alertmanager"
    aws.client("ssm").put_parameter(Name=name, Value="n" * 40, Type="SecureString", Overwrite=True)

    aws.advance(timedelta(seconds=301))

    assert installed.post(installed.fires()).status == 401
    assert installed.post(installed.fires(), token="n" * 40).status == 202


@pytest.mark.parametrize(
    ("method", "path", "status"), [("POST", "/hooks/alertmanager", 401), ("GET", "/approvals/x", 401)]
)
def test_a_query_of_any_length_is_answered(aws: Aws, install: Install, method: str, path: str, status: int) -> None:
    """Strangers must not be able to make a function fail, since its failures call people."""
    install()

    reply = aws.http(method, path, query=[(f"q{number}", "1") for number in range(65)])

    assert reply.status == status


def test_an_alert_that_nobody_handles_is_told_when_its_sender_comes_again(aws: Aws, install: Install) -> None:
    """The bus was down: nothing was stored, so that it is news once more, and people hear its name."""
    installed = install()
    alert = installed.fires("NobodyKnowsMe")
    aws.bus.fail_entries("AccessDeniedException", which=lambda index, entry: True, times=1)

    assert installed.post(alert).status == 503
    assert installed.post(alert).status == 202
    aws.settle()

    bodies = [message.body for message in aws.messages(installed.pipeline.queues["messages"])]
    assert len([body for body in bodies if "NobodyKnowsMe" in body]) == 1


def test_an_alert_that_nobody_handles_is_told_although_the_function_died_before_it_was_stored(
    aws: Aws, install: Install
) -> None:
    """Told first, stored second: twice perhaps, and never not at all."""
    installed = install()
    installed.post(installed.fires("Warm"))
    aws.settle()
    aws.messages(installed.pipeline.queues["messages"])
    alert = installed.fires("NobodyKnowsMe")
    aws.faults.kill_at("dynamodb", "TransactWriteItems", nth=1)

    assert installed.post(alert).status == 500
    assert installed.post(alert).status == 202
    aws.settle()

    bodies = [message.body for message in aws.messages(installed.pipeline.queues["messages"])]
    assert len([body for body in bodies if "NobodyKnowsMe" in body]) >= 1


def test_a_deployment_of_something_else_is_ignored(aws: Aws, install: Install) -> None:
    """The bus tells of every deployment of the account; those of others are no error and wake nobody."""
    config = CONFIG.replace(
        "tokens:\n", "  deploys: {source: deployments, from: ['events:aws.codepipeline']}\ntokens:\n", 1
    )
    installed = install(config=config)
    detail = {"pipeline": "theirs", "execution-id": "ex-1", "state": "SUCCEEDED"}

    invocation = aws.invoke(
        "runbook-engine-alert-ingest",
        events.event("aws.codepipeline", "CodePipeline Pipeline Execution State Change", detail),
    )

    assert invocation.error is None
    assert installed.executions() == ()
