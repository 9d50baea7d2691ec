"""A plan is the run without `apply`: what it says is what the run then does."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from runbook_engine.model.configuration import Configuration
from runbook_engine.model.guardrail import Guardrails
from runbook_engine.model.observation import Pause, Revision
from runbook_engine.model.plan import Plan
from runbook_engine.model.runbook import ModeRule, Step
from runbook_engine.model.target import TargetTemplate
from tests.scenario.rig import DEGRADE, FLAG, MINUTE, SCALE, VERIFY, Rig, configuration, runbook

RULES = Guardrails(cooldown=30 * MINUTE, deadline=40 * MINUTE)


def fire_and_plan(rig: Rig) -> Plan:
    """Return the plan for an alert that has fired."""
    rig.fire()
    alert = rig.execution().alert
    return rig.engine.plan(alert, rig.now)[0]


def plan_of(settings: Configuration | None = None, **changes: object) -> Plan:
    """Return the plan of a runbook on the usual world."""
    rig = Rig(runbook(**changes), settings=settings)
    rig.errors(lambda world: 0.12)
    return fire_and_plan(rig)


def test_what_a_plan_says_is_what_the_run_then_does() -> None:
    """The same changes with the same hashes, in the same order."""
    rig = Rig(runbook(strategy="sequence", verify=()))
    plan = fire_and_plan(rig)

    rig.run(MINUTE)

    assert [step.change_hash for step in plan.steps] == [state.change_hash for state in rig.execution().steps]
    made = [(touch.target, touch.value) for touch in rig.simulated.effects_made]
    assert [(str(change.target), change.after) for change in plan.changes] == made


def test_looking_again_gives_the_same_hash_and_touches_nothing() -> None:
    """An approval stays valid while the world stays as it was."""
    rig = Rig()
    rig.errors(lambda world: 0.12)
    first = fire_and_plan(rig)

    rig.simulated.push(5 * MINUTE)
    second = rig.engine.plan(rig.execution().alert, rig.now)[0]

    assert first.plan_hash == second.plan_hash
    assert () == rig.simulated.touches


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"steps": (DEGRADE, replace(SCALE, arguments={"by": "25%", "upTo": 12}))}, id="other arguments"),
        pytest.param({"steps": (DEGRADE,)}, id="a step less"),
        pytest.param({"steps": (SCALE, DEGRADE)}, id="another order"),
        pytest.param({"digest": "another"}, id="another version of the runbook"),
        pytest.param({"steps": (replace(DEGRADE, name="renamed"), SCALE)}, id="another step of the same change"),
    ],
)
def test_another_plan_has_another_hash(change: dict[str, object]) -> None:
    """A yes to one is no yes to the other."""
    book = replace(runbook(), **change)
    rig = Rig(book)
    rig.errors(lambda world: 0.12)

    assert plan_of().plan_hash != fire_and_plan(rig).plan_hash


def test_a_world_that_moved_has_another_hash() -> None:
    """Five replicas and half more are eight, not six."""
    rig = Rig()
    rig.errors(lambda world: 0.12)
    first = fire_and_plan(rig)
    rig.simulated.edit_replicas(rig.target(), 5)

    assert first.plan_hash != rig.engine.plan(rig.execution().alert, rig.now)[0].plan_hash


@pytest.mark.parametrize(
    ("changes", "blocked"),
    [
        pytest.param({}, (), id="nothing is in the way"),
        pytest.param(
            {"settings": configuration(targets=("deployment=apps/*",))},
            ("shed-optional-features: parameter=/checkout/degraded_mode is not in the targets of engine.yaml",),
            id="a target that is not allowed",
        ),
        pytest.param(
            {"require": (VERIFY,)},
            ("require: checkout:error_ratio 0.12 is not below 0.02",),
            id="what is required does not hold",
        ),
        pytest.param(
            {"steps": (replace(SCALE, target=TargetTemplate("deployment", "cart", "apps")),)},
            ("add-capacity: apps/deployment/cart does not exist in cluster 'local'",),
            id="a target that is not there",
        ),
        pytest.param(
            {"steps": (replace(SCALE, target=TargetTemplate("parameter", "/checkout/x")),)},
            ("add-capacity: action scale works on deployment, statefulset, and the target is /checkout/x",),
            id="a target of another kind",
        ),
        pytest.param(
            {"steps": (replace(DEGRADE, action="degrad"),)},
            ("shed-optional-features: unknown action 'degrad': did you mean 'degrade'?",),
            id="an action that nobody knows",
        ),
        pytest.param(
            {"steps": (replace(DEGRADE, arguments={"parameter": "{{ alert.labels.gone }}", "value": "true"}),)},
            ("shed-optional-features: alert.labels.gone has no value",),
            id="a template that the alert cannot fill",
        ),
    ],
)
def test_a_plan_says_what_is_in_the_way(changes: dict[str, Any], blocked: tuple[str, ...]) -> None:
    """Whole sentences, with the step that they are about."""
    assert blocked == plan_of(**changes).blocked


@pytest.mark.parametrize(
    ("rules", "targets", "waits"),
    [
        pytest.param(RULES, ("deployment=apps/*", "parameter=/checkout/*"), True, id="nothing is in the way"),
        pytest.param(
            replace(RULES, minimum_fault_age=MINUTE),
            ("deployment=apps/*", "parameter=/checkout/*"),
            True,
            id="only time is in the way",
        ),
        pytest.param(
            replace(RULES, minimum_fault_age=MINUTE),
            ("deployment=apps/*",),
            False,
            id="time, and something that does not pass",
        ),
    ],
)
def test_a_plan_waits_when_every_no_in_it_passes(rules: Guardrails, targets: tuple[str, ...], waits: bool) -> None:
    """Only then it is worth asking a person."""
    assert waits is not bool(plan_of(guardrails=rules, settings=configuration(targets=targets)).blocked)


def test_a_paused_engine_still_plans() -> None:
    """And says who paused it until when."""
    rig = Rig(runbook(steps=(DEGRADE,)))
    rig.errors(lambda world: 0.12)
    rig.simulated.pauses.throw(Pause(until=rig.now + 30 * MINUTE, by="ann", reason="migration"))

    plan = fire_and_plan(rig)

    assert ("shed-optional-features: paused by ann until 09:30:00 UTC: migration",) == plan.waiting
    assert () == plan.blocked


def test_a_plan_of_escalation_starts_whatever_stands_in_the_way_of_later_steps() -> None:
    """The first step decides; what a later one could not do is said apart. In a sequence every step must go."""
    later = replace(SCALE, target=TargetTemplate("deployment", "cart", "apps"))
    said = ("add-capacity: apps/deployment/cart does not exist in cluster 'local'",)

    escalation = plan_of(steps=(DEGRADE, later))
    sequence = plan_of(steps=(DEGRADE, later), strategy="sequence")

    assert ((), said) == (escalation.blocked, escalation.later)
    assert (said, ()) == (sequence.blocked, sequence.later)


def test_a_plan_of_a_run_that_is_refused_says_why_and_hides_no_other() -> None:
    """A target that may not be touched blocks its own runbook's plan, and the other runbook is planned."""
    other = runbook(name="other", digest="d2", target=TargetTemplate("deployment", "cart", "elsewhere"))
    rig = Rig(runbook(steps=(DEGRADE,)), other)
    rig.errors(lambda world: 0.12)
    rig.fire()
    alert = next(each for each in rig.journal.executions(limit=5) if each.runbook != "other").alert

    plans = {plan.runbook: plan for plan in rig.engine.plan(alert, rig.now)}

    assert ("invalid_target: deployment=elsewhere/cart is not in the targets of engine.yaml",) == plans["other"].blocked
    assert 1 == len(plans["checkout-high-error-rate"].changes)


def test_a_plan_says_when_each_step_is_undone_and_what_verification_reads_now() -> None:
    """What an on-call wants to know before a yes."""
    plan = plan_of()

    assert ["undone 10m after the alert resolves", "undone 30m after the alert resolves"] == [
        step.undo for step in plan.steps
    ]
    assert ("checkout:error_ratio 0.12 is not below 0.02",) == plan.verification
    assert (0.12,) == plan.measured
    assert plan.worst_case > timedelta(0)


def test_a_step_that_has_nothing_to_change_says_so() -> None:
    """It is no change of the plan."""
    rig = Rig(runbook(steps=(DEGRADE,)))
    rig.simulated.set_parameter(FLAG, "true")

    plan = fire_and_plan(rig)

    assert ("already as wanted", (), ()) == (plan.steps[0].unchanged, plan.changes, plan.blocked)


RESTART = Step(name="restart", action="restart", arguments={"whenReady": "70%"})
ROLL_BACK = Step(name="roll-back", action="rollback", arguments={"to": "previous"})


def broken_release(**changes: object) -> Rig:
    """Return a rig whose release is broken: one of four replicas is ready, and a rollback mends that."""
    book = runbook(strategy="sequence", verify=(), steps=(ROLL_BACK, RESTART), **changes)
    rig = Rig(book)
    state = rig.simulated.cluster.state(rig.target())
    state.broken, state.mended_by = 3, frozenset(("rollback",))
    state.revision, state.revisions = 2, (Revision(number=2), Revision(number=1, healthy=True))
    return rig


def test_a_sequence_is_not_refused_for_what_an_earlier_step_mends() -> None:
    """The restart wants most replicas ready, and has them once the release is rolled back."""
    rig = broken_release()

    plan = fire_and_plan(rig)
    rig.run(5 * MINUTE)

    assert (1, ()) == (len(plan.changes), plan.blocked)
    assert "restart: cannot restart apps/deployment/checkout: 1 of 4 replicas are ready" in plan.later[0]
    assert ("succeeded", ["changed", "changed"]) == (
        rig.execution().status,
        [step.progress for step in rig.execution().steps],
    )


def test_a_sequence_whose_first_step_is_forbidden_is_refused() -> None:
    """Nothing comes before it that could mend that."""
    rig = Rig(runbook(strategy="sequence", verify=(), steps=(RESTART, SCALE)))
    rig.simulated.cluster.state(rig.target()).broken = 3

    plan = fire_and_plan(rig)

    assert 1 == len(plan.blocked)
    assert plan.blocked[0].startswith("restart: cannot restart apps/deployment/checkout: 1 of 4 replicas are ready")


def test_a_run_that_asks_first_waits_for_what_passes_by_itself() -> None:
    """A rollout in progress ends no run that would act at once, nor one that asks before."""
    rig = Rig(
        runbook(
            strategy="sequence", verify=(), steps=(replace(RESTART, arguments={}),), mode=(ModeRule(mode="approve"),)
        )
    )
    rig.simulated.cluster.restart(rig.target(), "somebody's")

    plan = fire_and_plan(rig)
    rig.run(2 * MINUTE)

    says = "cannot restart apps/deployment/checkout: a rollout is in progress (wait until it has ended)"
    assert ((), (f"restart: {says}",)) == (plan.blocked, plan.waiting)
    assert "awaiting_approval" == rig.execution().status
