"""What only SQS has: handles that are gone when a move ends, races for the one move, names, and lost answers."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from runbook_adapters.sqs import ADAPTER
from runbook_engine.errors import (
    Conflict,
    EffectUnknown,
    InvalidTarget,
    NoAdapter,
    Permanent,
    Retryable,
    RunbookError,
    Unreadable,
)
from runbook_engine.model.target import Target
from tests.contract.queues.rigs import SqsRig

START = "StartMessageMoveTask"
LIST = "ListMessageMoveTasks"


def test_queue_says_whose_it_is_when_its_tags_say_so(sqs_rig: SqsRig) -> None:
    """The service is what budgets count by; the ARN is what a queue is known by."""
    queue = sqs_rig.reader.queue(sqs_rig.target)

    assert ("shop", sqs_rig.arn) == (queue.service, queue.target.uid)


def test_messages_in_flight_are_counted_apart_when_somebody_has_taken_them(sqs_rig: SqsRig) -> None:
    """They neither wait nor are they gone."""
    url = sqs_rig.client.get_queue_url(QueueName="jobs-dead")["QueueUrl"]
    sqs_rig.client.receive_message(QueueUrl=url, MaxNumberOfMessages=1, VisibilityTimeout=600)

    queue = sqs_rig.reader.queue(sqs_rig.target)

    assert (2, 1) == (queue.messages, queue.in_flight)


def test_sources_are_read_to_the_last_page_when_there_are_several(sqs_rig: SqsRig) -> None:
    """A queue may take the dead letters of many."""
    address = "https://sqs.eu-central-1.amazonaws.com/123456789012/"
    sqs_rig.looking.answer("ListDeadLetterSourceQueues", {"queueUrls": [f"{address}web"], "NextToken": "1"})
    sqs_rig.looking.answer("ListDeadLetterSourceQueues", {"queueUrls": [f"{address}jobs"]})

    assert ("jobs", "web") == sqs_rig.reader.queue(sqs_rig.target).sources


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        pytest.param({"Status": "RUNNING"}, ("running", 1, 3, ""), id="running"),
        pytest.param({"Status": "CANCELLING"}, ("cancelling", 1, 3, ""), id="being cancelled"),
        pytest.param({"Status": "CANCELLED"}, ("cancelled", 1, 3, ""), id="cancelled"),
        pytest.param({"Status": "FAILED", "FailureReason": "gone"}, ("failed", 1, 3, "gone"), id="failed"),
        pytest.param(
            {"Status": "RUNNING", "ApproximateNumberOfMessagesToMove": None}, ("running", 1, None, ""), id="just begun"
        ),
    ],
)
def test_move_is_told_when_sqs_lists_it(
    sqs_rig: SqsRig, task: dict[str, Any], expected: tuple[str, int, int | None, str]
) -> None:
    """Every status that there is."""
    listed = {"ApproximateNumberOfMessagesMoved": 1, "ApproximateNumberOfMessagesToMove": 3, "StartedTimestamp": 1_000}
    sqs_rig.looking.answer(LIST, {"Results": [{**listed, **task}]})

    (move,) = sqs_rig.reader.queue(sqs_rig.target).moves

    assert expected == (move.status, move.moved, move.wanted, move.reason)
    assert ("1000", 1.0) == (move.id, move.started_at.timestamp())


def test_queue_is_unreadable_when_a_status_is_new(sqs_rig: SqsRig) -> None:
    """What is not understood is not taken for done."""
    sqs_rig.looking.answer(LIST, {"Results": [{"Status": "PAUSED", "StartedTimestamp": 1}]})

    with pytest.raises(Unreadable) as caught:
        sqs_rig.reader.queue(sqs_rig.target)

    assert "a redrive cannot be read: its status is PAUSED, which is not known here" == str(caught.value)


def test_rate_is_handed_over_when_one_is_asked_for(sqs_rig: SqsRig) -> None:
    """What comes back slowly can be watched; the messages go where they came from."""
    sqs_rig.writer.redrive(sqs_rig.target, per_second=5)

    assert [{"SourceArn": sqs_rig.arn, "MaxNumberOfMessagesPerSecond": 5}] == sqs_rig.tasks.started


@pytest.mark.parametrize("rate", [0, -1, 501])
def test_rate_is_refused_when_sqs_knows_none_such(sqs_rig: SqsRig, rate: int) -> None:
    """Nothing is begun at another one."""
    with pytest.raises(Permanent) as caught:
        sqs_rig.writer.redrive(sqs_rig.target, per_second=rate)

    assert f"cannot redrive queue/jobs-dead at {rate} messages a second (1 to 500)" == str(caught.value)
    assert [] == sqs_rig.tasks.started


def test_move_is_refused_when_somebody_else_was_faster(sqs_rig: SqsRig) -> None:
    """SQS itself keeps it to one at a time."""
    sqs_rig.touching.before(
        START, lambda: sqs_rig.bed.clients.touching("sqs").start_message_move_task(SourceArn=sqs_rig.arn)
    )

    with pytest.raises(Conflict) as caught:
        sqs_rig.writer.redrive(sqs_rig.target)

    assert "messages of queue/jobs-dead are being moved already; no second redrive was begun" == str(caught.value)
    assert 1 == len(sqs_rig.tasks.started)


def test_move_is_found_when_the_answer_is_lost(sqs_rig: SqsRig) -> None:
    """Begun once, and found in the list."""
    sqs_rig.tasks.answers_are_lost = True

    receipt = sqs_rig.writer.redrive(sqs_rig.target)

    assert 1 == len(sqs_rig.tasks.started)
    assert sqs_rig.reader.queue(sqs_rig.target).moves[0].id == receipt["move"]


def test_move_is_in_doubt_when_the_answer_is_lost_and_none_is_listed(sqs_rig: SqsRig) -> None:
    """It may still come."""
    sqs_rig.touching.refuse(START, "InternalError", status=500)

    with pytest.raises(EffectUnknown):
        sqs_rig.writer.redrive(sqs_rig.target)


def test_move_is_in_doubt_when_begun_and_not_listed(sqs_rig: SqsRig) -> None:
    """Only the list says what it is called."""
    sqs_rig.looking.answer(LIST, {"Results": []}, times=2)

    with pytest.raises(EffectUnknown) as caught:
        sqs_rig.writer.redrive(sqs_rig.target)

    assert "a redrive of queue/jobs-dead was begun, and SQS does not list it yet" == str(caught.value)


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        pytest.param("RequestThrottled", 403, Retryable, id="throttled"),
        pytest.param("AccessDenied", 403, Permanent, id="denied"),
        pytest.param("AWS.SimpleQueueService.UnsupportedOperation", 400, Permanent, id="not for this queue"),
        pytest.param("ResourceNotFoundException", 404, Permanent, id="gone"),
    ],
)
def test_move_fails_as_sqs_says_when_it_does(
    sqs_rig: SqsRig, code: str, status: int, error: type[RunbookError]
) -> None:
    """What the engine does next depends on the kind of the error alone."""
    sqs_rig.touching.refuse(START, code, status=status)

    with pytest.raises(error):
        sqs_rig.writer.redrive(sqs_rig.target)

    assert [] == sqs_rig.tasks.started


def test_move_is_refused_when_no_queue_sends_its_dead_letters_there(sqs_rig: SqsRig) -> None:
    """The sentence says which queue to name."""
    with pytest.raises(Permanent) as caught:
        sqs_rig.writer.redrive(sqs_rig.plain)

    assert (
        "cannot redrive queue/jobs: no queue sends its dead letters there (name the dead-letter queue itself)"
        == str(caught.value)
    )


def test_move_conflicts_when_the_queue_is_of_another_account(sqs_rig: SqsRig) -> None:
    """The ARN is what a queue is known by."""
    elsewhere = msgspec.structs.replace(sqs_rig.target, uid=sqs_rig.arn.replace("123456789012", "210987654321"))

    with pytest.raises(Conflict, match=r"^queue/jobs-dead is another queue than the one that was looked at"):
        sqs_rig.writer.redrive(elsewhere)


@pytest.mark.parametrize(
    "name",
    ["", "a/b", "https://sqs.eu-central-1.amazonaws.com/123456789012/jobs", "jobs dead", "a" * 81, "jobs.dead"],
    ids=repr,
)
def test_name_is_refused_when_it_names_no_queue(sqs_rig: SqsRig, name: str) -> None:
    """A name comes from an alert, so it is only ever a name."""
    target = Target("queue", "", "", name)

    with pytest.raises(InvalidTarget) as caught:
        sqs_rig.reader.queue(target)

    assert f"{target} names no queue (write its name: letters, digits, _ and -, maybe .fifo)" == str(caught.value)


def test_queue_is_unreadable_when_its_sources_are(sqs_rig: SqsRig) -> None:
    """Who cannot tell says no."""
    sqs_rig.looking.refuse("ListDeadLetterSourceQueues", "AccessDenied", status=403)

    with pytest.raises(Unreadable, match=r"^the sources of queue/jobs-dead cannot be read: AccessDenied: no"):
        sqs_rig.reader.queue(sqs_rig.target)


def test_adapter_is_refused_when_it_does_not_serve_the_port(sqs_rig: SqsRig) -> None:
    """It says what it does serve."""
    with pytest.raises(NoAdapter) as caught:
        sqs_rig.bed.serve(ADAPTER, "functions")

    assert "sqs does not serve functions (it serves queues)" == str(caught.value)
