"""Standing: a run that fails lowers its runbook until a commit changes it; nothing else raises it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from runbook_engine.errors import Conflict, Permanent, Retryable, RunbookError
from runbook_engine.model.alert import Alert
from runbook_engine.model.guardrail import Guardrails
from runbook_engine.model.incident import Intake
from runbook_engine.model.runbook import Compensate, Input, ModeRule, Runbook
from runbook_engine.model.standing import MOST_ENDS, end_of
from runbook_engine.model.target import TargetTemplate
from runbook_engine.testing.memory_journal import MemoryJournal
from runbook_engine.testing.simulated_world import SimulatedWorld
from tests.scenario.rig import DEGRADE, FLAG, MINUTE, SCALE, SECOND, Rig, runbook

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
    assert ("", said) == (first.demoted, second.demoted)


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


def many_succeed(rig: Rig) -> None:
    """Let more runs end well than are looked at, which were all opened before the newest one there is."""
    kept = rig.execution(len(rig.journal.executions(limit=100)) - 1)
    steps = tuple(replace(step, progress="changed") for step in kept.steps)
    for number in range(MOST_ENDS + 1):
        name = f"fine-{number}"
        fine = replace(kept, id=name, slot=name, status="succeeded", stage="ended", ended_at=rig.now, steps=steps)
        rig.journal.record(Intake(opened=(replace(fine, mode="auto", trusted="auto", verified=True),)))
        stored = rig.journal.load(name)
        rig.journal.commit(stored, expected_version=0, end=end_of(stored), now=rig.now)


def test_a_failed_run_is_known_however_many_runs_end_well_afterwards() -> None:
    """They were opened before it failed, so that none of them knows of it; a commit alone raises the runbook."""
    rig = failing()
    failed = rig.execution(0).id[:8]

    many_succeed(rig)

    [stands] = rig.engine.standings()
    said = f"demoted to approve until a commit changes it, since execution {failed} failed"
    assert (said, MOST_ENDS) == (stands.standing.says, stands.standing.successes)


def test_two_runs_that_fixed_nothing_are_known_however_many_runs_end_well_afterwards() -> None:
    """The second says that it was the second."""
    rig = Rig(runbook(steps=(DEGRADE,), guardrails=Guardrails(cooldown=timedelta(0), deadline=40 * MINUTE)))
    rig.errors(lambda world: 0.12)
    for service in ("a", "b"):
        rig.fire(service=service)
        rig.run(5 * MINUTE, step=5 * SECOND)
        rig.engine.cancel(rig.execution(0 if service == "a" else 1).id, undo=True, by="ann", now=rig.now)
        rig.resolve(service=service)
        rig.run(MINUTE)
    second = rig.execution(1)
    assert ("unresolved", "unresolved", "auto") == (rig.execution(0).status, second.status, second.mode)

    many_succeed(rig)

    [stands] = rig.engine.standings()
    said = (
        f"demoted to approve until a commit changes it, since execution {second.id[:8]} was the second in a row to "
        "change something and fix nothing"
    )
    assert said == stands.standing.says


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

    ended = rig.execution()
    said = "add-capacity failed: denied; taken over by ann, keeping what was changed"
    assert ("handed_over", said) == (ended.status, ended.reason)
    [stands] = rig.engine.standings()
    assert ("approve", "failed") == (stands.standing.ceiling, stands.standing.fault)


@pytest.mark.parametrize(
    ("undo", "what"), [pytest.param(True, "undoing", id="undo"), pytest.param(False, "keeping", id="keep")]
)
def test_a_person_who_takes_a_run_over_while_it_undoes_a_failure_does_not_raise_its_runbook(
    undo: bool, what: str
) -> None:
    """It had failed before they came: its end, its notice and its standing say so, whoever has it now."""
    rig = undoing_a_failure()

    rig.engine.take_over(rig.execution().id, undo=undo, by="ann", now=rig.now)
    rig.run(3 * MINUTE)

    ended = rig.execution()
    said = f"last failed: access denied; taken over by ann, {what} what was changed"
    assert ("handed_over", said) == (ended.status, ended.reason)
    [stands] = rig.engine.standings()
    assert ("approve", "failed") == (stands.standing.ceiling, stands.standing.fault)
    [told] = [each.message.text for each in rig.simulated.inbox.messages if each.message.event == "ended"]
    assert f"handed over: {said}; its runbook is demoted to approve until a commit changes it" == told


def test_a_failed_run_stays_one_although_two_people_take_it_over() -> None:
    """The second hears what the first did."""
    rig = held_without_a_fix()
    for name in ("ann", "rob"):
        rig.engine.take_over(rig.execution().id, undo=False, by=name, now=rig.now)
        rig.run(MINUTE)

    assert "add-capacity failed: denied; taken over by rob, keeping what was changed" == rig.execution().reason
    [stands] = rig.engine.standings()
    assert ("approve", "failed") == (stands.standing.ceiling, stands.standing.fault)


def undoing_a_failure() -> Rig:
    """Return a rig whose only run failed at its last step, and waits to undo the one before it."""
    last = replace(DEGRADE, name="last", arguments={"parameter": "/checkout/last", "value": "true"})
    grow = replace(SCALE, compensate=Compensate(when="onFailure"))
    rig = Rig(runbook(strategy="sequence", verify=(), steps=(grow, last)))
    rig.fire(service="a")
    rig.run(3 * SECOND)
    rig.simulated.fail_next("flags.write", Permanent("access denied"))
    rig.simulated.fail_next("cluster.scale", Retryable("throttled", after=2 * MINUTE))
    rig.run(10 * SECOND)
    assert ("waiting", "unwinding") == (rig.execution().status, rig.execution().stage)
    return rig


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


@pytest.mark.parametrize(
    ("refusal", "compensation", "told"),
    [
        pytest.param(
            Permanent("denied"),
            "failed",
            "could not undo add-capacity (apps/deployment/checkout replicas 6 -> 4): denied",
            id="its undo fails",
        ),
        pytest.param(
            Conflict("somebody scaled it"),
            "superseded",
            "add-capacity was not undone, somebody changed it since: somebody scaled it",
            id="somebody else has changed it",
        ),
    ],
)
def test_a_change_that_fixed_nothing_and_stays_is_not_built_upon(
    refusal: RunbookError, compensation: str, told: str
) -> None:
    """The next run would grow what is still there, by the same change that had not helped: a person is asked first."""
    at_once = Guardrails(cooldown=timedelta(0), deadline=40 * MINUTE)
    rig = Rig(runbook(steps=(SCALE,), guardrails=at_once))
    rig.errors(lambda world: 0.12)
    rig.fire(service="a")
    rig.run(5 * MINUTE, step=5 * SECOND)
    rig.resolve(service="a")
    rig.simulated.fail_next("cluster.scale", refusal)
    rig.run(HOUR, step=MINUTE)
    first = rig.execution(0)
    assert ("unresolved", compensation) == (first.status, first.compensation)

    rig.fire(service="b")
    rig.run(5 * MINUTE, step=5 * SECOND)

    assert ("awaiting_approval", "approve", 6) == (rig.execution(1).status, rig.execution(1).mode, rig.replicas())
    [stands] = rig.engine.standings()
    since = f"since execution {first.id[:8]} fixed nothing, and what it changed was not undone"
    assert f"demoted to approve until a commit changes it, {since}" == stands.standing.says
    texts = [each.message.text for each in rig.simulated.inbox.messages]
    assert f"{told}; its runbook is demoted to approve until a commit changes it" in texts


def test_a_change_that_helped_and_cannot_be_undone_lowers_nothing() -> None:
    """That is for a person to see to; of the runbook it says nothing."""
    rig = Rig(runbook(steps=(DEGRADE,)))
    rig.healed_by_flag()
    rig.fire(service="a")
    rig.run(MINUTE)
    rig.resolve(service="a")
    rig.simulated.fail_next("flags.write", Permanent("denied"))
    rig.run(HOUR, step=MINUTE)

    assert ("succeeded", "failed") == (rig.execution().status, rig.execution().compensation)
    [stands] = rig.engine.standings()
    assert "auto" == stands.standing.ceiling
    assert not any("demoted" in each.message.text for each in rig.simulated.inbox.messages)


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
