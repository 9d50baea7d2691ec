"""The whole loop in AWS: webhook, journal, bus, state machine, flag, topic, audit; and back again."""

from collections.abc import Callable
from datetime import timedelta

from tests.emulators.aws import Aws
from tests.pipeline.installation import Installation

Install = Callable[..., Installation]


def test_an_alert_is_acted_on_and_what_was_done_is_undone_after_it_has_resolved(aws: Aws, install: Install) -> None:
    """From the webhook to the flag, and from the resolved alert to the flag as it was: each value written once."""
    installed = install()
    alert = installed.fires()

    reply = installed.post(alert)
    aws.settle()

    assert (reply.status, reply.json()["accepted"]) == (202, 1)
    assert installed.flag() == "true"
    aws.advance(timedelta(minutes=5))
    installed.post(installed.resolved(alert))
    aws.wait_idle()

    run = installed.execution()
    assert (run.status, run.compensation) == ("succeeded", "undone")
    assert installed.writes() == ["false", "true", "false"]
    assert installed.drivers(running=True) == 0


def test_what_was_done_is_told_to_the_on_call_and_to_the_audit_log(aws: Aws, install: Install) -> None:
    """The topic hears the events of the runbook, the log group every record, in the order of its numbers."""
    installed = install()

    installed.post(installed.fires())
    aws.settle()

    assert [message["event"] for message in installed.told()][:2] == ["started", "changed"]
    audited = [event for event in aws.audit(installed.pipeline) if event["detail-type"] == "Execution Audited"]
    numbers = [event["detail"]["record"]["number"] for event in audited]
    kept = installed.host(acts=False).engine.journal.audit(installed.execution().id)
    assert numbers == [record.number for record in kept]


def test_an_alert_without_a_runbook_reaches_the_on_call_all_the_same(aws: Aws, install: Install) -> None:
    """A critical alert that nothing takes is told by the bus itself."""
    installed = install()

    installed.post(installed.fires("NobodyKnowsMe"))
    aws.settle()

    assert installed.executions() == ()
    assert any("NobodyKnowsMe" in message.body for message in aws.messages(installed.pipeline.queues["messages"]))


def test_a_repeated_webhook_changes_nothing(aws: Aws, install: Install) -> None:
    """Alertmanager sends again what still fires: the same episode, the same execution, no second change."""
    installed = install()
    alert = installed.fires()

    for _ in range(3):
        assert installed.post(alert).status == 202
        aws.settle()

    assert installed.writes() == ["false", "true"]
    assert len(installed.executions()) == 1


def test_new_processes_go_on_where_the_old_ones_were(aws: Aws, install: Install) -> None:
    """Nothing that must last is in a process."""
    installed = install()
    alert = installed.fires()
    installed.post(alert)
    aws.settle()

    installed.restart()
    installed.post(installed.resolved(alert))
    aws.wait_idle()

    assert installed.writes() == ["false", "true", "false"]
