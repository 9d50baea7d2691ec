"""The actions on a cluster, as the engine runs them: prepare, apply, observe until it ends, and undo."""

from __future__ import annotations

from typing import Any

import pytest

from runbook_adapters.kubernetes.reader import KubernetesReader
from runbook_adapters.kubernetes.setting_ports import KubernetesSettingReader, KubernetesSettingWriter
from runbook_adapters.kubernetes.writer import KubernetesWriter
from runbook_engine.actions import degrade, restart, rollback, scale
from runbook_engine.model.plan import Change, Progress
from runbook_engine.model.target import Target
from runbook_engine.ports import Effects, World
from runbook_engine.ports.absent import absent
from tests.contract.kubernetes.bed import BROKEN, NEW, OLD, Bed
from tests.contract.kubernetes.rig import WorkloadRig, two_releases


class Engine:
    """What runs one action to its end, with nothing but a cluster."""

    def __init__(self, bed: Bed) -> None:
        self.bed = bed
        self.world = World(
            clock=bed.clock,
            cluster=KubernetesReader(bed.transport, bed.clock),
            settings=KubernetesSettingReader(bed.transport),
            flags=absent("flags"),
            metrics=absent("metrics"),
            changes=absent("changes"),
            logs=absent("logs"),
            pauses=absent("pause"),
        )
        self.effects = Effects(
            cluster=KubernetesWriter(bed.transport, bed.clock),
            settings=KubernetesSettingWriter(bed.transport),
            flags=absent("flags"),
            notifier=absent("receiver"),
        )
        self.looks: list[Progress] = []

    def run(self, action: Any, target: Target, **arguments: Any) -> Change:
        """Prepare and make true; return the change."""
        change = action.prepare(action.ACTION.params(**arguments), target, self.world)
        assert change is not None
        self.make_true(action, change)
        return change

    def make_true(self, action: Any, change: Change) -> Progress:
        """Apply, again while the outcome is partial, and look until it ends."""
        receipt: dict[str, Any] = {}

        def applied() -> bool:
            outcome = action.apply(change, "key", self.effects)
            assert outcome.status in ("done", "noop", "partial"), outcome
            receipt.update({} if outcome.status == "noop" else outcome.receipt)
            return outcome.status != "partial"

        self.bed.wait(applied, "the last batch")
        self.bed.wait(lambda: self.look(action, change, receipt).status != "progressing", "the end of the rollout")
        assert "done" == self.looks[-1].status, self.looks[-1]
        return self.looks[-1]

    def look(self, action: Any, change: Change, receipt: dict[str, Any]) -> Progress:
        self.looks.append(action.observe(change, receipt, self.world))
        return self.looks[-1]


@pytest.fixture
def engine(cluster: Bed) -> Engine:
    """An engine on the cluster."""
    return Engine(cluster)


@pytest.mark.parametrize("kind", ["deployment", "statefulset"])
@pytest.mark.parametrize("by", [2, -1], ids=["up", "down"])
def test_scale_is_done_and_undone_when_nobody_interferes(engine: Engine, kind: str, by: int) -> None:
    """The count is reached, and written backwards it is what it was."""
    rig = two_releases(engine.bed, kind)

    change = engine.run(scale, rig.target, by=by)
    engine.bed.settle(kind, "web")
    scaled = rig.look()
    engine.make_true(scale, change.inverse())

    engine.bed.settle(kind, "web")
    undone = rig.look()
    assert (2 + by, 2 + by) == (scaled.replicas, scaled.ready)
    assert (2, 2) == (undone.replicas, undone.ready)


@pytest.mark.parametrize("kind", ["deployment", "statefulset", "daemonset"])
def test_restart_replaces_every_pod_when_it_is_done(engine: Engine, kind: str) -> None:
    """No pod that was there before is there afterwards."""
    rig = two_releases(engine.bed, kind)
    before = {pod["metadata"]["uid"] for pod in engine.bed.live_pods("web")}

    engine.run(restart, rig.target)

    after = {pod["metadata"]["uid"] for pod in engine.bed.live_pods("web")}
    assert after.isdisjoint(before)


@pytest.mark.parametrize("kind", ["deployment", "statefulset", "daemonset"])
def test_rollback_finds_the_healthy_release_when_the_newest_is_broken(engine: Engine, kind: str) -> None:
    """The last healthy release runs again, whatever the newest has left in the way."""
    rig = two_releases(engine.bed, kind)
    engine.bed.release(kind, "web", BROKEN)
    pods = engine.bed.live_pods
    engine.bed.wait(lambda: any(BROKEN == pod["spec"]["containers"][0]["image"] for pod in pods("web")))

    engine.run(rollback, rig.target, to="lastHealthy")

    assert {NEW} == {pod["spec"]["containers"][0]["image"] for pod in pods("web")}


def test_degrade_is_done_and_undone_when_it_sets_an_environment_value(engine: Engine) -> None:
    """The value rolls out, and undoing restores the template and the ReplicaSet of before."""
    engine.bed.deployment("web", image=OLD)
    rig = WorkloadRig(engine.bed, "deployment")
    rig.settle()
    before = engine.bed.client.get("deployment", "web")["spec"]["template"]

    change = engine.run(degrade, rig.target, env="DEGRADED", value="true", container="app")
    changed = engine.bed.client.get("deployment", "web")["spec"]["template"]
    engine.make_true(degrade, change.inverse())

    assert [{"name": "DEGRADED", "value": "true"}] == changed["spec"]["containers"][0]["env"]
    assert before == engine.bed.client.get("deployment", "web")["spec"]["template"]
    assert 2 == len(engine.bed.client.list("replicaset", "app=web"))


def test_undo_of_a_degrade_changes_nothing_when_a_rollback_took_it_along(engine: Engine) -> None:
    """A rollback removes the value that an earlier step had set, so there is nothing left to undo."""
    rig = two_releases(engine.bed, "deployment")
    change = engine.run(degrade, rig.target, env="DEGRADED", value="true", container="app")
    engine.run(rollback, rig.target, to=1)
    before = engine.bed.client.get("deployment", "web")["metadata"]["generation"]

    outcome = degrade.apply(change.inverse(), "key", engine.effects)

    assert "noop" == outcome.status
    assert before == engine.bed.client.get("deployment", "web")["metadata"]["generation"]
