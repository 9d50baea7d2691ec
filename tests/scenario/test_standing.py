"""Standing: a run that fails lowers its runbook until a commit changes it; nothing else raises it."""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace

from runbook_engine.errors import Permanent
from runbook_engine.model.alert import Alert
from runbook_engine.model.incident import Intake
from runbook_engine.model.runbook import Input, ModeRule, Runbook
from runbook_engine.model.standing import end_of
from runbook_engine.model.target import TargetTemplate
from runbook_engine.testing.memory_journal import MemoryJournal
from runbook_engine.testing.simulated_world import SimulatedWorld
from tests.scenario.rig import DEGRADE, FLAG, MINUTE, SCALE, Rig, runbook

HOUR = timedelta(hours=1)


def failing(**changes: object) -> Rig:
    """Return a rig whose first run fails."""
    rig = Rig(runbook(**changes))
    rig.healed_by_flag()
    rig.simulated.fail_next("flags.write", Permanent("denied"))
    rig.fire(service="a")
    rig.run(MINUTE)
    rig.resolve(service="a")
    rig.run(HOUR, step=MINUTE)
    return rig


def test_a_failed_run_lowers_its_runbook_to_approve() -> None:
    """The ending notice says it, and the next run asks first."""
    rig = failing()

    rig.fire(service="b")
    rig.run(MINUTE)

    first, second = rig.execution(0), rig.execution(1)
    assert ("failed", "auto") == (first.status, first.mode)
    assert ("awaiting_approval", "approve", "approve") == (second.status, second.mode, second.trusted)
    [ending] = [each.message for each in rig.simulated.inbox.messages if each.message.event == "ended"]
    assert ending.text.endswith("; its runbook is demoted to approve until a commit changes it")
    [arrival] = [each for each in rig.journal.arrivals(second.incident_id) if each.decisions]
    said = f"demoted to approve until a commit changes it, since execution {first.id[:8]} failed"
    assert f"mode approve, {said}" == arrival.decisions[0].reason


def test_a_success_with_a_yes_does_not_raise_it_again() -> None:
    """It may have been luck; a person raises it, by a commit."""
    rig = failing()
    rig.fire(service="b")
    rig.run(MINUTE)
    asked = rig.execution(1).approval
    assert asked is not None
    rig.engine.approve(rig.execution(1).id, plan_hash=asked.hash, by="ann", now=rig.now)
    rig.run(MINUTE)
    rig.errors(lambda world: 0.001)
    rig.resolve(service="b")
    rig.run(HOUR, step=MINUTE)

    rig.fire(service="c")
    rig.run(MINUTE)

    assert ("succeeded", "approve") == (rig.execution(1).status, rig.execution(2).mode)


def changed(rig: Rig, changed_runbook: Runbook) -> Rig:
    """Return a rig over the same journal and world after a commit."""
    assert isinstance(rig.journal, MemoryJournal)
    assert isinstance(rig.simulated, SimulatedWorld)
    return Rig(changed_runbook, journal=rig.journal, world=rig.simulated)


def test_a_commit_that_changes_the_runbook_begins_anew() -> None:
    """Its digest is another one, whatever was changed."""
    rig = changed(failing(), runbook(digest="another"))

    rig.fire(service="b")
    rig.run(MINUTE)

    assert ("succeeded", "auto") == (rig.execution(1).status, rig.execution(1).mode)
    assert "true" == rig.simulated.value_of(FLAG)


def test_a_run_that_was_opened_before_another_failed_makes_no_change_by_itself() -> None:
    """It is judged again before every change."""
    rig = Rig(runbook())
    rig.healed_by_flag()
    rig.fire(service="a")
    waiting = rig.execution(0)
    steps = tuple(replace(step, progress="changed") for step in waiting.steps)
    other = replace(waiting, id="other", slot="other", status="failed", stage="ended", ended_at=rig.now, steps=steps)

    rig.journal.record(Intake(opened=(other,)))
    rig.journal.commit(other, expected_version=0, end=end_of(other), now=rig.now)
    rig.run(MINUTE)

    said = "demoted to approve until a commit changes it, since execution other failed"
    stopped = rig.journal.load(waiting.id)
    assert ("blocked", said) == (stopped.status, stopped.reason)
    assert "false" == rig.simulated.value_of(FLAG)


def test_a_plan_shows_the_mode_that_a_run_would_have() -> None:
    """Looking tells the same as running."""
    rig = failing()
    alert: Alert = replace(rig.execution(0).alert, alert_key="new")

    [plan] = rig.engine.plan(alert, rig.now)

    assert "approve" == plan.mode


def test_a_proposal_that_fails_is_lowered_no_further() -> None:
    """A person starts it already."""
    rig = Rig(runbook(mode=(ModeRule(mode="propose"),)))
    rig.simulated.fail_next("flags.write", Permanent("denied"))
    rig.fire(service="a")
    rig.drive()
    asked = rig.execution().approval
    assert asked is not None
    rig.engine.approve(rig.execution().id, plan_hash=asked.hash, by="ann", now=rig.now)
    rig.run(MINUTE)

    assert "failed" == rig.execution().status
    texts = [each.message.text for each in rig.simulated.inbox.messages if each.message.event == "ended"]
    assert not any("demoted" in text for text in texts)


def held_without_a_fix() -> Rig:
    """Return a rig whose only run changed something, failed at the next step, and holds what it changed."""
    rig = Rig(runbook(strategy="sequence", steps=(DEGRADE, SCALE)))
    rig.errors(lambda world: 0.12)
    rig.simulated.fail_next("cluster.scale", Permanent("denied"))
    rig.fire(service="a")
    rig.run(MINUTE)
    assert ("failed", "held") == (rig.execution().status, rig.execution().compensation)
    return rig


def test_a_person_who_takes_a_failed_run_over_does_not_raise_its_runbook() -> None:
    """It failed all the same."""
    rig = held_without_a_fix()

    rig.engine.take_over(rig.execution().id, undo=False, by="ann", now=rig.now)
    rig.run(MINUTE)

    assert "handed_over" == rig.execution().status
    [stands] = rig.engine.standings()
    assert ("approve", "failed") == (stands.standing.ceiling, stands.standing.fault)


def test_an_alert_that_comes_back_after_a_failed_run_does_not_raise_its_runbook() -> None:
    """What came back is handed to a person; that the run failed stays known."""
    rig = held_without_a_fix()
    rig.resolve(service="a")
    rig.run(MINUTE)

    rig.fire(service="a")
    rig.run(MINUTE)

    assert "handed_over" == rig.execution().status
    [stands] = rig.engine.standings()
    assert ("approve", "failed") == (stands.standing.ceiling, stands.standing.fault)


def test_an_alert_about_what_is_not_there_does_not_lower_a_runbook() -> None:
    """Nothing was tried, so that nothing is known of the runbook; else any sender could take its trust by a name."""
    named = TargetTemplate(kind="deployment", name="{{ inputs.name }}", namespace="apps")
    inputs = (Input(name="name", path=("alert", "labels", "deployment")),)
    rig = Rig(runbook(inputs=inputs, target=named, steps=(SCALE,)))
    rig.errors(lambda world: 0.12)

    rig.fire(deployment="ghost")
    rig.run(MINUTE)

    ended = rig.execution()
    assert "failed" == ended.status
    assert "add-capacity: apps/deployment/ghost does not exist in cluster 'local'" == ended.reason
    [stands] = rig.engine.standings()
    assert ("auto", None) == (stands.standing.ceiling, stands.standing.because)
    texts = [each.message.text for each in rig.simulated.inbox.messages if each.message.event == "ended"]
    assert not any("demoted" in text for text in texts)
