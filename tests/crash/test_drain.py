"""A drain that is killed anywhere, even between two pods of one batch, empties the node all the same, each pod once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from runbook_engine.engine import Engine
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.check import EvictablePodsCheck
from runbook_engine.model.guardrail import BlastRadius, Guardrails
from runbook_engine.model.matcher import Matcher
from runbook_engine.model.plan import Value
from runbook_engine.model.runbook import Compensate, ModeRule, NotifyRule, Runbook, Step
from runbook_engine.model.target import Target, TargetTemplate
from tests.crash.cases import Case
from tests.crash.host import Host, configuration
from tests.crash.invariants import assert_sound, intents
from tests.crash.mortality import Mortality, MortalJournal, mortal_effects, places_to_die

MINUTE = timedelta(minutes=1)
DRAINED = Runbook(
    name="node-disk-pressure",
    digest="digest-of-node-disk-pressure",
    owner="team-checkout",
    matchers=(Matcher("alertname", "=", "KubeNodePressure"),),
    target=TargetTemplate(kind="node", name="worker-1"),
    mode=(ModeRule(mode="auto"),),
    strategy="sequence",
    verify=(EvictablePodsCheck(at_most=0, timeout=12 * MINUTE),),
    guardrails=Guardrails(
        cooldown=6 * 60 * MINUTE,
        deadline=45 * MINUTE,
        blast_radius=BlastRadius(limits={"nodesUnavailable": {"max": 1}, "podsEvicted": {"max": 60}}),
    ),
    steps=(
        Step(name="stop-new-pods", action="cordon", compensate=Compensate(when="onFailure")),
        Step(name="move-pods-away", action="drain", arguments={"gracePeriod": "60s", "parallel": 3}),
    ),
    notify=(
        NotifyRule(receiver="chat", events=("started", "changed", "ended")),
        NotifyRule(receiver="oncall", events=("notFixed",)),
    ),
)
CASE = Case(name="drain", runbook=DRAINED, healed_by=(), effects=(), compensation="none", queries=())


class NodeHost(Host):
    """A host whose node runs seven pods of three workloads, one of them with a disruption budget."""

    @property
    def evicted(self) -> list[Value]:
        """The uid of every pod that was asked to leave, as often as it was."""
        return [touch.value for touch in self.simulated.effects_made if touch.method == "nodes.evict"]

    @property
    def cordons(self) -> list[str]:
        """Every change of the node itself."""
        return [touch.method for touch in self.simulated.effects_made if touch.target == "node/worker-1"]

    def _arrange(self) -> None:
        simulated = self.simulated
        self.node = simulated.add_node("worker-1")
        for number in (2, 3):
            simulated.add_node(f"worker-{number}")
        for name, pods in (("web", 3), ("shop", 2), ("mail", 2)):
            workload = simulated.deploy("apps", name, replicas=pods + 1)
            for number in range(pods):
                simulated.add_pod("apps", f"{name}-{number}", self.node, workload)
        simulated.protect("keep-web", Target("deployment", "local", "apps", "web"), 3)
        simulated.add_pod("kube-system", "agent", self.node, Target("daemonset", "local", "kube-system", "agent"))
        self._die_between_pods()

    def _die_between_pods(self) -> None:
        touch, mortality = self.simulated.faults.touch, self.mortality

        def mortal(
            method: str, target: str, value: Value, effect: Callable[[], Mapping[str, Value]]
        ) -> Mapping[str, Value]:
            receipt = touch(method, target, value, effect)
            if method == "nodes.evict":
                mortality("between-pods")
            return receipt

        self.simulated.faults.touch = mortal  # type: ignore[method-assign]  # the place inside one batch

    def _live(self) -> Engine:
        self.lives += 1
        return Engine(
            bundle=Bundle((self.case.runbook,), replace(configuration(), targets=("node=*",))),
            journal=MortalJournal(self.journal, self.mortality),  # type: ignore[arg-type]  # the inner one answers the rest
            world=self.simulated.world,
            effects=mortal_effects(self.simulated.effects, self.mortality),
            registry=self.registry,
            checkpoint=self.mortality,
        )


def play(folder: Path, *deaths: int) -> NodeHost:
    """Play the drain with these deaths, each in a folder of its own."""
    own = folder / "-".join(map(str, ("drain", *deaths)))
    own.mkdir()
    host = NodeHost(CASE, own, Mortality(*deaths))
    host.play()
    return host


def assert_drained(host: NodeHost, undisturbed: NodeHost, place: str) -> None:
    """Every pod was asked once, the node is empty and cordoned, people were told the same, and the trail is whole."""
    assert ("succeeded", "none") == (host.execution.status, host.execution.compensation), place
    assert sorted(map(str, undisturbed.evicted)) == sorted(map(str, host.evicted)), place
    assert ["nodes.cordon"] == host.cordons, place
    assert ["agent"] == [pod.target.name for pod in host.simulated.nodes.seen_on(host.node)], place
    assert undisturbed.told == host.told, place
    assert_sound(host.journal)


def test_an_undisturbed_drain_takes_several_batches(tmp_path: Path) -> None:
    """The yardstick itself: seven pods, one of each workload at a time, and never fewer than the budget wants."""
    host = play(tmp_path)

    assert_drained(host, host, "undisturbed")
    assert 7 == len(set(host.evicted)) == len(host.evicted)
    trail = intents(host.journal.audit(host.execution.id))
    assert ("stop-new-pods", "do") == trail[0]
    assert trail.count(("move-pods-away", "do")) >= 3
    assert 7 == host.mortality.passed.count("between-pods")


def test_no_pod_is_asked_twice_when_the_runner_dies_at_any_place(tmp_path: Path) -> None:
    """At every place, one death: the same pods, the same end, the same messages."""
    undisturbed = play(tmp_path)

    for death in places_to_die(undisturbed.mortality.passed):
        host = play(tmp_path, death)

        place = f"killed at {death}, {host.mortality.died_at}"
        assert 2 == host.lives, place
        assert_drained(host, undisturbed, place)


@pytest.mark.parametrize("later", [1, 2, 5])
def test_no_pod_is_asked_twice_when_the_next_runner_dies_as_well(tmp_path: Path, later: int) -> None:
    """Two deaths: at a place, and again while what the first left behind is being taken up."""
    undisturbed = play(tmp_path)

    for first in range(1, len(undisturbed.mortality.passed) + 1, 7):
        host = play(tmp_path, first, first + later)

        assert_drained(host, undisturbed, f"killed at {first} and {first + later}, {host.mortality.died_at}")
