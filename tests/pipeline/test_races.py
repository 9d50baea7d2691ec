"""Two at once, and one too late: what a call that is believed dead, or a slow bus, could do between two lines."""

from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from runbook_engine.entrypoints.aws_lambda.driving import drive_on
from runbook_engine.model.observation import Pause
from tests.emulators.aws import Aws
from tests.pipeline.installation import Installation

Install = Callable[..., Installation]
DRIVE = "runbook-engine-runbook-action"
SWEEP = "runbook-engine-sweep"
LIVELY = SimpleNamespace(get_remaining_time_in_millis=lambda: 200_000)  # the context of an invocation


def test_a_call_that_is_made_again_while_the_first_is_still_at_work_changes_nothing(aws: Aws, install: Install) -> None:
    """The platform lost its answer and calls again: the first one has its lease, and the second waits for its end."""
    told: list[Any] = []

    def again(place: str) -> None:
        if place == "after-intent" and not told:
            event = {
                "execution_id": installed.execution().id,
                "driver": aws.executions()[0].arn,
                "cycle": 0,
                "attempt": 1,
            }
            told.append(drive_on(event, LIVELY, installed.host(acts=True)))
            told.append(installed.flag())

    installed = install(checkpoint=again)
    installed.post(installed.fires())
    aws.settle()

    reply, flag = told
    assert (reply["op"], flag) == ("wait", "false")
    assert 0 < reply["seconds"] <= 60
    assert installed.writes() == ["false", "true"]


def test_every_call_is_told_how_often_it_was_made_before(aws: Aws, install: Install) -> None:
    """The retry has a name of its own, and the call after it goes on under that name."""
    installed = install()
    aws.faults.kill(DRIVE, 1)

    installed.post(installed.fires())
    aws.wait_idle()

    calls = [call.event for call in installed.pipeline.functions["drive"].invocations]
    driver = calls[0]["driver"]
    assert [call["attempt"] for call in calls[:2]] == [0, 1]
    assert {call["owner"] for call in calls[2:]} <= {f"{driver}#0.1"}
    assert installed.writes() == ["false", "true"]


def test_audit_records_that_the_bus_does_not_take_are_told_after_the_end(aws: Aws, install: Install) -> None:
    """The last call waits for the bus, and keeps its seat meanwhile: at least once, never less."""
    installed = install()
    alert = installed.fires()
    installed.post(alert)
    aws.settle()
    broken = True
    aws.bus.fail_entries(
        "AccessDeniedException",
        which=lambda index, entry: broken and entry["DetailType"] == "Execution Audited",
        times=1000,
    )

    installed.post(installed.resolved(alert))
    aws.advance(timedelta(minutes=12))
    assert installed.execution().compensation == "undone"
    broken = False
    aws.wait_idle()

    told = {event["detail"]["record_id"] for event in aws.audit(installed.pipeline) if "record" in event["detail"]}
    kept = installed.host(acts=False).engine.journal.audit(installed.execution().id)
    assert told == {f"{record.execution_id}-{record.number}" for record in kept}
    assert installed.drivers(running=True) == 0


def test_the_end_of_a_pause_is_told_once_and_the_switch_is_left_alone(aws: Aws, install: Install) -> None:
    """A person may throw it again at that very moment, and no sweep may undo that."""
    installed = install()
    _, switch = installed.host(acts=False).pause()
    switch.throw(Pause(until=aws.clock.now() + timedelta(seconds=30), by="ann", reason="a drill"))

    aws.advance(timedelta(minutes=3))  # the sweep is late
    found = [aws.invoke(SWEEP, {}).reply["pauses_ended"] for _ in range(3)]

    assert found == [1, 0, 0]
    versions = aws.client("ssm").get_parameter_history(Name="/runbook-engine/pause")["Parameters"]
    assert len(versions) == 1
