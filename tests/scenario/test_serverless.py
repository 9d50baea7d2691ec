"""Functions, queues and automations in whole runs: consent, guardrails, undoing, and evidence without a change."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from runbook_engine.model.guardrail import BudgetRule, Guardrails
from runbook_engine.model.observation import Revision
from runbook_engine.model.runbook import Collector, Compensate, Input, ModeRule, Step
from runbook_engine.model.serverless import AutomationTemplate
from runbook_engine.model.target import Target, TargetTemplate
from runbook_engine.testing.simulated_world import SimulatedWorld
from tests.scenario.rig import ALERT, MINUTE, Rig, configuration, runbook

LIVE = Target("function", "", "", "orders:live")
FUNCTION = Input(name="function", type="function", path=("alert", "labels", "function"))
UNDONE = Compensate(when="resolved", hold_for=10 * MINUTE)
ROLLBACK = Step(name="back", action="rollback", arguments={"to": "previous"})
THROTTLE = Step(name="brake", action="throttle", arguments={"concurrency": 5}, compensate=UNDONE)
TELL = Step(name="tell", action="notify", arguments={"receiver": "chat", "text": "evidence of {{ inputs.function }}"})
REBOOT = AutomationTemplate(name="reboot", document="acme-reboot", version="3", says="reboots it")


def rig_of(
    *steps: Step, targets: tuple[str, ...] = ("function=orders*",), ceiling: str = "auto", **changes: Any
) -> Rig:
    """Return a rig with one function behind an alias, and a runbook on it."""
    simulated = SimulatedWorld(receivers=("chat", "oncall"))
    versions = (Revision(number=9), Revision(number=8))
    simulated.add_function("orders", aliases={"live": 9}, versions=versions, service="orders")
    settings: dict[str, Any] = {
        "inputs": (FUNCTION,),
        "target": TargetTemplate("function", "{{ inputs.function }}:live"),
        "strategy": "sequence",
        "verify": (),
        "steps": steps,
        **changes,
    }
    rules = (ModeRule(mode=ceiling),)  # type: ignore[arg-type]
    rig = Rig(runbook(**settings), settings=configuration(targets=targets, mode_ceiling=rules), world=simulated)
    rig.fire(function="orders")
    rig.run(MINUTE)
    return rig


def test_a_throttle_is_undone_once_the_alert_is_resolved() -> None:
    """The absence of a bound comes back."""
    rig = rig_of(THROTTLE)
    bound = rig.simulated.functions.seen(LIVE).concurrency

    rig.resolve(function="orders")
    rig.run(timedelta(minutes=12))

    assert (bound, rig.simulated.functions.seen(LIVE).concurrency) == (5, None)
    assert (rig.execution().status, rig.execution().compensation) == ("succeeded", "undone")


def test_an_undo_leaves_alone_what_somebody_has_bound_since() -> None:
    """Only what is still ours is undone."""
    rig = rig_of(THROTTLE)
    rig.simulated.functions.state_of(LIVE).concurrency = 20

    rig.resolve(function="orders")
    rig.run(timedelta(minutes=12))

    assert rig.simulated.functions.seen(LIVE).concurrency == 20
    assert rig.execution().compensation == "superseded"


def test_stopping_a_function_asks_a_person_in_mode_auto() -> None:
    """Zero stops every call, so a person says yes first."""
    rig = rig_of(Step(name="stop", action="throttle", arguments={"concurrency": 0}, compensate=UNDONE))

    assert rig.execution().status == "awaiting_approval"
    assert rig.simulated.functions.seen(LIVE).concurrency is None


@pytest.mark.parametrize(
    ("rules", "status", "version"),
    [
        pytest.param({}, "blocked", 9, id="refused, as what git owns always is"),
        pytest.param({"gitops": "allowDrift"}, "succeeded", 8, id="unless the runbook allows drift"),
    ],
)
def test_a_function_that_something_else_deploys_is_left_alone(rules: dict[str, Any], status: str, version: int) -> None:
    """The next apply would put it back."""
    guardrails = Guardrails(cooldown=30 * MINUTE, deadline=40 * MINUTE, **rules)

    rig = rig_with_managed(guardrails)

    assert (rig.execution().status, rig.simulated.functions.seen(LIVE).version) == (status, version)
    if status == "blocked":
        assert "function/orders:live belongs to terraform, which may revert the change" in rig.execution().reason


def rig_with_managed(guardrails: Guardrails) -> Rig:
    """Return a run on a function that Terraform manages."""
    simulated = SimulatedWorld(receivers=("chat", "oncall"))
    simulated.add_function("orders", aliases={"live": 9}, versions=(Revision(number=9), Revision(number=8)))
    simulated.functions.state_of(LIVE).managed = "terraform"
    target = TargetTemplate("function", "orders:live")
    wanted = runbook(target=target, strategy="sequence", verify=(), steps=(ROLLBACK,), guardrails=guardrails)
    rig = Rig(wanted, settings=configuration(targets=("function=orders:live",)), world=simulated)
    rig.fire()
    rig.run(MINUTE)
    return rig


def test_a_budget_counts_by_the_service_that_a_function_says_it_is_of() -> None:
    """Its tag says so, and a function without one is not counted for another."""
    rules = Guardrails(
        cooldown=timedelta(0),
        deadline=40 * MINUTE,
        budget=BudgetRule(changes=1, per="service", window=timedelta(hours=1)),
    )
    rig = rig_of(ROLLBACK, guardrails=rules)

    assert rig.execution().status == "succeeded"
    since = rig.simulated.clock.start - MINUTE
    assert rig.journal.changes_within("service:/orders", since, other_than="") == 1


def test_the_alias_is_not_touched_when_only_the_whole_is_allowed() -> None:
    """An allow-list names one or the other."""
    rig = rig_of(ROLLBACK, targets=("function=orders",))

    assert rig.execution().reason == "invalid_target: function=orders:live is not in the targets of engine.yaml"
    assert rig.simulated.functions.seen(LIVE).version == 9


def test_a_throttle_through_an_alias_needs_the_whole_function_allowed() -> None:
    """It holds for every alias, so it is a change of the whole."""
    rig = rig_of(THROTTLE, targets=("function=orders:live",))

    assert rig.execution().status == "blocked"
    assert "function=orders is not in the targets of engine.yaml" in rig.execution().reason


@pytest.mark.parametrize("ceiling", ["propose", "approve", "auto"])
def test_evidence_is_gathered_and_told_whatever_the_ceiling(ceiling: str) -> None:
    """A runbook that changes nothing asks nobody, and its templates are filled in."""
    evidence = (Collector(name="changes", arguments={"since": "1h", "title": "Of {{ inputs.function }}"}),)
    rig = rig_of(TELL, ceiling=ceiling, diagnostics=evidence)

    execution = rig.execution()
    (kept,) = rig.journal.evidence(execution.id)
    assert (execution.status, kept.title, kept.text) == ("succeeded", "Of orders", "no change in the last 1h")
    assert ["evidence of orders"] == [
        told.message.text for told in rig.simulated.inbox.messages if told.message.event == "notify"
    ]
    assert rig.simulated.effects_made == ()


def test_a_proposal_still_asks_before_the_first_change() -> None:
    """A message among changes asks for nothing less."""
    rig = rig_of(TELL, ROLLBACK, ceiling="propose")

    assert rig.execution().status == "awaiting_approval"
    assert rig.simulated.functions.seen(LIVE).version == 9


def test_a_change_of_the_function_is_a_change_of_its_alias() -> None:
    """Whoever deploys reports the function; the run is about the alias."""
    rig = rig_of(TELL, diagnostics=(Collector(name="changes"),))
    rig.simulated.publish(LIVE.whole, by="pipeline", summary="9f1c2e7")
    rig.resolve(function="orders")
    rig.run(MINUTE)
    rig.fire("Again" + ALERT, function="orders")

    changes = rig.simulated.world.changes.changes(LIVE, rig.simulated.clock.start)
    assert [change.what for change in changes] == ["release 9f1c2e7"]


def test_an_automation_is_started_once_after_a_yes() -> None:
    """An escape hatch is approved unless engine.yaml says otherwise."""
    simulated = SimulatedWorld(receivers=("chat", "oncall"))
    simulated.automations.allow(REBOOT)
    step = Step(name="reboot", action="ssmAutomation", arguments={"automation": "reboot"})
    wanted = runbook(target=TargetTemplate("none"), strategy="sequence", verify=(), steps=(step,))
    settings = configuration(targets=("automation=reboot",), automations=(REBOOT,))
    rig = Rig(wanted, settings=settings, world=simulated)
    rig.fire()
    rig.run(MINUTE)
    asked = rig.execution().approval
    assert asked is not None
    assert simulated.automations.started == ()

    rig.engine.approve(rig.execution().id, plan_hash=asked.hash, by="ann", now=rig.now)
    rig.run(MINUTE)

    assert rig.execution().status == "succeeded"
    assert simulated.automations.started == (("reboot", {}),)
