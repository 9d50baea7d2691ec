"""A target that a pod or an instance leads to: found after what arrived is durable, and worked on by one run only."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from runbook_engine.engine import Engine
from runbook_engine.errors import InvalidTarget, NoAdapter, RunbookError, Unreadable
from runbook_engine.model.configuration import Configuration, Scope
from runbook_engine.model.execution import Execution
from runbook_engine.model.guardrail import Guardrails
from runbook_engine.model.runbook import Compensate, Input, ModeRule, Runbook, Step
from runbook_engine.model.target import Target, TargetTemplate
from runbook_engine.ports import Journal
from runbook_engine.testing.memory_journal import MemoryJournal
from runbook_engine.testing.simulated_world import SimulatedWorld
from tests.crash.invariants import assert_sound
from tests.crash.mortality import Killed, Mortality, MortalJournal
from tests.scenario.pods import Pods, deployment, with_pods
from tests.scenario.rig import DEGRADE, FLAG, MINUTE, SECOND, Rig, configuration, runbook

WEB, API, ELSEWHERE = deployment("web"), deployment("api"), Target("deployment", "local", "kube-system", "dns")
NODE = Target("node", "local", "", "n1")
OF_POD = TargetTemplate("workloadOf", "{{ inputs.pod }}", "apps")
RESTART = Step(name="restart", action="restart")
POD = Input(name="pod", type="pod", path=("alert", "labels", "pod"))


def crashing(**changes: object) -> Runbook:
    """A runbook that restarts what a pod belongs to, without verification."""
    settings: dict[str, object] = {
        "target": OF_POD,
        "inputs": (POD,),
        "steps": (RESTART,),
        "verify": (),
        "strategy": "sequence",
    }
    return runbook(**{**settings, **changes})


def pods() -> Pods:
    """Two pods of web, one of api, one that nobody may touch."""
    known = {"web-1": WEB, "web-2": WEB, "api-1": API, "dns-1": ELSEWHERE, "own-1": Target("pod", "local", "apps", "x")}
    return Pods(known, {"10.0.1.7:9100": NODE, "web-1": NODE})


def rig_of(
    seen: Pods,
    book: Runbook | None = None,
    *,
    settings: Configuration | None = None,
    journal: Journal | None = None,
    mortality: Mortality | None = None,
    world: SimulatedWorld | None = None,
) -> Rig:
    """A rig whose cluster has two deployments and these pods."""
    simulated = world or SimulatedWorld(receivers=("chat", "oncall"))
    if world is None:
        for name in ("web", "api"):
            simulated.deploy("apps", name, replicas=2, released_ago=timedelta(hours=5))
        simulated.set_parameter(FLAG, "false")
    return Rig(
        book or crashing(),
        settings=settings,
        journal=journal,
        world=with_pods(simulated, seen),
        checkpoint=mortality or (lambda name: None),
    )


def restarted(rig: Rig) -> list[str]:
    """What was restarted, in order."""
    return [str(touch.target) for touch in rig.simulated.effects_made if touch.method == "cluster.restart"]


def ended(rig: Rig) -> dict[str, str]:
    """Status and reason of every execution, oldest first."""
    return {execution.id: f"{execution.status}: {execution.reason}" for execution in rig.journal.executions(limit=50)}


# --- found ------------------------------------------------------------------------------------------------------


def test_a_pod_leads_to_its_deployment_when_the_run_looks() -> None:
    """What arrived is durable before the cluster is asked; then the trail says what was found."""
    seen = pods()
    rig = rig_of(seen)

    rig.fire(pod="web-1")
    at_first = rig.execution()
    asked_at_ingest = seen.looks
    rig.run(MINUTE)

    assert (0, "resolve", Target("pod", "local", "apps", "web-1")) == (asked_at_ingest, at_first.stage, at_first.target)
    assert "apps/pod/web-1 leads to apps/deployment/web" == rig.says()[0]
    assert (replace(WEB, uid=""), "succeeded") == (rig.execution().target, rig.execution().status)
    assert ["apps/deployment/web"] == restarted(rig)
    assert_sound(rig.journal)


def test_an_instance_leads_to_its_node_when_the_run_looks() -> None:
    """An exporter's address, with its port, as alerts of a node carry it."""
    book = crashing(
        target=TargetTemplate("nodeOf", "{{ inputs.instance }}"),
        inputs=(Input(name="instance", type="instance", path=("alert", "labels", "instance")),),
        steps=(DEGRADE,),
    )
    rig = rig_of(pods(), book, settings=configuration(targets=("node=*", "parameter=/checkout/*")))

    rig.fire(instance="10.0.1.7:9100")
    rig.run(SECOND)

    assert "instance/10.0.1.7:9100 leads to node/n1" == rig.says()[0]
    assert NODE == rig.execution().target


def test_a_step_has_a_found_target_of_its_own() -> None:
    """The run is about nothing in particular; its step restarts what the pod belongs to."""
    rig = rig_of(pods(), crashing(target=TargetTemplate("none"), steps=(replace(RESTART, target=OF_POD),)))

    rig.fire(pod="web-1")
    rig.run(MINUTE)

    assert ["apps/deployment/web"] == restarted(rig)


# --- not found --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pod", "reason"),
    [
        pytest.param("gone-1", "apps/pod/gone-1 does not exist", id="no such pod"),
        pytest.param(
            "dns-1",
            "apps/pod/dns-1 leads to kube-system/deployment/dns: "
            "invalid_target: deployment=kube-system/dns is not in the targets of engine.yaml",
            id="a workload that is not allowed",
        ),
        pytest.param(
            "own-1",
            "invalid_target: apps/pod/own-1 leads to apps/pod/x, wanted a daemonset or deployment or statefulset "
            "in the same cluster",
            id="a pod that nothing owns",
        ),
    ],
)
def test_a_run_is_blocked_and_told_when_its_pod_leads_nowhere(pod: str, reason: str) -> None:
    """Fail closed: what is not surely allowed is not touched, and somebody hears of it."""
    rig = rig_of(pods())

    rig.fire(pod=pod)
    rig.run(SECOND)

    assert ("blocked", reason) == (rig.execution().status, rig.execution().reason)
    assert ["notFixed"] == rig.told("oncall")
    assert () == rig.simulated.effects_made
    assert_sound(rig.journal)


def test_a_run_is_blocked_when_its_sender_may_not_touch_what_was_found() -> None:
    """A scope's targets bind what a pod leads to as well."""
    narrow = configuration(scopes=(Scope(name="local", runbooks=("*",), targets=("deployment=apps/api",)),))
    rig = rig_of(pods(), settings=narrow)

    rig.fire(pod="web-1")
    rig.run(SECOND)

    said = "apps/pod/web-1 leads to apps/deployment/web: scope local may not touch deployment=apps/web"
    assert ("blocked", said) == (rig.execution().status, rig.execution().reason)


def test_a_run_asks_again_while_the_cluster_cannot_be_read() -> None:
    """With longer and longer waits, and one record of it in the trail."""
    seen = pods()
    rig = rig_of(seen)
    seen.fails = Unreadable("the API server does not answer")

    rig.fire(pod="web-1")
    rig.run(10 * MINUTE)
    meanwhile, looks = rig.execution(), seen.looks
    seen.fails = None
    rig.run(2 * MINUTE)

    assert ("waiting", "the API server does not answer") == (meanwhile.status, meanwhile.waiting_for)
    assert 8 <= looks <= 20
    assert 1 == sum("cannot be told yet" in says for says in rig.says())
    assert ["apps/deployment/web"] == restarted(rig)


def test_a_run_is_blocked_when_the_cluster_cannot_be_read_until_the_deadline() -> None:
    """The deadline is of the whole run."""
    seen = pods()
    rig = rig_of(seen, crashing(guardrails=Guardrails(cooldown=MINUTE, deadline=5 * MINUTE)))
    seen.fails = Unreadable("the API server does not answer")

    rig.fire(pod="web-1")
    rig.run(6 * MINUTE)

    reason = "the deadline of 5m has passed, waiting for the API server does not answer"
    assert ("blocked", reason) == (rig.execution().status, rig.execution().reason)


def test_a_run_is_cancelled_when_its_alert_resolves_before_the_cluster_could_be_read() -> None:
    """Nothing is left to find."""
    seen = pods()
    rig = rig_of(seen)
    seen.fails = Unreadable("the API server does not answer")
    rig.fire(pod="web-1")
    rig.run(MINUTE)

    rig.resolve(pod="web-1")
    rig.run(SECOND)

    assert ("cancelled", "every alert resolved before anything was changed") == (
        rig.execution().status,
        rig.execution().reason,
    )


# --- one run for one target -------------------------------------------------------------------------------------


def test_alerts_of_two_pods_share_one_run_when_they_lead_to_one_deployment() -> None:
    """The second finds the slot taken: its alert joins, it ends, and nobody is told twice."""
    rig = rig_of(pods(), crashing(steps=(replace(RESTART, settle=5 * MINUTE),)))
    rig.fire(pod="web-1")
    rig.run(SECOND)

    rig.fire(pod="web-2")
    rig.run(10 * MINUTE)

    first, second = rig.execution(0), rig.execution(1)
    said = f"joined execution {first.id}, which already works on apps/deployment/web"
    assert ("cancelled", said, first.id) == (second.status, second.reason, second.merged_into)
    assert 2 == len(first.members)
    assert ["apps/deployment/web"] == restarted(rig)
    assert [] == [kept.message for kept in rig.simulated.inbox.messages if kept.message.execution_id == second.id]
    assert_sound(rig.journal)


def test_a_resolve_reaches_the_run_that_the_alert_has_joined() -> None:
    """The change is held until the alerts of both pods are over."""
    held = replace(DEGRADE, compensate=Compensate(when="resolved", hold_for=MINUTE))
    rig = rig_of(pods(), crashing(steps=(held,)))
    rig.fire(pod="web-1")
    rig.run(SECOND)
    rig.fire(pod="web-2")
    rig.run(MINUTE)

    rig.resolve(pod="web-1")
    rig.run(10 * MINUTE)
    with_one_firing = rig.execution(0).compensation
    rig.resolve(pod="web-2")
    rig.run(2 * MINUTE)

    assert ("held", "undone", "false") == (with_one_firing, rig.execution(0).compensation, rig.flag())
    assert_sound(rig.journal)


def test_pods_of_two_deployments_are_two_runs() -> None:
    """A slot is one runbook's on one target."""
    rig = rig_of(pods())

    rig.fire(pod="web-1")
    rig.fire(pod="api-1")
    rig.run(MINUTE)

    assert ["apps/deployment/api", "apps/deployment/web"] == sorted(restarted(rig))


def test_the_same_pod_opens_no_second_run_when_it_fires_again() -> None:
    """While it still resolves, the provisional slot is held; afterwards the found one is."""
    seen = pods()
    rig = rig_of(seen, crashing(steps=(replace(RESTART, settle=5 * MINUTE),)))
    seen.fails = Unreadable("the API server does not answer")
    rig.fire(pod="web-1")
    rig.run(SECOND)
    rig.fire(pod="web-1", container="app")
    seen.fails = None
    rig.run(MINUTE)

    rig.fire(pod="web-1", container="sidecar")
    rig.run(10 * MINUTE)

    assert 3 == len(rig.execution(0).members)
    assert ["succeeded", "cancelled"] == [rig.execution(index).status for index in (0, 1)]
    assert ["apps/deployment/web"] == restarted(rig)


@pytest.mark.parametrize("death", range(1, 44))
def test_no_alert_is_lost_when_a_process_dies_while_a_run_joins_another(death: int) -> None:
    """At every place: the holder hears of both alerts and of both resolves, and one change is made and undone."""
    held = replace(DEGRADE, compensate=Compensate(when="resolved", hold_for=MINUTE))
    seen, mortality, inner = pods(), Mortality(death), MemoryJournal()
    rig = rig_of(seen, crashing(steps=(held,)), journal=MortalJournal(inner, mortality), mortality=mortality)  # type: ignore[arg-type]
    survivor = rig_of(seen, crashing(steps=(held,)), journal=inner, world=rig.simulated)

    def live(begin: int) -> None:
        acts = [lambda r: r.fire(pod="web-1"), lambda r: r.fire(pod="web-2"), lambda r: r.resolve(pod="web-2")]
        for index, act in enumerate(acts):
            if index < begin:
                continue
            try:
                act(rig)
                rig.drive()
            except Killed:
                act(survivor)  # a sender sends again what nobody confirmed
                survivor.run(2 * MINUTE)
        survivor.run(MINUTE)

    live(0)
    while_one_fires = [each.compensation for each in inner.executions(limit=9) if not each.merged_into]
    survivor.resolve(pod="web-1")
    survivor.run(5 * MINUTE)

    assert ["held"] == while_one_fires
    assert "false" == survivor.flag()
    assert ["undone"] == [each.compensation for each in inner.executions(limit=9) if not each.merged_into]
    assert 2 == len({member.alert_key for each in inner.executions(limit=9) for member in each.members})
    assert 2 == len(rig.simulated.effects_made)
    assert_sound(inner)


# --- plans and runs by hand -------------------------------------------------------------------------------------


def test_a_plan_finds_the_target_at_once() -> None:
    """Looks, never touches, and stores nothing."""
    rig = rig_of(pods())
    rig.fire(pod="web-1")

    (plan,) = rig.engine.plan(rig.execution().alert, rig.now)

    assert ("apps/deployment/web", ()) == (str(plan.target), plan.blocked)
    assert ["restart"] == [step.action for step in plan.steps if step.change is not None]
    assert "resolve" == rig.execution().stage


@pytest.mark.parametrize(
    ("fails", "says"),
    [
        pytest.param(
            Unreadable("the API server does not answer"),
            "what apps/pod/web-1 leads to cannot be told now: the API server does not answer",
            id="unreadable",
        ),
        pytest.param(InvalidTarget("apps/pod/web-1 does not exist"), "apps/pod/web-1 does not exist", id="gone"),
        pytest.param(NoAdapter("nothing serves nodes", "name one"), "nothing serves nodes (name one)", id="no adapter"),
    ],
)
def test_a_plan_says_why_when_it_cannot_find_the_target(fails: RunbookError, says: str) -> None:
    """One clear sentence, no steps."""
    seen = pods()
    rig = rig_of(seen)
    rig.fire(pod="web-1")
    seen.fails = fails

    (plan,) = rig.engine.plan(rig.execution().alert, rig.now)

    assert ((says,), ()) == (plan.blocked, plan.steps)


def by_hand(engine: Engine, rig: Rig, target: Target) -> Execution:
    """A run that a person wants on a target, as it would be stored."""
    _, execution = engine.plan_by_hand(
        rig.execution().runbook, target=target, inputs={"pod": "web-1"}, by="ann", reason="why", now=rig.now
    )
    return execution


@pytest.mark.parametrize(
    "target",
    [
        pytest.param(Target("pod", "local", "apps", "web-1"), id="a pod, whose deployment is found"),
        pytest.param(Target("deployment", "local", "apps", "web"), id="the deployment, taken as it is"),
    ],
)
def test_a_run_by_hand_acts_on_what_a_person_named(target: Target) -> None:
    """The plan that the person reads is about the deployment already, so that is what the run holds."""
    rig = rig_of(pods(), crashing(mode=(ModeRule(mode="observe"),)))
    rig.fire(pod="api-1")
    rig.run(SECOND)

    execution = by_hand(rig.engine, rig, target)

    assert ("apps/deployment/web", "require") == (str(execution.target), execution.stage)


def test_a_run_by_hand_is_refused_when_its_pod_has_no_name_of_a_pod() -> None:
    """What a person types is data, like what an alert says."""
    rig = rig_of(pods())
    rig.fire(pod="api-1")

    with pytest.raises(InvalidTarget) as caught:
        by_hand(rig.engine, rig, Target("pod", "local", "apps", "../secrets"))

    assert "invalid_target: pod '../secrets' is not a DNS-1123 name" == str(caught.value)


def test_a_run_by_hand_is_refused_when_its_pod_leads_nowhere() -> None:
    """Before anything is stored."""
    rig = rig_of(pods())
    rig.fire(pod="api-1")

    with pytest.raises(InvalidTarget) as caught:
        by_hand(rig.engine, rig, Target("pod", "local", "apps", "gone-1"))

    assert "apps/pod/gone-1 does not exist" == str(caught.value)
