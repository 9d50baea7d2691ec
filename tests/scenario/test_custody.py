"""Custody: what a person has taken over, and keeps, no other run changes until it is over or they give it back."""

from __future__ import annotations

from datetime import timedelta

from runbook_engine.model.matcher import Matcher
from runbook_engine.model.runbook import Runbook
from tests.scenario.rig import MINUTE, SCALE, Rig, runbook

HOUR = timedelta(hours=1)
OTHER = "CheckoutSlow"


def other(**changes: object) -> Runbook:
    """Return another runbook that wants to scale the same deployment."""
    slow = {"name": "checkout-slow", "digest": "d2", "matchers": (Matcher("alertname", "=", OTHER),), "steps": (SCALE,)}
    return runbook(**{**slow, **changes})


def taken(**named: object) -> Rig:
    """Return a rig in which ana has taken over a run that has changed the flag, and goes on."""
    rig = Rig(runbook(), other())
    rig.errors(lambda world: 0.12)
    rig.fire()
    rig.run(10 * timedelta(seconds=1))
    assert "true" == rig.flag()
    rig.engine.take_over(rig.execution().id, undo=False, by="ana", now=rig.now, **named)  # type: ignore[arg-type]
    rig.drive()
    return rig


def test_no_other_run_changes_the_target_while_a_person_keeps_it() -> None:
    """The refusal names the person, and how they give it back."""
    rig = taken()
    first = rig.execution(0)

    rig.fire(OTHER)
    rig.run(5 * MINUTE)

    assert ("handed_over", "ana") == (first.status, first.kept_by)
    until = "13:00:10 UTC (`runbook release"
    said = f"apps/deployment/checkout was taken over by ana, who keeps it until {until} {first.id[:8]}` gives it back)"
    assert (said, 4) == (rig.execution(1).waiting_for, rig.replicas())


def test_another_run_goes_on_when_the_person_gives_the_target_back() -> None:
    """It need not wait for the four hours."""
    rig = taken()
    rig.fire(OTHER)
    rig.run(MINUTE)

    rig.engine.release(rig.execution(0).id, by="ana", now=rig.now, reason="done")
    rig.run(MINUTE)

    assert 6 == rig.replicas()
    assert "ana let its targets go (done)" in rig.says(0)
    assert rig.execution(0).kept_until is None


def test_another_run_goes_on_when_the_alerts_of_the_first_are_resolved() -> None:
    """What the person fought is over."""
    rig = taken()
    rig.fire(OTHER)
    rig.run(MINUTE)

    rig.resolve()
    rig.run(MINUTE)

    assert 6 == rig.replicas()
    assert rig.execution(0).finished


def test_custody_ends_loudly_when_its_time_is_over() -> None:
    """A lock never stays for ever, and nobody is surprised."""
    rig = taken(keep_for=2 * HOUR)

    rig.run(2 * HOUR, step=MINUTE)

    first = rig.execution(0)
    assert first.kept_until is None
    assert rig.journal.lock_holder(rig.target().key) is None
    [said] = [each.message.text for each in rig.simulated.inbox.messages if "which is now" in each.message.text]
    assert said == (
        "ana took over apps/deployment/checkout until 11:00:10 UTC, which is now; "
        "its alerts are not resolved, and other runs may change it again"
    )


def test_a_target_is_kept_though_nothing_was_changed_yet() -> None:
    """The person took the run over before its first change."""
    rig = Rig(runbook(mode=runbook().mode), other())
    rig.errors(lambda world: 0.12)
    rig.fire()
    rig.engine.take_over(rig.execution().id, undo=False, by="ana", now=rig.now)
    rig.drive()

    rig.fire(OTHER)
    rig.run(MINUTE)

    assert ("false", 4) == (rig.flag(), rig.replicas())
    assert "taken over by ana" in rig.execution(1).waiting_for


def test_further_alerts_of_the_same_fault_join_what_a_person_keeps() -> None:
    """No second run of the same runbook is opened beside it."""
    rig = taken()

    rig.fire(pod="b")
    rig.drive()

    assert 1 == len(rig.journal.executions(limit=10))
    assert 2 == len(rig.execution().members)


def test_nothing_is_kept_when_the_person_has_it_undone() -> None:
    """They wanted the run away."""
    rig = Rig(runbook(), other())
    rig.errors(lambda world: 0.12)
    rig.fire()
    rig.run(10 * timedelta(seconds=1))

    rig.engine.take_over(rig.execution().id, undo=True, by="ana", now=rig.now)
    rig.run(MINUTE)

    assert rig.execution().kept_until is None
    assert rig.journal.lock_holder(rig.target().key) is None


def test_custody_outlives_the_process_that_took_it() -> None:
    """It stands in the journal, and whoever drives next ends it in time."""
    rig = taken()
    again = Rig(runbook(), other(), journal=rig.journal, world=rig.simulated)

    again.fire(OTHER)
    again.run(MINUTE)

    assert "taken over by ana" in again.execution(1).waiting_for
    again.run(5 * HOUR, step=MINUTE)
    assert again.journal.lock_holder(again.target().key) in (None, again.execution(1).id)
