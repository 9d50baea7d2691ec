"""What an alert, a person or an outage does at an awkward moment, each named."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from msgspec.structs import replace

from runbook_engine.errors import Retryable
from runbook_engine.model.delivery import Request
from runbook_engine.model.guardrail import BudgetRule, Guardrails
from runbook_engine.model.observation import Pause
from runbook_engine.model.runbook import Approval, ModeRule, Retry
from tests.crash.invariants import assert_sound
from tests.scenario.rig import ALERT, DEGRADE, MINUTE, SCALE, SECOND, Rig, runbook

HOUR = 60 * MINUTE
APPROVED = replace(DEGRADE, approval=Approval(by="team-checkout", timeout=10 * MINUTE))


def notification(rig: Rig, status: str, **changes: str) -> dict[str, object]:
    """Return one alert of a webhook."""
    now = rig.now.isoformat()
    ends = {"endsAt": now} if status == "resolved" else {}
    labels = {"alertname": ALERT, "severity": "critical", "namespace": "apps"}
    return {"status": status, "labels": labels, "startsAt": now, **ends, **changes}


def deliver(rig: Rig, *alerts: dict[str, object]) -> None:
    """Post one webhook that holds several alerts."""
    body = json.dumps({"version": "4", "alerts": alerts}).encode()
    rig.engine.ingest(Request("local", "alertmanager", {"content-type": "application/json"}, body, rig.now))


def intents(rig: Rig) -> int:
    """Return how many changes were begun."""
    return sum(record.event == "intended" for record in rig.journal.audit(rig.execution().id))


# --- order ----------------------------------------------------------------------------------------------------


def test_nothing_runs_when_the_resolve_arrives_before_its_firing() -> None:
    """Senders reorder; a firing from before its own end is late."""
    rig = Rig()
    started = rig.now
    rig.run(MINUTE)
    deliver(rig, notification(rig, "resolved", startsAt=started.isoformat()))

    deliver(rig, notification(rig, "firing", startsAt=started.isoformat()))
    rig.run(MINUTE)

    assert () == rig.journal.executions(limit=10)
    assert () == rig.simulated.effects_made


def test_one_execution_and_one_change_come_of_a_webhook_that_is_sent_five_times() -> None:
    """At least once is what senders promise."""
    rig = Rig()
    rig.healed_by_flag()
    started = rig.now

    for _ in range(5):
        deliver(rig, notification(rig, "firing", startsAt=started.isoformat()))
        rig.run(10 * SECOND)
    rig.run(MINUTE)

    assert 1 == len(rig.journal.executions(limit=10))
    assert 1 == len(rig.execution().members)
    assert ["flags.write"] == [touch.method for touch in rig.simulated.effects_made]


def test_a_run_is_cancelled_when_one_delivery_both_fires_and_resolves_its_alert() -> None:
    """A queue hands over what has piled up; the end must not be lost because it came with the beginning."""
    rig = Rig()
    rig.healed_by_flag()
    fired = notification(rig, "firing")
    rig.simulated.push(SECOND)

    deliver(rig, fired, notification(rig, "resolved", startsAt=str(fired["startsAt"])))
    rig.run(MINUTE)

    assert "cancelled" == rig.execution().status
    assert () == rig.simulated.effects_made


def test_a_run_goes_on_when_one_delivery_fires_resolves_and_fires_again() -> None:
    """The last word counts: the alert fires."""
    rig = Rig()
    rig.healed_by_flag()
    fired = notification(rig, "firing")
    rig.simulated.push(SECOND)
    resolved = notification(rig, "resolved", startsAt=str(fired["startsAt"]))
    rig.simulated.push(10 * MINUTE)

    deliver(rig, fired, resolved, notification(rig, "firing"))
    rig.run(MINUTE)

    assert "succeeded" == rig.execution().status
    assert ["resolved", "firing"] == [member.state for member in rig.execution().members]


def test_a_joined_alert_counts_as_resolved_when_one_delivery_joins_and_resolves_it() -> None:
    """The second alert of a fault begins and ends in one delivery, while the first still fires."""
    rig = Rig()
    rig.healed_by_flag()
    rig.fire(pod="a")
    labels = {"alertname": ALERT, "severity": "critical", "namespace": "apps", "pod": "b"}
    fired = {**notification(rig, "firing"), "labels": labels}
    rig.simulated.push(SECOND)
    resolved = {**notification(rig, "resolved", startsAt=str(fired["startsAt"])), "labels": labels}

    deliver(rig, fired, resolved)
    rig.run(MINUTE)
    rig.resolve(pod="a")
    rig.errors(lambda world: 0.001)
    rig.run(11 * MINUTE)

    assert ["resolved", "resolved"] == [member.state for member in rig.execution().members]
    assert "undone" == rig.execution().compensation


# --- holding --------------------------------------------------------------------------------------------------


def test_the_change_is_kept_and_handed_over_when_the_alert_returns_within_the_hold_time() -> None:
    """`onRefire: keep`: no flapping by us."""
    rig = Rig()
    rig.healed_by_flag()
    rig.fire()
    rig.run(2 * MINUTE)
    rig.resolve()
    rig.run(9 * MINUTE)

    rig.fire()
    rig.run(HOUR)

    assert ("handed_over", "held") == (rig.execution().status, rig.execution().compensation)
    assert "true" == rig.flag()
    assert 1 == len(rig.journal.executions(limit=10))


def test_the_alert_is_not_lost_when_it_returns_while_a_change_without_verification_is_being_undone() -> None:
    """Joined to a run that is just undoing: somebody must have it."""
    rig = Rig(runbook(verify=(), strategy="sequence", steps=(DEGRADE,)))
    rig.errors(lambda world: 0.12)
    rig.fire()
    rig.run(MINUTE)
    rig.resolve()
    rig.simulated.fail_next("flags.write", Retryable("busy", after=30 * SECOND))
    rig.run(10 * MINUTE + 5 * SECOND)
    assert "undoing" == rig.execution().compensation

    rig.fire()
    rig.run(5 * MINUTE)

    assert "handed_over" == rig.execution().status
    assert "notFixed" in rig.told("oncall")
    assert_sound(rig.journal)


def test_somebody_elses_value_is_kept_when_the_flag_was_edited_while_it_was_held() -> None:
    """Ours only while it is ours."""
    rig = Rig()
    rig.healed_by_flag()
    rig.fire()
    rig.run(2 * MINUTE)
    rig.simulated.set_parameter("/checkout/degraded_mode", "partly", by="ann")

    rig.resolve()
    rig.run(30 * MINUTE)

    assert "superseded" == rig.execution().compensation
    assert "partly" == rig.flag()


# --- approval -------------------------------------------------------------------------------------------------


def test_the_question_lapses_and_nothing_is_changed_when_the_alert_resolves_while_approval_is_awaited() -> None:
    """Nobody is asked for what is no longer needed."""
    rig = Rig(runbook(steps=(APPROVED,)))
    rig.healed_by_flag()
    rig.fire()
    rig.run(MINUTE)
    assert "awaiting_approval" == rig.execution().status

    rig.resolve()
    rig.run(MINUTE)

    assert "cancelled" == rig.execution().status
    assert rig.execution().approval is None
    assert () == rig.simulated.effects_made


def test_nothing_is_changed_when_the_yes_and_the_resolve_arrive_together() -> None:
    """No new change starts once every alert is resolved, approved or not."""
    rig = Rig(runbook(steps=(APPROVED,)))
    rig.healed_by_flag()
    rig.fire()
    rig.run(MINUTE)
    request = rig.execution().approval
    assert request is not None

    rig.engine.approve(rig.execution().id, plan_hash=request.hash, by="ann", now=rig.now)
    rig.resolve()
    rig.run(MINUTE)

    assert "cancelled" == rig.execution().status
    assert () == rig.simulated.effects_made


# --- a change that is put off ---------------------------------------------------------------------------------


def retrying(rig: Rig, after: timedelta = 5 * SECOND, times: int = 1) -> None:
    """Fire, and let the first call of the change be put off."""
    rig.healed_by_flag()
    rig.simulated.fail_next("flags.write", Retryable("throttled", after=after), times=times)
    rig.fire()
    rig.run(3 * SECOND)
    assert "retrying" == rig.execution().steps[0].effect.status  # type: ignore[union-attr]


def test_a_retry_waits_quietly_when_the_engine_is_paused_in_between() -> None:
    """A passing no is waited for, not asked again and again."""
    rig = Rig()
    retrying(rig)
    rig.simulated.pauses.throw(Pause(until=rig.now + 5 * MINUTE, by="ann"))

    rig.run(4 * MINUTE)
    assert () == rig.simulated.effects_made
    rig.run(3 * MINUTE)

    assert "succeeded" == rig.execution().status
    assert 1 == len(rig.simulated.effects_made)
    assert len(rig.journal.audit(rig.execution().id)) < 20


def test_a_retry_ends_blocked_when_the_deadline_passes_in_between() -> None:
    """A no for good ends the run, although a change of it was on its way."""
    guardrails = Guardrails(cooldown=HOUR, deadline=2 * MINUTE)
    rig = Rig(runbook(guardrails=guardrails, steps=(DEGRADE,)))
    retrying(rig, after=5 * MINUTE)

    rig.run(10 * MINUTE)

    assert "blocked" == rig.execution().status
    assert "the deadline of 2m has passed" in rig.execution().reason
    assert () == rig.simulated.effects_made
    assert_sound(rig.journal)


def test_a_retry_does_not_start_when_every_alert_has_resolved_in_between() -> None:
    """The first call surely did nothing, so the next one would be a new change."""
    rig = Rig()
    retrying(rig, after=MINUTE)

    rig.resolve()
    rig.run(5 * MINUTE)

    assert "cancelled" == rig.execution().status
    assert () == rig.simulated.effects_made
    assert_sound(rig.journal)


def test_a_retried_change_spends_the_budget_once_when_its_call_is_made_three_times() -> None:
    """One change is one change, however often its call was made."""
    budget = BudgetRule(changes=5, per="fleet", window=HOUR)
    rig = Rig(runbook(guardrails=Guardrails(cooldown=HOUR, deadline=HOUR, budget=budget)))
    retrying(rig, times=2)

    rig.run(2 * MINUTE)

    assert 1 == len(rig.simulated.effects_made)
    assert 1 == rig.journal.changes_within("fleet", rig.now - HOUR, other_than="")


# --- the end --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("undo", [False, True], ids=["keep", "undo"])
@pytest.mark.parametrize("stop", ["cancel", "take_over"])
def test_an_ended_run_with_nothing_in_place_stays_as_it_is_when_a_person_stops_it(stop: str, undo: bool) -> None:
    """There is nothing to stop, and history is not rewritten."""
    rig = Rig(runbook(steps=(DEGRADE,)))
    rig.healed_by_flag()
    rig.fire()
    rig.run(MINUTE)
    rig.resolve()
    rig.errors(lambda world: 0.001)
    rig.run(12 * MINUTE)
    before = rig.execution()
    assert before.finished
    assert ("succeeded", "undone") == (before.status, before.compensation)

    getattr(rig.engine, stop)(before.id, undo=undo, by="ann", now=rig.now)
    rig.run(MINUTE)

    after = rig.execution()
    assert (before.status, before.reason, before.compensation) == (after.status, after.reason, after.compensation)
    assert 2 == len(rig.simulated.effects_made)


def test_modes_below_auto_change_nothing_without_a_yes() -> None:
    """`propose` tells, and hands over when nobody answers."""
    rig = Rig(runbook(mode=(ModeRule(mode="propose"),), steps=(replace(DEGRADE, retry=Retry(attempts=1)), SCALE)))
    rig.healed_by_flag()

    rig.fire()
    rig.run(HOUR)

    assert "handed_over" == rig.execution().status
    assert () == rig.simulated.effects_made
    assert 0 == intents(rig)
