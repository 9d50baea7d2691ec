"""Step Functions of the test bed run for real, in simulated time that only the test moves."""

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.emulators.aws import ACCOUNT, Aws, Execution

INVOKE = "arn:aws:states:::lambda:invoke"
TOKEN = f"{INVOKE}.waitForTaskToken"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"
END = {"Type": "Succeed"}


@pytest.fixture
def aws() -> Iterator[Aws]:
    """Return an account."""
    with Aws() as bed:
        yield bed


def start(aws: Aws, states: dict[str, Any], given: Any = None, **more: Any) -> str:
    """Make a machine whose first state is A, and start it."""
    definition = json.dumps({"StartAt": "A", "States": states, **more})
    machine = aws.client("stepfunctions").create_state_machine(name="m", definition=definition, roleArn=ROLE)
    started = aws.client("stepfunctions").start_execution(
        stateMachineArn=machine["stateMachineArn"], input=json.dumps(given or {})
    )
    return str(started["executionArn"])


def task(function: str = "work", **more: Any) -> dict[str, Any]:
    """Return a state that invokes a function with its input."""
    parameters = {"FunctionName": function, "Payload.$": "$"}
    return {"Type": "Task", "Resource": INVOKE, "Parameters": parameters, "OutputPath": "$.Payload", "End": True} | more


def approval(**more: Any) -> dict[str, Any]:
    """Return a state that waits for a task token."""
    parameters = {"FunctionName": "ask", "Payload": {"token.$": "$$.Task.Token"}}
    end = {} if "Next" in more else {"End": True}
    return {"Type": "Task", "Resource": TOKEN, "Parameters": parameters} | end | more


def only(aws: Aws) -> Execution:
    """Return the one execution."""
    (execution,) = aws.executions()
    return execution


def minutes(aws: Aws) -> float:
    """Return how much simulated time has passed."""
    return (aws.clock.now() - aws.clock.start).total_seconds() / 60


def test_wait_passes_at_once_when_nothing_else_is_to_do(aws: Aws) -> None:
    """Ten minutes of the machine are no time of the test."""
    start(aws, {"A": {"Type": "Wait", "SecondsPath": "$.seconds", "Next": "B"}, "B": END}, {"seconds": 600})

    aws.wait_idle()

    assert ("SUCCEEDED", ("A", "B")) == (only(aws).status, only(aws).states)
    assert 10 == minutes(aws)


def test_wait_holds_until_its_time_has_come(aws: Aws) -> None:
    """Time passes exactly as told."""
    start(aws, {"A": {"Type": "Wait", "Seconds": 600, "Next": "B"}, "B": END})

    aws.advance(timedelta(minutes=9, seconds=59))
    assert "RUNNING" == only(aws).status
    aws.advance(timedelta(seconds=1))

    assert "SUCCEEDED" == only(aws).status


def test_waits_of_several_executions_end_in_the_order_of_time(aws: Aws) -> None:
    """One clock for all of them."""
    function = aws.function("work", lambda event, context: event)
    wait = {"Type": "Wait", "SecondsPath": "$.seconds", "Next": "B"}
    definition = json.dumps({"StartAt": "A", "States": {"A": wait, "B": task()}})
    machine = aws.client("stepfunctions").create_state_machine(name="m", definition=definition, roleArn=ROLE)
    for seconds in (300, 60, 180):
        aws.client("stepfunctions").start_execution(
            stateMachineArn=machine["stateMachineArn"], input=json.dumps({"seconds": seconds})
        )

    aws.wait_idle()

    assert [60, 180, 300] == [each.event["seconds"] for each in function.invocations]
    assert [1, 3, 5] == [(each.at - aws.clock.start).total_seconds() / 60 for each in function.invocations]


def test_failed_task_is_retried_at_simulated_times(aws: Aws) -> None:
    """Intervals grow as declared; a death has Lambda's own error name."""
    function = aws.function("work", lambda event, context: "done")
    aws.faults.kill("work", nth=1)
    aws.faults.lose_answer("work", nth=2)
    retry = {"ErrorEquals": ["Runtime.ExitError"], "IntervalSeconds": 10, "BackoffRate": 2.0, "MaxAttempts": 3}
    retry["JitterStrategy"] = "FULL"  # the longest of what it allows

    start(aws, {"A": task(Retry=[retry])})
    aws.wait_idle()

    assert [0, 10, 30] == [(each.at - aws.clock.start).total_seconds() for each in function.invocations]
    assert ("SUCCEEDED", "done") == (only(aws).status, only(aws).output)


def test_error_of_a_function_is_caught_by_its_name(aws: Aws) -> None:
    """The name is the class of the exception."""

    def work(event: Any, context: Any) -> None:
        raise PermissionError("not yours")

    aws.function("work", work)

    start(aws, {"A": task(Catch=[{"ErrorEquals": ["PermissionError"], "Next": "B"}]), "B": END})
    aws.wait_idle()

    assert ("A", "B") == only(aws).states
    assert "PermissionError" == only(aws).output["Error"]


def test_throttled_invocation_has_the_error_that_lambda_documents(aws: Aws) -> None:
    """A retry rule for it can be tested."""
    aws.function("work", lambda event, context: "done")
    aws.faults.throttle("lambda", "Invoke")

    start(aws, {"A": task()})
    aws.wait_idle()

    assert ("FAILED", "Lambda.TooManyRequestsException") == (only(aws).status, only(aws).error)


@pytest.mark.parametrize(
    ("function_limit", "state_limit", "error", "passed"),
    [
        pytest.param(30, 900, "Sandbox.Timedout", 0.5, id="by the function's limit, which is shorter"),
        pytest.param(300, 60, "States.Timeout", 1, id="by the state's limit, which is shorter"),
    ],
)
def test_function_that_hangs_times_out(
    aws: Aws, function_limit: float, state_limit: int, error: str, passed: float
) -> None:
    """The earlier of both limits ends it, in simulated time."""
    aws.function("work", lambda event, context: "late", timeout=function_limit)
    aws.faults.hang("work")

    start(aws, {"A": task(TimeoutSeconds=state_limit, Catch=[{"ErrorEquals": [error], "Next": "B"}]), "B": END})
    aws.settle()
    assert "RUNNING" == only(aws).status
    aws.advance(timedelta(minutes=passed))

    assert ("SUCCEEDED", error) == (only(aws).status, only(aws).output["Error"])


def test_person_is_waited_for_without_letting_time_pass(aws: Aws) -> None:
    """Idle means that only people are waited for; their answer is the state's result."""
    tokens: list[str] = []
    aws.function("ask", lambda event, context: tokens.append(event["token"]))
    start(aws, {"A": approval(TimeoutSeconds=900)})

    aws.wait_idle()

    assert ("RUNNING", 0) == (only(aws).status, minutes(aws))
    aws.client("stepfunctions").send_task_success(taskToken=tokens[0], output='{"by": "ann"}')
    aws.wait_idle()
    assert ("SUCCEEDED", {"by": "ann"}) == (only(aws).status, only(aws).output)


def test_token_times_out_when_nobody_answers_in_time(aws: Aws) -> None:
    """The state fails with States.Timeout; who answers later is told that it is over."""
    tokens: list[str] = []
    aws.function("ask", lambda event, context: tokens.append(event["token"]))
    caught = [{"ErrorEquals": ["States.Timeout"], "Next": "B"}]
    start(
        aws,
        {"A": approval(TimeoutSecondsPath="$.limit", Catch=caught), "B": {"Type": "Wait", "Seconds": 60, "End": True}},
        {"limit": 900},
    )

    aws.advance(timedelta(minutes=15))

    assert ("RUNNING", ("A", "B")) == (only(aws).status, only(aws).states)
    client = aws.client("stepfunctions")
    with pytest.raises(client.exceptions.TaskTimedOut):
        client.send_task_success(taskToken=tokens[0], output="{}")


def test_second_answer_is_refused_while_the_execution_runs(aws: Aws) -> None:
    """The first answer stands."""
    tokens: list[str] = []
    aws.function("ask", lambda event, context: tokens.append(event["token"]))
    start(
        aws,
        {
            "A": approval(ResultPath="$.answer", Next="B"),
            "B": {"Type": "Wait", "Seconds": 60, "End": True},
        },
    )
    aws.wait_idle()
    client = aws.client("stepfunctions")

    client.send_task_success(taskToken=tokens[0], output='"first"')
    with pytest.raises(client.exceptions.TaskTimedOut):
        client.send_task_success(taskToken=tokens[0], output='"second"')

    aws.wait_idle()
    assert "first" == only(aws).output["answer"]


def test_token_may_be_answered_before_the_function_has_returned(aws: Aws) -> None:
    """Whoever is asked may answer at once."""

    def ask(event: Any, context: Any) -> None:
        aws.client("stepfunctions").send_task_success(taskToken=event["token"], output='"at once"')

    aws.function("ask", ask)
    start(aws, {"A": approval(TimeoutSeconds=900)})

    aws.wait_idle()

    assert ("SUCCEEDED", "at once") == (only(aws).status, only(aws).output)


def test_execution_times_out_by_its_own_limit(aws: Aws) -> None:
    """The limit of the whole machine is simulated too."""
    start(aws, {"A": {"Type": "Wait", "Seconds": 600, "End": True}}, TimeoutSeconds=300)

    aws.advance(timedelta(minutes=4))
    assert "RUNNING" == only(aws).status
    aws.advance(timedelta(minutes=2))

    assert "TIMED_OUT" == only(aws).status


def test_sleeping_execution_can_be_stopped(aws: Aws) -> None:
    """StopExecution wakes it; no time passes."""
    arn = start(aws, {"A": {"Type": "Wait", "Seconds": 600, "End": True}})
    aws.settle()

    aws.client("stepfunctions").stop_execution(executionArn=arn)
    aws.settle()

    assert ("ABORTED", 0) == (only(aws).status, minutes(aws))


def test_parallel_branches_sleep_side_by_side(aws: Aws) -> None:
    """Their threads work for the same execution."""
    branches = [
        {"StartAt": name, "States": {name: {"Type": "Wait", "Seconds": seconds, "End": True}}}
        for name, seconds in (("B", 60), ("C", 120))
    ]
    start(aws, {"A": {"Type": "Parallel", "Branches": branches, "End": True}})

    aws.wait_idle()

    assert ("SUCCEEDED", 2) == (only(aws).status, minutes(aws))


def test_same_name_and_input_start_once_while_it_runs(aws: Aws) -> None:
    """A repeated start is the first one; the same name with another input is refused."""
    start(aws, {"A": {"Type": "Wait", "Seconds": 60, "End": True}})
    client = aws.client("stepfunctions")
    (machine,) = client.list_state_machines()["stateMachines"]
    named = {"stateMachineArn": machine["stateMachineArn"], "name": "x1"}

    first = client.start_execution(**named, input="{}")["executionArn"]

    assert first == client.start_execution(**named, input="{}")["executionArn"]
    with pytest.raises(client.exceptions.ExecutionAlreadyExists):
        client.start_execution(**named, input='{"other": 1}')


def test_idling_fails_loudly_when_an_execution_waits_for_ever(aws: Aws) -> None:
    """A loop that never ends is named instead of hanging the test."""
    arn = start(aws, {"A": {"Type": "Wait", "Seconds": 600, "Next": "B"}, "B": {"Type": "Pass", "Next": "A"}})

    with pytest.raises(AssertionError) as caught:
        aws.wait_idle(within=timedelta(hours=1))

    assert f"not idle within 1:00:00 of simulated time: {arn} (wait until 2026-01-05T10:10:00+00:00)" == str(
        caught.value
    )


def test_settling_fails_loudly_when_a_function_does_not_return(aws: Aws) -> None:
    """A handler that blocks for real is named."""
    go = threading.Event()
    aws.function("work", lambda event, context: go.wait(10) and None)
    arn = start(aws, {"A": task()})

    with pytest.raises(AssertionError) as caught:
        aws.settle(timeout=0.2)

    go.set()
    assert f"still running after 0.2 s: {arn}" == str(caught.value)


def test_running_executions_end_when_the_bed_is_closed() -> None:
    """Sleepers, people waited for and loops: no thread is left."""
    before = set(threading.enumerate())
    with Aws() as aws:
        aws.function("ask", lambda event, context: None)
        start(aws, {"A": approval(TimeoutSeconds=900)})
        loop = {"A": {"Type": "Wait", "Seconds": 600, "Next": "A"}}
        definition = json.dumps({"StartAt": "A", "States": loop})
        machine = aws.client("stepfunctions").create_state_machine(name="loop", definition=definition, roleArn=ROLE)
        aws.client("stepfunctions").start_execution(stateMachineArn=machine["stateMachineArn"])
        aws.settle()

    assert before == set(threading.enumerate())
