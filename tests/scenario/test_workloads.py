"""What a workload is like decides what may be done to it: its environment, who owns it, and what its quota admits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

import msgspec
import pytest

from runbook_engine.model.guardrail import Guardrails
from runbook_engine.model.observation import Autoscaler, Revision
from runbook_engine.model.plan import Value
from runbook_engine.model.runbook import Compensate, NotifyRule, Step
from runbook_engine.model.target import Target
from runbook_engine.testing import SimulatedWorld
from tests.scenario.rig import MINUTE, SCALE, SECOND, Rig, configuration, runbook

CHECKOUT = Target("deployment", "local", "apps", "checkout")
BEFORE = {"REGION": "eu", "DEGRADED": "false", "PORT": "80"}
SHED = Step(
    name="shed-optional-features",
    action="degrade",
    arguments={"env": "DEGRADED", "value": "true"},
    compensate=Compensate(when="resolved", hold_for=timedelta(minutes=10)),
)
SHED_BY_ENTRY = Step(
    name="shed-optional-features",
    action="degrade",
    arguments={"configMap": "flags", "key": "degraded", "value": "true"},
    compensate=Compensate(when="resolved", hold_for=timedelta(minutes=10)),
)
TOLD = (NotifyRule(receiver="oncall", events=("blocked", "notFixed")),)


def world(**facts: object) -> SimulatedWorld:
    """Return a world with a deployment of these facts, and a ConfigMap."""
    simulated = SimulatedWorld(receivers=("chat", "oncall"))
    revisions = (Revision(number=2), Revision(number=1, healthy=True))
    simulated.deploy("apps", "checkout", replicas=4, environment=BEFORE, revisions=revisions)
    simulated.add_config_map("apps", "flags", {"limit": "9", "degraded": "false"})
    for name, value in facts.items():
        setattr(simulated.cluster.state(CHECKOUT), name, value)
    return simulated


def rig(*steps: Step, simulated: SimulatedWorld, **changes: object) -> Rig:
    """Return an engine with one runbook of these steps."""
    settings = configuration(targets=("deployment=apps/*", "configmap=apps/flags"))
    return Rig(runbook(steps=steps, notify=TOLD, **changes), settings=settings, world=simulated)


def test_an_environment_value_is_rolled_out_and_undone_ten_minutes_after_the_alert_resolved() -> None:
    """The text, and where it stood."""
    simulated = world()
    engine = rig(SHED, simulated=simulated)
    engine.errors(lambda seen: 0.001 if seen.environment_of(CHECKOUT)["DEGRADED"] == "true" else 0.12)

    engine.fire()
    engine.run(2 * MINUTE)
    held = (engine.execution().status, engine.execution().compensation, dict(simulated.environment_of(CHECKOUT)))
    engine.errors(lambda seen: 0.001)
    engine.resolve()
    engine.run(12 * MINUTE)

    assert held == ("succeeded", "held", {**BEFORE, "DEGRADED": "true"})
    assert engine.execution().compensation == "undone"
    assert list(simulated.environment_of(CHECKOUT).items()) == list(BEFORE.items())
    assert [(touch.method, touch.value) for touch in simulated.effects_made] == [
        ("settings.write", "true"),
        ("settings.write", "false"),
    ]


def test_a_config_map_entry_is_set_and_undone_under_its_own_lock() -> None:
    """Its target is the ConfigMap: that is what is allowed, locked and cooled down."""
    simulated = world()
    engine = rig(SHED_BY_ENTRY, simulated=simulated)
    flags = Target("configmap", "local", "apps", "flags")
    engine.errors(lambda seen: 0.001)

    engine.fire()
    engine.run(MINUTE)
    set_to = simulated.settings.state(flags).entries["degraded"]
    last_change = engine.journal.last_change(flags.key)
    engine.resolve()
    engine.run(12 * MINUTE)

    assert set_to == "true"
    assert last_change is not None
    assert engine.execution().compensation == "undone"
    assert simulated.settings.state(flags).entries == {"limit": "9", "degraded": "false"}


@pytest.mark.parametrize(
    ("step", "facts", "says"),
    [
        pytest.param(
            SHED,
            {"gitops": "Argo CD application checkout"},
            "apps/deployment/checkout belongs to Argo CD application checkout, which may revert the change "
            "(change it in git, or say gitops: allowDrift under guardrails)",
            id="git owns it",
        ),
        pytest.param(
            SCALE,
            {"ignored": "is in namespace apps, which is marked runbook-engine/ignore"},
            "apps/deployment/checkout is in namespace apps, which is marked runbook-engine/ignore",
            id="somebody has opted out",
        ),
    ],
)
def test_a_change_that_a_guardrail_refuses_is_blocked_and_told(step: Step, facts: dict[str, object], says: str) -> None:
    """Blocked is never silent, and nothing was touched."""
    simulated = world(**facts)
    engine = rig(step, simulated=simulated)
    engine.errors(lambda seen: 0.12)

    engine.fire()
    engine.run(MINUTE)

    assert engine.execution().status == "blocked"
    assert says in [verdict.says for verdict in engine.execution().verdicts]
    assert simulated.effects_made == ()
    assert any(says in kept.message.text for kept in simulated.inbox.messages if kept.receiver == "oncall")


def test_what_git_owns_is_changed_when_the_runbook_allows_drift() -> None:
    """The author has said so, and the audit says whose it is."""
    simulated = world(gitops="Argo CD application checkout")
    rules = Guardrails(cooldown=30 * MINUTE, deadline=40 * MINUTE, gitops="allowDrift")
    engine = rig(SCALE, simulated=simulated, guardrails=rules)
    engine.errors(lambda seen: 0.001 if seen.seen(CHECKOUT).replicas > 4 else 0.12)

    engine.fire()
    engine.run(2 * MINUTE)

    assert (engine.execution().status, simulated.seen(CHECKOUT).replicas) == ("succeeded", 6)


def test_growth_that_the_quota_does_not_admit_fails_with_its_numbers() -> None:
    """Nothing is asked of the cluster that it would refuse."""
    simulated = world(quota_left=1)
    engine = rig(SCALE, simulated=simulated)
    engine.errors(lambda seen: 0.12)

    engine.fire()
    engine.run(MINUTE)

    assert engine.execution().status == "failed"
    assert (
        "cannot scale apps/deployment/checkout from 4 to 6: the quota of namespace apps admits 1 more pod, not 2 "
        "(ask for fewer, or raise the quota)"
    ) in engine.execution().reason
    assert simulated.effects_made == ()


def test_a_minimum_far_below_the_replicas_is_raised_and_restored() -> None:
    """The step cap holds the replicas that run against the new minimum; the undo gives the old one back."""
    simulated = world(autoscaler=Autoscaler(kind="ScaledObject", name="checkout", minimum=0, maximum=20, current=4))
    grow = Step(
        name="add-capacity",
        action="scale",
        arguments={"by": "50%", "autoscaler": "minReplicas"},
        compensate=Compensate(when="resolved", hold_for=MINUTE),
    )
    engine = rig(grow, simulated=simulated)
    engine.errors(lambda seen: 0.001)

    engine.fire()
    engine.run(MINUTE)
    raised = simulated.seen(CHECKOUT).autoscaler
    engine.resolve()
    engine.run(3 * MINUTE)
    restored = simulated.seen(CHECKOUT).autoscaler

    assert raised is not None
    assert restored is not None
    assert (raised.minimum, restored.minimum) == (6, 0)
    assert engine.execution().compensation == "undone"


@dataclass
class Stubborn:
    """A cluster whose newer replicas are in the way of a rollback, and are taken away one call at a time."""

    simulated: SimulatedWorld
    left: int = 3
    calls: list[int] = field(default_factory=list)

    def rollback(self, target: Target, revision: int, *, expected: int) -> Mapping[str, Value]:
        self.calls.append(expected)
        self.left -= 1
        return {**self.simulated.cluster.rollback(target, revision, expected=expected), "stuck": max(0, self.left)}


def test_a_rollback_goes_on_while_replicas_are_in_its_way() -> None:
    """One a call, five seconds apart, each its own commit; then it is observed."""
    simulated = world()
    stubborn = Stubborn(simulated)
    simulated.effects = replace(simulated.effects, cluster=stubborn)  # type: ignore[arg-type]  # one method is asked
    back = Step(name="roll-back", action="rollback", compensate=Compensate(when="never"))
    engine = rig(back, simulated=simulated)
    engine.errors(lambda seen: 0.001 if seen.seen(CHECKOUT).revision == 1 else 0.12)

    engine.fire()
    engine.run(2 * SECOND)
    after_the_first = len(stubborn.calls)
    engine.run(2 * MINUTE)

    assert after_the_first == 1
    assert stubborn.calls == [2, 2, 2]
    assert engine.execution().status == "succeeded"
    assert len(simulated.effects_made) == 1


def test_a_raised_minimum_whose_autoscaler_somebody_removed_is_not_undone_on_the_count() -> None:
    """They have pinned the replicas by hand, at what our minimum had made of them."""
    simulated = world(autoscaler=Autoscaler(kind="HorizontalPodAutoscaler", name="checkout", minimum=4, maximum=20))
    raise_it = msgspec.structs.replace(SCALE, arguments={"by": "50%", "autoscaler": "minReplicas"})
    engine = rig(raise_it, simulated=simulated)
    engine.errors(lambda seen: 0.001 if seen.seen(CHECKOUT).replicas > 4 else 0.12)
    engine.fire()
    engine.run(2 * MINUTE)
    state = simulated.cluster.state(CHECKOUT)
    state.autoscaler, state.replicas = None, 6

    engine.resolve()
    engine.run(35 * MINUTE, step=10 * SECOND)

    assert ("succeeded", "superseded") == (engine.execution().status, engine.execution().compensation)
    assert 6 == simulated.seen(CHECKOUT).replicas
