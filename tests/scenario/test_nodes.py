"""A node that is emptied: the whole engine over simulated nodes, with everything that may come between."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from runbook_engine.errors import EffectUnknown, Retryable, Unreadable
from runbook_engine.model.check import EvictablePodsCheck, NodeReadyCheck
from runbook_engine.model.guardrail import BlastRadius, Guardrails
from runbook_engine.model.observation import Pause
from runbook_engine.model.runbook import Compensate, ModeRule, Runbook, Step
from runbook_engine.model.target import Target, TargetTemplate
from runbook_engine.testing.simulated_world import SimulatedWorld
from tests.scenario.rig import MINUTE, SECOND, Rig, configuration, runbook

CORDON = Step(name="stop-new-pods", action="cordon", compensate=Compensate(when="onFailure"))
DRAIN = Step(name="move-pods-away", action="drain", arguments={"gracePeriod": "60s"})
NODE = Target("node", "local", "", "worker-1")
AGENT = Target("daemonset", "local", "kube-system", "agent")
RULES = Guardrails(
    cooldown=360 * MINUTE,
    deadline=45 * MINUTE,
    blast_radius=BlastRadius(limits={"nodesUnavailable": {"max": 1, "maxPercent": 10}, "podsEvicted": {"max": 60}}),
)


def drained(**changes: object) -> Runbook:
    """Return the runbook that takes one node out of service."""
    settings: dict[str, object] = {
        "name": "node-disk-pressure",
        "digest": "digest-of-node-disk-pressure",
        "target": TargetTemplate(kind="node", name="worker-1"),
        "strategy": "sequence",
        "require": (NodeReadyCheck(ready=True),),
        "verify": (EvictablePodsCheck(at_most=0, timeout=12 * MINUTE),),
        "guardrails": RULES,
        "steps": (CORDON, DRAIN),
    }
    return runbook(**{**settings, **changes})


class NodeRig(Rig):
    """A rig whose first node runs pods of two deployments, one of them with a disruption budget."""

    def __init__(self, pods: int = 3, wanted: int = 2, **changes: object) -> None:
        simulated = SimulatedWorld(receivers=("chat", "oncall"))
        for number in range(1, 5):
            simulated.add_node(f"worker-{number}")
        self.web = simulated.deploy("apps", "web", replicas=pods)
        self.shop = simulated.deploy("apps", "shop", replicas=3)
        for number in range(pods):
            simulated.add_pod("apps", f"web-{number}", NODE, self.web)
        for number in range(2):
            simulated.add_pod("apps", f"shop-{number}", NODE, self.shop)
        simulated.protect("keep-web", self.web, wanted)
        simulated.add_pod("kube-system", "agent", NODE, AGENT)
        settings = configuration(targets=("node=*", "deployment=apps/lone"))
        super().__init__(drained(**changes), settings=settings, world=simulated)

    @property
    def evicted(self) -> list[str]:
        """Who was asked to leave, in order."""
        return [touch.target for touch in self.simulated.effects_made if touch.method == "nodes.evict"]

    @property
    def left(self) -> list[str]:
        """Which pods are on the node."""
        return sorted(pod.target.name for pod in self.simulated.nodes.seen_on(NODE))

    @property
    def cordoned(self) -> bool:
        """Whether the node is cordoned."""
        return self.simulated.nodes.seen(NODE).cordoned

    @property
    def end(self) -> tuple[str, str]:
        """How the run ended, and what became of undoing."""
        return self.execution().status, self.execution().compensation


def test_a_node_is_cordoned_and_emptied_in_batches() -> None:
    """Every pod leaves once, nobody is short of replicas, and the node stays out of service."""
    rig = NodeRig()
    ready: list[int] = []
    rig.simulated.compute("probe", lambda world: ready.append(world.seen(rig.web).ready))

    rig.fire()
    rig.run(3 * MINUTE)

    assert ("succeeded", "none") == rig.end
    assert (["agent"], True) == (rig.left, rig.cordoned)
    assert 5 == len(set(rig.evicted)) == len(rig.evicted)
    assert min(ready) >= 2
    assert 3 == rig.simulated.seen(rig.web).ready
    assert "evictable pods on node/worker-1: 0, wanted at most 0" in " ".join(rig.says())


def test_a_plan_prepares_the_drain_before_the_node_is_cordoned() -> None:
    """Both changes are shown, with their victims, and nothing stands in their way."""
    rig = NodeRig()
    rig.fire()
    execution = rig.execution()

    plan = rig.engine.plan(execution.alert, rig.now)[0]

    assert () == plan.blocked
    assert [("cordoned", False, True), ("evictablePods", 5, 0)] == [
        (change.field, change.before, change.after) for change in plan.changes
    ]
    assert () == rig.simulated.effects_made


def test_a_pause_in_the_middle_stops_the_next_batch_and_the_drain_goes_on_after_it() -> None:
    """The kill switch is read before every batch."""
    rig = NodeRig()
    rig.fire()
    rig.run(SECOND)
    asked = len(rig.evicted)

    rig.simulated.pauses.throw(Pause(until=rig.now + 5 * MINUTE, by="ann", reason="migration"))
    rig.run(4 * MINUTE)
    paused = (len(rig.evicted), rig.execution().status)
    rig.run(5 * MINUTE)

    assert 0 < asked < 5
    assert (asked, "waiting") == paused
    assert ("succeeded", "none") == rig.end
    assert 5 == len(set(rig.evicted)) == len(rig.evicted)


def test_a_used_up_budget_is_waited_for_and_named() -> None:
    """Who reads the run sees which budget holds it up, with its numbers; when there is room it goes on."""
    rig = NodeRig(pods=3, wanted=2)
    rig.simulated.cluster.state(rig.web).broken = 1
    rig.fire()

    rig.run(2 * MINUTE)
    waiting = rig.execution().steps[1].effects[-1].reason
    rig.simulated.cluster.state(rig.web).broken = 0
    rig.run(3 * MINUTE)

    assert (
        "2 of 5 pods have left; "
        "pod apps/web-0 waits for disruption budget keep-web: it needs 2 healthy pods and has 2; "
        "pod apps/web-1 waits for disruption budget keep-web: it needs 2 healthy pods and has 2; "
        "pod apps/web-2 waits for disruption budget keep-web: it needs 2 healthy pods and has 2" == waiting
    )
    assert ("succeeded", "none") == rig.end


def test_a_budget_that_stays_used_up_ends_the_run_and_the_node_is_opened_again() -> None:
    """Nobody is forced out: what is left stays, the cordon is undone, the person on call is told."""
    rig = NodeRig()
    rig.simulated.cluster.state(rig.web).broken = 1
    rig.fire()

    rig.run(30 * MINUTE, step=10 * SECOND)

    assert ("failed", "undone") == rig.end
    assert "did not finish in time: 2 of 5 pods have left" in rig.execution().reason
    assert not rig.cordoned
    assert ["agent", "web-0", "web-1", "web-2"] == rig.left
    assert ["notFixed"] == rig.told("oncall")


def test_a_pod_that_forbids_the_drain_is_told_by_the_plan_and_leaves_the_node_as_it_was() -> None:
    """Whoever looks first sees it; a run that acts does not even cordon the node."""
    rig = NodeRig()
    rig.simulated.add_pod("apps", "cache", NODE, rig.shop, empty_dirs=("data",))
    says = (
        "cannot drain node/worker-1: pod apps/cache keeps data in an emptyDir (data; set emptyDir: delete to lose it)"
    )

    rig.fire()
    plan = rig.engine.plan(rig.execution().alert, rig.now)[0]
    rig.run(MINUTE)

    assert (f"move-pods-away: {says}",) == plan.blocked
    assert ("failed", "none") == rig.end
    assert f"stop-new-pods: move-pods-away could not follow: {says}" == rig.execution().reason
    assert ([], False) == (rig.evicted, rig.cordoned)
    assert () == rig.simulated.effects_made


def test_a_drain_is_not_refused_for_a_budget_that_a_step_before_it_makes_possible() -> None:
    """One replica can never be spared; of two, one can."""
    more = Step(
        name="one-more",
        action="scale",
        arguments={"to": 2},
        target=TargetTemplate(kind="deployment", name="lone", namespace="apps"),
        compensate=Compensate(when="never"),
    )
    rig = NodeRig(steps=(more, CORDON, DRAIN))
    lone = rig.simulated.deploy("apps", "lone", replicas=1)
    rig.simulated.add_pod("apps", "lone-0", NODE, lone)
    rig.simulated.protect("keep-lone", lone, 1)

    rig.fire()
    rig.run(5 * MINUTE)

    assert ("succeeded", "none") == rig.end
    assert ["agent"] == rig.left


def test_a_pod_that_comes_in_the_middle_and_forbids_it_ends_the_drain_and_undoes_the_cordon() -> None:
    """What has left has left; the rest stays, and the node takes pods again."""
    rig = NodeRig()
    rig.fire()
    rig.run(SECOND)

    rig.simulated.add_pod("apps", "stray", NODE)
    rig.run(2 * MINUTE)

    assert ("failed", "undone") == rig.end
    assert not rig.cordoned
    assert "stray" in rig.left
    assert (
        "move-pods-away failed: pod apps/stray has no controller: nothing brings it back "
        "(set unmanagedPods: evict to lose it)" == rig.execution().reason
    )


def test_a_node_that_somebody_uncordons_is_left_alone() -> None:
    """Their wish is obeyed: no pod more is asked, and nothing is cordoned again."""
    rig = NodeRig()
    rig.fire()
    rig.run(SECOND)
    asked = len(rig.evicted)

    rig.simulated.nodes.edit(NODE, cordoned=False)
    rig.run(5 * MINUTE)

    assert "failed" == rig.execution().status
    assert (asked, False) == (len(rig.evicted), rig.cordoned)
    assert "it is not cordoned" in rig.execution().reason


def test_a_node_that_somebody_else_cordons_stays_cordoned_when_ours_is_undone() -> None:
    """Our undo is superseded, and the owner is told."""
    rig = NodeRig()
    rig.fire()
    rig.run(SECOND)

    rig.simulated.nodes.edit(NODE, cordoned=True, cordoned_by="kubectl-cordon")
    rig.simulated.add_pod("apps", "stray", NODE)
    rig.run(2 * MINUTE)

    assert ("failed", "superseded") == rig.end
    assert rig.cordoned


def test_another_node_that_fails_in_the_middle_stops_the_drain() -> None:
    """The blast radius is counted before every batch: two of four are one too many."""
    rig = NodeRig()
    rig.fire()
    rig.run(SECOND)
    asked = len(rig.evicted)

    rig.simulated.nodes.edit(Target("node", "local", "", "worker-2"), ready=False)
    rig.run(2 * MINUTE)

    assert ("blocked", "undone") == rig.end
    assert asked == len(rig.evicted)
    assert "2 of 4 nodes would be out of service (worker-1, worker-2), at most 1" in rig.execution().reason


def test_nodes_that_cannot_be_read_for_a_while_put_the_next_batch_off() -> None:
    """An API server that restarts ends nothing, and allows nothing."""
    rig = NodeRig()
    rig.fire()
    rig.run(SECOND)
    asked = len(rig.evicted)

    rig.simulated.faults.make_unreadable("nodes", "the API is away")
    rig.run(2 * MINUTE)
    away = len(rig.evicted)
    rig.simulated.faults.make_readable("nodes")
    rig.run(3 * MINUTE)

    assert asked == away
    assert ("succeeded", "none") == rig.end


@pytest.mark.parametrize("method", ["nodes.cordon", "nodes.evict", "nodes.uncordon"])
@pytest.mark.parametrize("after_effect", [True, False], ids=["the answer is lost", "the request is lost"])
def test_a_call_whose_outcome_is_not_known_is_repeated_without_harm(method: str, after_effect: bool) -> None:
    """No pod is asked twice, and what is undone is undone."""
    rig = NodeRig()
    rig.simulated.fail_next(method, EffectUnknown("the connection broke"), after_effect=after_effect)
    if method == "nodes.uncordon":
        rig.simulated.cluster.state(rig.web).broken = 1  # the drain ends late, and the cordon is undone
    rig.fire()

    rig.run(35 * MINUTE, step=10 * SECOND)

    assert len(set(rig.evicted)) == len(rig.evicted)
    expected = ("failed", "undone") if method == "nodes.uncordon" else ("succeeded", "none")
    assert (expected, method != "nodes.uncordon") == (rig.end, rig.cordoned)


def test_a_node_that_goes_away_in_the_middle_is_drained_and_a_person_hears() -> None:
    """Its pods are elsewhere; that it is well cannot be verified any more, so nobody claims that it is."""
    rig = NodeRig()
    rig.fire()
    rig.run(SECOND)

    rig.simulated.nodes.remove_node(NODE)
    rig.run(20 * MINUTE, step=10 * SECOND)

    assert "unresolved" == rig.execution().status
    assert ["stop-new-pods", "move-pods-away"] == [
        step.name for step in rig.execution().steps if step.progress == "changed"
    ]
    assert ["notFixed"] == rig.told("oncall")
    assert 3 == rig.simulated.seen(rig.web).ready


def test_a_cordon_is_lifted_when_the_alert_resolves_before_the_drain_began() -> None:
    """A sequence that nobody needs any more leaves no node closed for ever, and says where it stopped."""
    rig = NodeRig()
    rig.fire()
    while not rig.cordoned:
        rig.engine.drive(rig.execution().id, rig.owner, rig.now, 5 * MINUTE)
    rig.simulated.pauses.throw(Pause(until=rig.now + 5 * MINUTE, by="ann"))

    rig.resolve()
    rig.run(10 * MINUTE, step=10 * SECOND)

    assert ("succeeded", "undone") == rig.end
    assert "every alert resolved before move-pods-away was done" == rig.execution().reason
    assert ([], False) == (rig.evicted, rig.cordoned)


def test_a_node_is_not_cordoned_when_the_cluster_would_deny_the_drain() -> None:
    """Rights and admission rules are asked before the first change, not after nine of twenty-six pods."""
    rig = NodeRig()
    rig.simulated.nodes.denied["apps"] = "a policy protects them"
    rig.fire()

    rig.run(MINUTE)

    assert ("failed", "none") == rig.end
    says = "move-pods-away could not follow: pods of apps are not let go: a policy protects them"
    assert f"stop-new-pods: {says}" == rig.execution().reason
    assert () == rig.simulated.effects_made
    assert ["notFixed"] == rig.told("oncall")


def test_a_drain_goes_on_when_nobody_can_say_whether_it_would_be_denied() -> None:
    """A rehearsal that is not answered is no denial: the drain itself will tell."""
    rig = NodeRig()
    rig.simulated.faults.fail_next("nodes.rehearse", Retryable("the API server is busy"))
    rig.fire()

    rig.run(3 * MINUTE)

    assert ("succeeded", "none") == rig.end


def test_a_drain_that_waits_says_for_what_when_somebody_looks() -> None:
    """The list and the first screen say which budget holds it up, not only that it waits."""
    rig = NodeRig(pods=3, wanted=2)
    rig.simulated.cluster.state(rig.web).broken = 1
    rig.fire()

    rig.run(2 * MINUTE)

    assert "waiting" == rig.execution().status
    assert "keep-web: it needs 2 healthy pods and has 2" in rig.execution().waits_for


def test_a_yes_to_the_plan_holds_for_the_drain_although_the_cordon_came_in_between() -> None:
    """When the node was cordoned is no part of what was approved, so nobody is asked twice."""
    rig = NodeRig(mode=(ModeRule(mode="approve"),))
    rig.fire()
    rig.run(SECOND)
    asked = rig.execution().approval
    assert asked is not None

    rig.engine.approve(rig.execution().id, plan_hash=asked.hash, by="ann", now=rig.now)
    rig.run(3 * MINUTE)

    assert ("succeeded", "none") == rig.end
    assert 1 == rig.told("chat").count("approval")


def test_a_second_node_is_refused_while_the_first_is_out_of_service() -> None:
    """One node at a time, whoever took the first one out."""
    rig = NodeRig()
    rig.simulated.nodes.edit(Target("node", "local", "", "worker-3"), cordoned=True)

    rig.fire()
    rig.run(MINUTE)

    assert ("blocked", "none") == rig.end
    assert "2 of 4 nodes would be out of service (worker-1, worker-3), at most 1" in rig.execution().reason
    assert () == rig.simulated.effects_made


def test_a_node_whose_kubelet_does_not_answer_is_cordoned_and_not_drained() -> None:
    """The drain is skipped: nothing on it could confirm that it has left."""
    step = replace(DRAIN, when=(NodeReadyCheck(ready=True),))
    rig = NodeRig(steps=(replace(CORDON, compensate=Compensate(when="never")), step), require=(), verify=())
    rig.simulated.nodes.edit(NODE, ready=False, ready_reason="NodeStatusUnknown")

    rig.fire()
    rig.run(MINUTE)

    assert ["changed", "skipped"] == [state.progress for state in rig.execution().steps]
    assert "node/worker-1 is not ready (NodeStatusUnknown), wanted ready" == rig.execution().steps[1].reason
    assert ([], True) == (rig.evicted, rig.cordoned)


def test_an_unreadable_room_is_waited_for_and_never_taken_for_a_yes() -> None:
    """The drain is put off until it can be told whether the pods fit elsewhere."""
    rig = NodeRig()
    rig.simulated.fail_next("nodes.headroom", Unreadable("the API is away"), times=4)
    rig.fire()

    rig.run(timedelta(seconds=2))
    early = len(rig.evicted)
    rig.run(5 * MINUTE)

    assert 0 == early
    assert ("succeeded", "none") == rig.end
