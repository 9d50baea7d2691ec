"""The bus of the test bed behaves as EventBridge documents where moto stops."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulators.aws import ACCOUNT, REGION, Aws, Queue

BUS = "bus"
RULE_ARN = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{BUS}/rule"


@pytest.fixture
def aws() -> Iterator[Aws]:
    """Return an account with a bus of its own."""
    with Aws() as bed:
        bed.client("events").create_event_bus(Name=BUS)
        yield bed


def rule(aws: Aws, *targets: dict[str, Any], name: str = "rule", pattern: dict[str, Any] | None = None) -> None:
    """Make a rule with its targets."""
    aws.client("events").put_rule(
        Name=name, EventBusName=BUS, EventPattern=json.dumps(pattern or {"source": ["engine"]})
    )
    named = [{"Id": str(number), **target} for number, target in enumerate(targets)]
    aws.client("events").put_targets(Rule=name, EventBusName=BUS, Targets=named)


def entry(detail: Any = None, **more: Any) -> dict[str, Any]:
    """Return an entry of PutEvents."""
    text = json.dumps({"n": 1} if detail is None else detail)
    return {"Source": "engine", "DetailType": "Happened", "Detail": text, "EventBusName": BUS} | more


def put(aws: Aws, *entries: dict[str, Any]) -> Any:
    """Put events and let them be delivered."""
    answer = aws.client("events").put_events(Entries=list(entries or (entry(),)))
    aws.wait_idle()
    return answer


def numbers(aws: Aws, queue: Queue) -> list[int]:
    """Return the numbers in the events of a queue."""
    return [message.json()["detail"]["n"] for message in aws.messages(queue)]


def test_event_reaches_every_kind_of_target(aws: Aws) -> None:
    """Function, topic, machine, queue and log group, from one rule; the function is invoked asynchronously."""
    function = aws.function("told", lambda event, context: None)
    topic = aws.client("sns").create_topic(Name="topic")["TopicArn"]
    subscriber, queue = aws.queue("subscriber"), aws.queue("queue")
    aws.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=subscriber.arn)
    definition = json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}})
    machine = aws.client("stepfunctions").create_state_machine(
        name="m", definition=definition, roleArn=f"arn:aws:iam::{ACCOUNT}:role/r"
    )["stateMachineArn"]
    aws.client("logs").create_log_group(logGroupName="/aws/events/log")
    log = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/events/log"
    rule(aws, *({"Arn": each} for each in (function.arn, topic, machine, queue.arn)), {"Arn": log})

    (accepted,) = put(aws)["Entries"]

    delivered = {
        "version": "0",
        "id": accepted["EventId"],
        "detail-type": "Happened",
        "source": "engine",
        "account": ACCOUNT,
        "time": "2026-01-05T09:00:00Z",
        "region": REGION,
        "resources": [],
        "detail": {"n": 1},
    }
    assert [(delivered, True)] == [(each.event, each.asynchronous) for each in function.invocations]
    assert [delivered] == [json.loads(each.json()["Message"]) for each in aws.messages(subscriber)]
    assert [(delivered, "SUCCEEDED")] == [(each.input, each.status) for each in aws.executions()]
    assert [delivered] == [each.json() for each in aws.messages(queue)]
    (logged,) = aws.client("logs").filter_log_events(logGroupName="/aws/events/log")["events"]
    assert delivered == json.loads(logged["message"])
    assert [delivered] == aws.bus.events
    assert ["delivered"] * 5 == [each.outcome for each in aws.bus.deliveries]


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        pytest.param({"InputPath": "$.detail"}, '{"n": 1, "who": "an \\"owner\\"", "list": ["a"]}', id="a part"),
        pytest.param({"Input": '{"constant": true}'}, '{"constant": true}', id="a constant"),
        pytest.param(
            {
                "InputTransformer": {
                    "InputPathsMap": {"n": "$.detail.n", "who": "$.detail.who", "first": "$.detail.list[0]"},
                    "InputTemplate": '{"n": <n>, "who": <who>, "first": <first>, "rule": <aws.events.rule-name>}',
                }
            },
            '{"n": 1, "who": "an \\"owner\\"", "first": "a", "rule": "rule"}',
            id="a template of JSON, whose bare values become JSON",
        ),
        pytest.param(
            {
                "InputTransformer": {
                    "InputPathsMap": {"n": "$.detail.n", "none": "$.detail.none"},
                    "InputTemplate": '"number <n> of <aws.events.rule-arn><none>"',
                }
            },
            f'"number 1 of {RULE_ARN}"',
            id="a template of text, where nothing known is nothing",
        ),
        pytest.param(
            {"InputTransformer": {"InputPathsMap": {"d": "$.detail"}, "InputTemplate": '{"all": <d>}'}},
            '{"all": {"n": 1, "who": "an \\"owner\\"", "list": ["a"]}}',
            id="a template with an object",
        ),
    ],
)
def test_target_is_given_what_its_input_says(aws: Aws, form: dict[str, Any], expected: str) -> None:
    """Input, InputPath and InputTransformer, each as documented."""
    queue = aws.queue("queue")
    rule(aws, {"Arn": queue.arn, **form})

    put(aws, entry({"n": 1, "who": 'an "owner"', "list": ["a"]}))

    assert [expected] == [message.body for message in aws.messages(queue)]


def test_nothing_is_delivered_inside_the_request(aws: Aws) -> None:
    """PutEvents answers before anybody acts on the event."""
    function = aws.function("told", lambda event, context: None)
    rule(aws, {"Arn": function.arn})

    aws.client("events").put_events(Entries=[entry()])

    assert [] == function.invocations
    aws.settle()
    assert 1 == len(function.invocations)


def test_disabled_rule_delivers_nothing(aws: Aws) -> None:
    """A rule can be switched off without being deleted."""
    queue = aws.queue("queue")
    rule(aws, {"Arn": queue.arn})
    aws.client("events").disable_rule(Name="rule", EventBusName=BUS)

    put(aws)

    assert [] == aws.messages(queue)


def test_delivery_is_tried_again_when_the_target_is_throttled(aws: Aws) -> None:
    """With growing pauses of simulated time, and the rule's own dead letter queue stays empty."""
    function, dead = aws.function("told", lambda event, context: None), aws.queue("dead")
    rule(aws, {"Arn": function.arn, "DeadLetterConfig": {"Arn": dead.arn}})
    aws.faults.throttle("lambda", "Invoke", times=3)
    begun = aws.clock.now()

    put(aws)

    assert [1 + 2 + 4] == [(each.at - begun).total_seconds() for each in function.invocations]
    assert [("delivered", 4)] == [(each.outcome, each.attempts) for each in aws.bus.deliveries]
    assert [] == aws.messages(dead)


@pytest.mark.parametrize(
    ("policy", "condition", "retries"),
    [
        pytest.param({"MaximumRetryAttempts": 2}, "MaximumRetryAttempts", "2", id="tried too often"),
        pytest.param({"MaximumRetryAttempts": 0}, "MaximumRetryAttempts", "0", id="to be tried once"),
        pytest.param({"MaximumEventAgeInSeconds": 60}, "MaximumEventAgeInSeconds", "5", id="too old"),
        pytest.param({}, "MaximumRetryAttempts", "185", id="the defaults: 185 times within a day"),
    ],
)
def test_event_is_dead_when_its_retries_are_used_up(
    aws: Aws, policy: dict[str, int], condition: str, retries: str
) -> None:
    """The dead letter is the event as it was, with the reason in its attributes."""
    dead = aws.queue("dead")
    function = aws.function("told", lambda event, context: None)
    target = {
        "Arn": function.arn,
        "DeadLetterConfig": {"Arn": dead.arn},
        "RetryPolicy": policy,
        "InputPath": "$.detail",
    }
    rule(aws, target)
    aws.faults.fail("lambda", "Invoke", "ServiceException", times=1000)

    put(aws)

    (letter,) = aws.messages(dead)
    assert {"n": 1} == letter.json()["detail"]
    assert {
        "RULE_ARN": RULE_ARN,
        "TARGET_ARN": function.arn,
        "ERROR_CODE": "INTERNAL_ERROR",
        "RETRY_ATTEMPTS": retries,
        "EXHAUSTED_RETRY_CONDITION": condition,
    }.items() <= letter.attributes.items()
    assert ["dead letter"] == [each.outcome for each in aws.bus.deliveries]
    assert aws.clock.now() - aws.bus.deliveries[0].begun <= timedelta(days=1)


def test_event_is_dead_at_once_when_the_target_does_not_exist(aws: Aws) -> None:
    """What is missing does not come by waiting."""
    dead = aws.queue("dead")
    missing = [f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:gone", f"arn:aws:sns:{REGION}:{ACCOUNT}:gone"]
    missing += [f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:gone", f"arn:aws:sqs:{REGION}:{ACCOUNT}:gone"]
    rule(aws, *({"Arn": each, "DeadLetterConfig": {"Arn": dead.arn}} for each in missing))
    begun = aws.clock.now()

    put(aws)

    letters = [message.attributes for message in aws.messages(dead)]
    assert missing == [letter["TARGET_ARN"] for letter in letters]
    assert {("NO_RESOURCE", "0")} == {(letter["ERROR_CODE"], letter["RETRY_ATTEMPTS"]) for letter in letters}
    assert begun == aws.clock.now()


def test_event_is_passed_on_to_another_bus(aws: Aws) -> None:
    """The rules of the other bus decide; what happened and when stays the same."""
    other = aws.client("events").create_event_bus(Name="other")["EventBusArn"]
    queue = aws.queue("queue")
    aws.client("events").put_rule(Name="there", EventBusName="other", EventPattern='{"source": ["engine"]}')
    aws.client("events").put_targets(Rule="there", EventBusName="other", Targets=[{"Id": "q", "Arn": queue.arn}])
    rule(aws, {"Arn": other})

    put(aws, entry({"n": 7}))

    (message,) = aws.messages(queue)
    assert ({"n": 7}, "2026-01-05T09:00:00Z") == (message.json()["detail"], message.json()["time"])


def test_event_is_lost_when_there_is_no_dead_letter_queue(aws: Aws) -> None:
    """The bed says so; AWS would not."""
    rule(aws, {"Arn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:gone"})

    put(aws)

    assert [("lost", "NO_RESOURCE")] == [(each.outcome, each.error) for each in aws.bus.deliveries]


def test_input_that_is_no_json_never_reaches_a_machine(aws: Aws) -> None:
    """An unescaped quote of a value breaks a template; the event goes to the dead letters."""
    dead = aws.queue("dead")
    function = aws.function("told", lambda event, context: None)
    form = {"InputPathsMap": {"who": "$.detail.who"}, "InputTemplate": '{"who": "the <who>"}'}
    rule(aws, {"Arn": function.arn, "InputTransformer": form, "DeadLetterConfig": {"Arn": dead.arn}})

    put(aws, entry({"who": 'an "owner"'}))

    assert ["INVALID_JSON"] == [message.attributes["ERROR_CODE"] for message in aws.messages(dead)]
    assert [] == function.invocations


def test_events_come_twice_when_duplicated(aws: Aws) -> None:
    """At least once is what the service promises; both copies have one id."""
    queue = aws.queue("queue")
    rule(aws, {"Arn": queue.arn})
    aws.bus.duplicate()

    put(aws)

    assert 1 == len({message.json()["id"] for message in aws.messages(queue)})
    assert 2 == len(aws.bus.deliveries)


def test_events_come_in_another_order_when_shuffled(aws: Aws) -> None:
    """The same seed gives the same order; in order again when told."""
    queue = aws.queue("queue")
    rule(aws, {"Arn": queue.arn})
    entries = [entry({"n": n}) for n in range(8)]

    aws.bus.shuffle(seed=1)
    put(aws, *entries)
    shuffled = numbers(aws, queue)
    aws.bus.shuffle(seed=1)
    put(aws, *entries)
    again = numbers(aws, queue)
    aws.bus.in_order()
    put(aws, *entries)

    assert list(range(8)) != shuffled
    assert shuffled == again
    assert list(range(8)) == sorted(shuffled) == numbers(aws, queue)


def test_deliveries_wait_while_they_are_held(aws: Aws) -> None:
    """A slow bus: the events are accepted, and come when released."""
    queue = aws.queue("queue")
    rule(aws, {"Arn": queue.arn})
    aws.bus.hold()

    put(aws, entry({"n": 1}), entry({"n": 2}))

    assert [] == aws.messages(queue)
    aws.bus.release()
    aws.settle()
    assert [1, 2] == numbers(aws, queue)


@pytest.mark.parametrize(
    "which", [pytest.param((0, 2), id="by place"), pytest.param(lambda index, each: index != 1, id="by a question")]
)
def test_entries_fail_one_by_one(aws: Aws, which: Any) -> None:
    """The request succeeds, the others pass, and the next request is whole again."""
    queue = aws.queue("queue")
    rule(aws, {"Arn": queue.arn})
    aws.bus.fail_entries("InternalFailure", which=which)

    answer = put(aws, *(entry({"n": n}) for n in range(3)))

    assert 2 == answer["FailedEntryCount"]
    assert ["InternalFailure", None, "InternalFailure"] == [each.get("ErrorCode") for each in answer["Entries"]]
    assert [1] == numbers(aws, queue)
    assert 0 == put(aws, entry())["FailedEntryCount"]


@pytest.mark.parametrize(
    ("entries", "error"),
    [
        pytest.param([entry()] * 11, "less than or equal to 10", id="eleven entries"),
        pytest.param(
            [entry({"n": "x" * 600_000})] * 2, "Total size of the entries in the request is over the limit", id="1.2 MB"
        ),
    ],
)
def test_request_is_refused_when_it_is_too_large(aws: Aws, entries: list[dict[str, Any]], error: str) -> None:
    """Ten entries and one megabyte; nothing of a refused request is accepted."""
    with pytest.raises(ClientError, match=error):
        put(aws, *entries)

    assert [] == aws.bus.events


def test_request_passes_when_it_is_just_small_enough(aws: Aws) -> None:
    """Source, type and detail are counted: 6 + 8 + the rest makes a megabyte."""
    just = "x" * (1024 * 1024 - len("engine") - len("Happened") - len('{"n": ""}'))

    assert 0 == put(aws, entry({"n": just}))["FailedEntryCount"]
    with pytest.raises(ClientError, match="over the limit"):
        put(aws, entry({"n": just + "x"}))


def test_replay_is_marked_and_kept_from_rules_that_refuse_it(aws: Aws) -> None:
    """Only events of the window come again, with the replay's name, and they are not archived once more."""
    acting, watching = aws.queue("acting"), aws.queue("watching")
    rule(aws, {"Arn": acting.arn}, name="acts", pattern={"source": ["engine"], "replay-name": [{"exists": False}]})
    rule(aws, {"Arn": watching.arn}, name="watches")
    bus_arn = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{BUS}"
    aws.client("events").create_archive(ArchiveName="archive", EventSourceArn=bus_arn)
    for n in (1, 2, 3):
        put(aws, entry({"n": n}))
        aws.advance(timedelta(minutes=1))
    assert [1, 2, 3] == numbers(aws, acting) == numbers(aws, watching)

    begun = aws.clock.start
    aws.bus.replay("archive", "again", start=begun + timedelta(seconds=30), end=begun + timedelta(minutes=2))
    aws.wait_idle()

    assert [] == aws.messages(acting)
    again = [message.json() for message in aws.messages(watching)]
    assert [(2, "again", "2026-01-05T09:01:00Z"), (3, "again", "2026-01-05T09:02:00Z")] == [
        (each["detail"]["n"], each["replay-name"], each["time"]) for each in again
    ]
    assert 3 == aws.client("events").describe_archive(ArchiveName="archive")["EventCount"]
    assert "COMPLETED" == aws.client("events").describe_replay(ReplayName="again")["State"]
