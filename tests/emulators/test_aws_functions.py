"""Functions of the test bed behave as Lambda documents: contexts, errors, deaths, retries, destinations, brakes."""

import json
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError
from moto.awslambda_simple.models import LambdaSimpleBackend
from moto.events.models import EventsBackend

from tests.emulators.aws import ACCOUNT, REGION, Aws, Context, FunctionFailed, Killed

EXITED = "Runtime.ExitError"


@pytest.fixture
def aws() -> Iterator[Aws]:
    """Return an account."""
    with Aws() as bed:
        yield bed


def put(aws: Aws, value: str) -> None:
    """Write the parameter whose versions count effects."""
    aws.client("ssm").put_parameter(Name="/effects", Value=value, Type="String", Overwrite=True)


def effects(aws: Aws) -> int:
    """Return how often the parameter was written."""
    found = aws.client("ssm").describe_parameters()["Parameters"]
    return int(found[0]["Version"]) if found else 0


def fail(event: Any, context: Context) -> None:
    """Fail always."""
    raise ValueError("no such thing")


def test_handler_is_told_about_its_invocation(aws: Aws) -> None:
    """The context is the runtime's, and its remaining time is counted by the simulated clock."""
    seen: list[Context] = []
    aws.function("probe", lambda event, context: seen.append(context), timeout=3, memory=256)

    aws.client("lambda").invoke(FunctionName="probe")

    (context,) = seen
    assert f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:probe" == context.invoked_function_arn
    assert ("probe", "$LATEST", 256) == (context.function_name, context.function_version, context.memory_limit_in_mb)
    assert 3000 == context.get_remaining_time_in_millis()
    aws.advance(timedelta(seconds=1))
    assert 2000 == context.get_remaining_time_in_millis()


def test_answer_is_json_when_the_handler_returns(aws: Aws) -> None:
    """Events and replies cross the wire: nothing is shared with the caller."""
    aws.function("echo", lambda event, context: {"got": event, "pair": (1, 2)})

    answer = aws.client("lambda").invoke(FunctionName="echo", Payload=b'{"a": 1}')

    assert {"got": {"a": 1}, "pair": [1, 2]} == json.load(answer["Payload"])
    assert "FunctionError" not in answer


@pytest.mark.parametrize(
    ("handler", "error"),
    [
        pytest.param(fail, {"errorType": "ValueError", "errorMessage": "no such thing"}, id="an exception"),
        pytest.param(
            lambda event, context: object(), {"errorType": "Runtime.MarshalError"}, id="a reply that is no JSON"
        ),
        pytest.param(
            lambda event, context: "x" * 7_000_000,
            {"errorType": "Function.ResponseSizeTooLarge"},
            id="a reply over 6 MB",
        ),
    ],
)
def test_error_is_in_the_answer_when_the_function_fails(aws: Aws, handler: Any, error: dict[str, str]) -> None:
    """The call of the service succeeds; only a header and the payload tell."""
    aws.function("failing", handler)

    answer = aws.client("lambda").invoke(FunctionName="failing")

    assert (200, "Unhandled") == (answer["StatusCode"], answer["FunctionError"])
    assert error.items() <= json.load(answer["Payload"]).items()


def test_process_exits_when_the_handler_is_killed(aws: Aws) -> None:
    """A death is no exception: the handler cannot catch it as one, and the answer is the platform's."""

    def handler(event: Any, context: Context) -> str:
        try:
            raise Killed("checkpoint")
        except Exception:  # noqa: BLE001 - what a careless handler does
            return "survived"

    aws.function("mortal", handler)

    invocation = aws.invoke("mortal", {})

    message = f"RequestId: {invocation.request_id} Error: Runtime exited without providing a reason"
    assert {"errorType": EXITED, "errorMessage": message} == invocation.error


def test_error_is_handed_on_when_another_runtime_reports_it(aws: Aws) -> None:
    """What a real runtime answered stays what it was."""

    def handler(event: Any, context: Context) -> None:
        raise FunctionFailed({"errorType": "Sandbox.Timedout", "errorMessage": "Task timed out after 3.00 seconds"})

    aws.function("relayed", handler)

    assert {"errorType": "Sandbox.Timedout", "errorMessage": "Task timed out after 3.00 seconds"} == aws.invoke(
        "relayed", {}
    ).error


def test_effect_happens_once_an_answer_is_lost_but_not_when_the_process_was_killed(aws: Aws) -> None:
    """The two deaths look alike to the caller, and only one of them left a trace."""
    aws.function("writer", lambda event, context: put(aws, event["value"]))
    aws.faults.kill("writer")
    aws.faults.lose_answer("writer", nth=2)

    errors = [aws.invoke("writer", {"value": str(n)}).error for n in range(3)]

    assert [EXITED, EXITED, None] == [error and error["errorType"] for error in errors]
    assert 2 == effects(aws)


def test_timeout_is_reported_when_the_function_hangs(aws: Aws) -> None:
    """The handler had its effect; the answer names the function's own limit."""
    aws.function("slow", lambda event, context: put(aws, "x"), timeout=3)
    aws.faults.hang("slow")

    error = aws.invoke("slow", {}).error

    assert error is not None
    assert "Sandbox.Timedout" == error["errorType"]
    assert error["errorMessage"].endswith("Task timed out after 3.00 seconds")
    assert 1 == effects(aws)


@pytest.mark.parametrize(("after", "left"), [(False, 1), (True, 2)], ids=["before the call", "after its effect"])
def test_process_dies_at_a_call_when_told(aws: Aws, after: bool, left: int) -> None:
    """The second write of one invocation is where it dies."""

    def handler(event: Any, context: Context) -> None:
        for value in "abc":
            put(aws, value)

    aws.function("writer", handler)
    aws.faults.kill_at("ssm", "PutParameter", nth=2, after=after)
    invocation = aws.invoke("writer", {})

    assert invocation.error is not None
    assert EXITED == invocation.error["errorType"]
    assert left == effects(aws)


def test_caller_outside_of_functions_is_never_killed(aws: Aws) -> None:
    """A test that prepares something must not use up the fault meant for a function."""
    aws.function("writer", lambda event, context: put(aws, "b"))
    aws.faults.kill_at("ssm", "PutParameter")

    put(aws, "a")

    assert aws.invoke("writer", {}).error is not None


@pytest.mark.parametrize(
    ("service", "operation", "arguments", "code", "status"),
    [
        pytest.param("dynamodb", "ListTables", {}, "ThrottlingException", 400, id="json"),
        pytest.param("ssm", "DescribeParameters", {}, "ThrottlingException", 400, id="json 1.1"),
        pytest.param("lambda", "ListFunctions", {}, "TooManyRequestsException", 429, id="rest json"),
        pytest.param("sns", "ListTopics", {}, "Throttled", 429, id="query"),
        pytest.param("s3", "ListBuckets", {}, "SlowDown", 503, id="rest xml"),
        pytest.param("cloudwatch", "DescribeAlarms", {}, "Throttling", 400, id="cbor"),
        pytest.param("sqs", "ListQueues", {}, "ThrottlingException", 400, id="json with query words"),
        pytest.param("logs", "DescribeLogGroups", {}, "ThrottlingException", 400, id="logs"),
        pytest.param("events", "ListRules", {}, "ThrottlingException", 400, id="events"),
        pytest.param("stepfunctions", "ListStateMachines", {}, "ThrottlingException", 400, id="states"),
    ],
)
def test_call_is_throttled_in_the_words_of_its_service(
    aws: Aws, service: str, operation: str, arguments: dict[str, Any], code: str, status: int
) -> None:
    """Each protocol has a form of its own; botocore reads all of them, and the next call passes."""
    method = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in operation).lstrip("_")
    aws.faults.throttle(service, operation)

    with pytest.raises(ClientError) as caught:
        getattr(aws.client(service), method)(**arguments)

    assert code == caught.value.response["Error"]["Code"]
    assert status == caught.value.response["ResponseMetadata"]["HTTPStatusCode"]
    getattr(aws.client(service), method)(**arguments)
    assert 2 == aws.calls(service, operation)


def test_botocore_tries_again_when_throttled(aws: Aws) -> None:
    """Faults lie below the retries of clients that are set to retry."""
    client = boto3.client("ssm", config=Config(retries={"mode": "standard", "total_max_attempts": 2}))
    aws.faults.throttle("ssm", "DescribeParameters")

    client.describe_parameters()

    assert 2 == aws.calls("ssm", "DescribeParameters")


@pytest.mark.parametrize(("after", "left"), [(True, 1), (False, 0)], ids=["with its effect", "without any effect"])
def test_connection_is_lost_when_told(aws: Aws, after: bool, left: int) -> None:
    """The caller cannot tell the two apart."""
    aws.faults.lose("ssm", "PutParameter", after=after)

    with pytest.raises(ConnectionClosedError):
        put(aws, "a")

    assert left == effects(aws)


def test_failed_event_is_tried_twice_again_then_sent_away(aws: Aws) -> None:
    """One and two minutes later, by simulated time; the destination gets a record, the dead letter queue the event."""
    record, event = aws.queue("records"), aws.queue("events")
    function = aws.function("failing", fail, on_failure=record.arn, dead_letter=event.arn)
    begun = aws.clock.now()

    aws.client("lambda").invoke(FunctionName="failing", InvocationType="Event", Payload=b'{"n": 1}')
    aws.wait_idle()

    assert [0, 60, 180] == [(each.at - begun).total_seconds() for each in function.invocations]
    assert [1, 2, 3] == [each.attempt for each in function.invocations]
    assert 1 == len({each.request_id for each in function.invocations})
    (told,) = aws.messages(record)
    assert ("RetriesExhausted", 3) == (
        told.json()["requestContext"]["condition"],
        told.json()["requestContext"]["approximateInvokeCount"],
    )
    assert ({"n": 1}, "no such thing") == (
        told.json()["requestPayload"],
        told.json()["responsePayload"]["errorMessage"],
    )
    (kept,) = aws.messages(event)
    assert {"n": 1} == kept.json()
    assert "no such thing" == kept.attributes["ErrorMessage"]


def test_event_is_accepted_before_the_function_runs(aws: Aws) -> None:
    """An asynchronous invocation answers 202 at once."""
    function = aws.function("later", lambda event, context: None)

    answer = aws.client("lambda").invoke(FunctionName="later", InvocationType="Event")

    assert (202, []) == (answer["StatusCode"], function.invocations)
    aws.settle()
    assert [True] == [each.asynchronous for each in function.invocations]


def test_topic_reaches_a_function_with_its_own_attributes(aws: Aws) -> None:
    """The notification names the topic and carries what the publisher said, and filters hold."""
    function = aws.function("told", lambda event, context: None)
    topic = aws.client("sns").create_topic(Name="oncall")["TopicArn"]
    wanted = {"FilterPolicy": json.dumps({"severity": ["high"]})}
    aws.client("sns").subscribe(TopicArn=topic, Protocol="lambda", Endpoint=function.arn, Attributes=wanted)

    for severity in ("low", "high"):
        attributes = {"severity": {"DataType": "String", "StringValue": severity}}
        aws.client("sns").publish(TopicArn=topic, Message="hot", Subject="Help", MessageAttributes=attributes)
    aws.settle()

    (invocation,) = function.invocations
    notification = invocation.event["Records"][0]["Sns"]
    assert (topic, "hot", "Help") == (notification["TopicArn"], notification["Message"], notification["Subject"])
    assert {"severity": {"Type": "String", "Value": "high"}} == notification["MessageAttributes"]


def test_log_subscription_reaches_a_function(aws: Aws) -> None:
    """What is logged arrives packed, after the writer had its answer."""
    function = aws.function("reader", lambda event, context: None)
    logs = aws.client("logs")
    logs.create_log_group(logGroupName="app")
    logs.create_log_stream(logGroupName="app", logStreamName="s")
    logs.put_subscription_filter(logGroupName="app", filterName="all", filterPattern="", destinationArn=function.arn)
    aws.settle()
    function.invocations.clear()

    event = {"timestamp": int(time.time() * 1000), "message": "boom"}  # logs are kept by real time
    logs.put_log_events(logGroupName="app", logStreamName="s", logEvents=[event])
    aws.settle()

    assert [["awslogs"]] == [list(each.event) for each in function.invocations]


def test_brake_stops_a_function_when_its_concurrency_is_zero(aws: Aws) -> None:
    """Reserved concurrency 0 refuses every invocation, and lifting it lets them pass."""
    function = aws.function("braked", lambda event, context: "ran")
    client = aws.client("lambda")
    client.put_function_concurrency(FunctionName="braked", ReservedConcurrentExecutions=0)

    with pytest.raises(client.exceptions.TooManyRequestsException):
        client.invoke(FunctionName="braked")

    assert [] == function.invocations
    client.delete_function_concurrency(FunctionName="braked")
    assert b'"ran"' == client.invoke(FunctionName="braked")["Payload"].read()


@pytest.mark.parametrize(
    ("kind", "size"),
    [("RequestResponse", 6 * 1024 * 1024 + 1), ("Event", 1024 * 1024 + 1)],
    ids=["6 MB", "1 MB if later"],
)
def test_payload_is_refused_when_it_is_too_large(aws: Aws, kind: str, size: int) -> None:
    """The limits are those of the service, by kind of invocation."""
    function = aws.function("small", lambda event, context: None)
    payload = json.dumps("x" * (size - 2)).encode()

    with pytest.raises(ClientError, match="RequestTooLargeException"):
        aws.client("lambda").invoke(FunctionName="small", InvocationType=kind, Payload=payload)

    assert [] == function.invocations


def test_function_is_unknown_when_nobody_deployed_it(aws: Aws) -> None:
    """The service says so, as for any other resource."""
    with pytest.raises(aws.client("lambda").exceptions.ResourceNotFoundException):
        aws.client("lambda").invoke(FunctionName="nobody")


def test_schedule_invokes_as_time_passes_and_nobody_waits_for_it(aws: Aws) -> None:
    """A schedule alone keeps nothing busy."""
    function = aws.function("sweep", lambda event, context: None)
    aws.schedule("sweep", every=timedelta(minutes=5))

    aws.wait_idle()
    assert [] == function.invocations
    aws.advance(timedelta(minutes=11))

    assert ["09:05", "09:10"] == [f"{each.at:%H:%M}" for each in function.invocations]


def test_nothing_stays_behind_when_the_bed_is_closed() -> None:
    """The next bed of the process starts empty, with moto as it was."""
    before = (LambdaSimpleBackend.invoke, EventsBackend.put_events)
    with Aws() as first:
        first.function("left", lambda event, context: None)
        put(first, "left")

    assert before == (LambdaSimpleBackend.invoke, EventsBackend.put_events)
    with Aws() as second:
        assert 0 == effects(second)
        assert [] == second.client("lambda").list_functions()["Functions"]


def test_second_bed_is_refused_while_one_is_open(aws: Aws) -> None:
    """There is one account in a process; the open one goes on."""
    with pytest.raises(RuntimeError, match=r"^moto is active in this process already: one Aws at a time"):
        Aws().__enter__()

    put(aws, "works")
    assert 1 == effects(aws)


def test_queue_mapping_waits_for_its_function(aws: Aws) -> None:
    """A mapping made by the service's own API works too: what failed stays in the queue."""
    queue = aws.queue("work")
    function = aws.function("reader", lambda event, context: None)
    aws.client("lambda").create_event_source_mapping(EventSourceArn=queue.arn, FunctionName="reader")

    aws.client("sqs").send_message(QueueUrl=queue.url, MessageBody="hello")

    assert ["hello"] == [each.event["Records"][0]["body"] for each in function.invocations]
    assert [] == aws.messages(queue)
