"""What the platform does at its worst: twice, late, half, not at all. Each change is made once, and nothing is lost."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.emulators.aws import Aws
from tests.pipeline.installation import Installation

Install = Callable[..., Installation]
DRIVE = "runbook-engine-runbook-action"
SWEEP = "runbook-engine-sweep"
ONCE = ["false", "true"]


def test_every_event_comes_three_times_and_out_of_order(aws: Aws, install: Install) -> None:
    """Of several drivers one goes on; the others end themselves."""
    installed = install()
    aws.bus.duplicate(3)
    aws.bus.shuffle(7)
    alert = installed.fires()

    installed.post(alert)
    aws.settle()
    installed.post(installed.resolved(alert))
    aws.wait_idle()

    assert installed.writes() == [*ONCE, "false"]
    assert installed.drivers(running=True) == 0


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalFailure"])
def test_events_that_the_bus_does_not_take_are_put_again_one_by_one(aws: Aws, install: Install, code: str) -> None:
    """A 200 can hide a failure: what was taken is not put twice, what was not is."""
    installed = install()
    aws.bus.fail_entries(code, which=(0,), times=1)

    installed.post(installed.fires())
    aws.settle()

    assert installed.writes() == ONCE


def test_a_driver_that_could_not_be_asked_for_is_asked_for_by_the_sweep(aws: Aws, install: Install) -> None:
    """The sender has its 202, since the alert is durable; within two minutes somebody drives."""
    installed = install()
    aws.bus.fail_entries("AccessDeniedException", which=lambda index, entry: True, times=2)

    assert installed.post(installed.fires()).status == 202
    aws.settle()
    assert installed.writes() == ["false"]

    aws.schedule(SWEEP, every=timedelta(minutes=1))
    aws.advance(timedelta(minutes=3))

    assert installed.writes() == ONCE


def test_a_driver_whose_start_is_dead_lettered_is_replaced_by_the_sweep(aws: Aws, install: Install) -> None:
    """An event that could not be delivered is in its queue, and the run goes on without it."""
    installed = install()
    aws.faults.fail("stepfunctions", "StartExecution", "AccessDeniedException", status=400, times=1)

    installed.post(installed.fires())
    aws.settle()
    assert installed.writes() == ["false"]
    assert len(aws.messages(installed.pipeline.queues["driver_dlq"])) == 1

    aws.schedule(SWEEP, every=timedelta(minutes=1))
    aws.advance(timedelta(minutes=3))
    assert installed.writes() == ONCE


def test_a_replayed_archive_starts_nothing(aws: Aws, install: Install) -> None:
    """An event that comes again out of the archive is history, never a reason to act."""
    installed = install()
    alert = installed.fires()
    installed.post(alert)
    aws.settle()
    installed.post(installed.resolved(alert))
    aws.wait_idle()
    before = (installed.writes(), installed.drivers())

    aws.bus.replay(installed.pipeline.archive)
    aws.wait_idle()

    assert (installed.writes(), installed.drivers()) == before


@pytest.mark.parametrize("fault", ["kill", "lose_answer", "hang"])
@pytest.mark.parametrize("nth", [1, 2])
def test_a_driver_dies_and_the_next_call_goes_on(aws: Aws, install: Install, fault: str, nth: int) -> None:
    """Before it begins, after it is done, or by its time limit: one change, and its undo."""
    installed = install()
    getattr(aws.faults, fault)(DRIVE, nth)
    alert = installed.fires()

    installed.post(alert)
    aws.wait_idle()
    installed.post(installed.resolved(alert))
    aws.wait_idle()

    assert installed.writes() == [*ONCE, "false"]
    assert installed.execution().compensation == "undone"


@pytest.mark.parametrize(
    ("service", "operation"),
    [("dynamodb", "TransactWriteItems"), ("ssm", "GetParameter"), ("ssm", "PutParameter"), ("sns", "Publish")],
)
def test_a_service_that_throttles_delays_and_loses_nothing(
    aws: Aws, install: Install, service: str, operation: str
) -> None:
    """Slower, and otherwise the same."""
    installed = install()
    installed.host(acts=True)
    aws.faults.throttle(service, operation, times=2)

    installed.post(installed.fires())
    aws.wait_idle()
    aws.schedule(SWEEP, every=timedelta(minutes=1))
    aws.advance(timedelta(minutes=5))

    assert installed.writes() == ONCE
    assert installed.execution().status == "succeeded"


def test_an_answer_of_the_flag_store_is_lost_and_the_flag_is_written_once(aws: Aws, install: Install) -> None:
    """Whether it was written is looked at, not guessed."""
    installed = install()
    aws.faults.lose("ssm", "PutParameter", times=1, after=True)

    installed.post(installed.fires())
    aws.wait_idle()

    assert installed.writes() == ONCE


def test_the_state_machine_itself_is_lost_and_the_sweep_starts_another(aws: Aws, install: Install) -> None:
    """Whatever ended the driver, the run is found by when it was due."""
    installed = install()
    alert = installed.fires()
    installed.post(alert)
    aws.settle()
    machine = aws.client("stepfunctions")
    for execution in aws.executions("RUNNING"):
        machine.stop_execution(executionArn=execution.arn)

    installed.post(installed.resolved(alert))
    aws.schedule(SWEEP, every=timedelta(minutes=1))
    aws.advance(timedelta(minutes=15))

    assert installed.writes() == [*ONCE, "false"]


def test_a_kill_switch_that_cannot_be_read_stops_every_change(aws: Aws, install: Install) -> None:
    """What cannot be read says no; read again, the run goes on."""
    installed = install()
    aws.faults.fail("ssm", "GetParameter", "AccessDeniedException", status=400, times=1000)

    reply = installed.post(installed.fires())

    assert reply.status == 503  # not even the tokens can be read
    aws.faults.clear()
    assert installed.writes() == ["false"]
