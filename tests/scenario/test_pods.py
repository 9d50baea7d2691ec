"""A pod that is let go: the whole engine over simulated pods, again and again."""

from __future__ import annotations

from datetime import timedelta

from runbook_engine.model.guardrail import Guardrails
from runbook_engine.model.runbook import Step
from runbook_engine.testing import SimulatedWorld
from tests.scenario.rig import MINUTE, Rig, configuration, runbook

LET_GO = Step(name="let-it-go", action="deletePod", arguments={"waiting": "CrashLoopBackOff"})
RULES = Guardrails(cooldown=30 * MINUTE, deadline=40 * MINUTE)


def crashing(pods: int = 3) -> Rig:
    """Return a rig whose deployment has pods that crash, and whose successors crash as well."""
    simulated = SimulatedWorld(receivers=("chat", "oncall"))
    node = simulated.add_node("worker-1")
    web = simulated.deploy("apps", "checkout", replicas=pods, broken=pods)
    for number in range(pods):
        pod = simulated.add_pod("apps", f"checkout-{number}", node, web, ready=False, waiting="CrashLoopBackOff")
        pod.heals = False
    book = runbook(steps=(LET_GO,), strategy="sequence", verify=(), guardrails=RULES)
    return Rig(book, settings=configuration(targets=("deployment=apps/*", "pod=apps/*")), world=simulated)


def test_a_used_up_budget_is_waited_for() -> None:
    """As docs/kubernetes.md says: while there is time."""
    rig = crashing()
    budget = rig.simulated.nodes.fleet.budgets
    rig.simulated.protect("keep-checkout", rig.target(), 1)

    rig.fire()
    rig.run(2 * MINUTE)
    waits = (rig.execution().status, rig.execution().waiting_for)
    budget.clear()
    rig.run(MINUTE)

    says = "disruption budget keep-checkout allows none: 0 healthy, needs 1"
    assert ("waiting", f"cannot delete pod apps/checkout-0: {says}") == waits
    assert "succeeded" == rig.execution().status


def test_a_workload_whose_pod_was_just_let_go_is_left_alone_for_the_cooldown() -> None:
    """Every pod has a name of its own, and yet an alert that comes back does not take one after the other."""
    rig = crashing()
    rig.fire()
    rig.run(MINUTE)
    rig.resolve()
    rig.run(MINUTE)

    rig.simulated.push(timedelta(minutes=5))
    rig.fire()
    rig.run(MINUTE)
    rig.resolve()
    rig.simulated.push(30 * MINUTE)
    rig.fire()
    rig.run(MINUTE)

    assert ["succeeded", "blocked", "succeeded"] == [rig.execution(index).status for index in range(3)]
    assert "last change of apps/deployment/checkout" in rig.execution(1).reason
    assert 2 == len(rig.simulated.effects_made)
