"""The Runtime Interface Emulator runs an unpacked zip in real processes, against the account of the test bed."""

import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.emulators.aws import Aws
from tests.emulators.rie import Runtime
from tests.emulators.rie.runtime import listens

pytestmark = pytest.mark.xdist_group("runtime")  # one account for all of them

FUNCTION = """\
import os, sys, time

def handler(event, context):
    if "exit" in event:
        os._exit(event["exit"])
    if "sleep" in event:
        time.sleep(event["sleep"])
    if "fail" in event:
        raise PermissionError(event["fail"])
    if "import" in event:
        return __import__(event["import"]).__file__
    if "value" in event:
        import boto3
        boto3.client("ssm").put_parameter(Name="/v", Value=event["value"], Type="String", Overwrite=True)
    return {"pid": os.getpid(), "color": os.environ.get("COLOR"), "name": context.function_name,
            "left": context.get_remaining_time_in_millis(), "home": os.environ["LAMBDA_TASK_ROOT"]}
"""


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    """Return an account that is reached over HTTP too."""
    with Aws() as bed:
        yield bed


@pytest.fixture(scope="module")
def runtime(aws: Aws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    """Return the tiny function, running."""
    folder = tmp_path_factory.mktemp("unpacked")
    (folder / "app.py").write_text(FUNCTION)
    with Runtime(
        folder,
        "app.handler",
        scratch=tmp_path_factory.mktemp("scratch"),
        environment={"AWS_ENDPOINT_URL": aws.serve(), "COLOR": "green"},
        timeout=30,
        name="tiny",
    ) as started:
        yield started


def test_function_writes_to_the_account(aws: Aws, runtime: Runtime) -> None:
    """A real process, a real SDK, the account of the test."""
    reply = runtime.invoke({"value": "written"})

    assert (200, None) == (reply.status, reply.error)
    assert ("tiny", "green") == (reply.payload["name"], reply.payload["color"])
    assert 0 < reply.payload["left"] <= 30_000
    assert "written" == aws.client("ssm").get_parameter(Name="/v")["Parameter"]["Value"]


def test_process_is_kept_until_it_dies(runtime: Runtime) -> None:
    """Warm invocations share a process; after a death the next one gets a new one."""
    first, second = (runtime.invoke({}).payload["pid"] for _ in range(2))
    death = runtime.invoke({"exit": 3})
    third = runtime.invoke({}).payload["pid"]

    assert first == second != third
    assert (502, "Runtime.ExitError") == (death.status, death.error)


def test_function_is_ended_when_its_time_is_over(tmp_path: Path) -> None:
    """By the emulator, in real time, start included."""
    (tmp_path / "app.py").write_text(FUNCTION)
    begun = time.monotonic()

    with Runtime(tmp_path, "app.handler", scratch=tmp_path / "scratch", timeout=1) as limited:
        reply = limited.invoke({"sleep": 600})

    assert ("Sandbox.Timedout", "Task timed out after 1.00 seconds") == (reply.error, reply.payload)
    assert 1 <= time.monotonic() - begun < 90


def test_exception_of_the_handler_is_the_error(runtime: Runtime) -> None:
    """Its class is the name by which Step Functions catches it."""
    reply = runtime.invoke({"fail": "not yours"})

    assert ("PermissionError", "not yours") == (reply.error, reply.payload["errorMessage"])


def test_callers_wait_for_each_other(runtime: Runtime) -> None:
    """The emulator breaks on two invocations at once; the harness never makes them."""
    with ThreadPoolExecutor(4) as pool:
        replies = list(pool.map(lambda _: runtime.invoke({"sleep": 0.02}), range(8)))

    assert [None] * 8 == [reply.error for reply in replies]


def test_function_sees_what_lambda_brings_and_nothing_else(runtime: Runtime) -> None:
    """A package that is missing in the zip must be missing in the test."""
    missing = runtime.invoke({"import": "pydantic"})

    assert "ModuleNotFoundError" == missing.error
    assert "boto3" in runtime.invoke({"import": "boto3"}).payload


def test_test_bed_runs_it_as_one_of_its_functions(aws: Aws, runtime: Runtime) -> None:
    """Step Functions retries a real death, and gets the answer of a new process."""
    function = aws.function("tiny", runtime.handler)
    retry = {"ErrorEquals": ["Runtime.ExitError"], "IntervalSeconds": 5, "MaxAttempts": 1}
    parameters = {"FunctionName": function.arn, "Payload.$": "$"}
    task = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": parameters, "End": True}
    definition = {"StartAt": "A", "States": {"A": {**task, "Retry": [retry]}}}
    client = aws.client("stepfunctions")
    machine = client.create_state_machine(
        name="m", definition=json.dumps(definition), roleArn="arn:aws:iam::123456789012:role/r"
    )

    client.start_execution(stateMachineArn=machine["stateMachineArn"], input='{"exit": 1}')
    aws.wait_idle()

    (execution,) = aws.executions()
    assert ("FAILED", "Runtime.ExitError") == (execution.status, execution.error)
    errors = [each.error and each.error["errorType"] for each in function.invocations]
    assert ["Runtime.ExitError", "Runtime.ExitError"] == errors


def test_no_process_is_left_when_it_is_stopped(tmp_path: Path) -> None:
    """Neither the emulator nor the function, and the port is free."""
    (tmp_path / "app.py").write_text(FUNCTION)
    with Runtime(tmp_path, "app.handler", scratch=tmp_path / "scratch", name="short") as started:
        pid = started.invoke({}).payload["pid"]
        port = started._port

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not listens(port)
    assert "START RequestId" in started.log()


def test_start_fails_with_the_log_when_the_handler_cannot_be_run(tmp_path: Path) -> None:
    """What is missing in the zip is said by the runtime itself."""
    with Runtime(tmp_path, "nowhere.handler", scratch=tmp_path / "scratch") as started:
        reply = started.invoke({})

    assert "Runtime.ImportModuleError" == reply.error
    assert "No module named 'nowhere'" in reply.payload["errorMessage"]
