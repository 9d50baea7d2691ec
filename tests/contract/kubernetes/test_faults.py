"""Faults: whatever is lost, refused or late, the effect is there once, or the writer says that nobody knows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from runbook_adapters.kubernetes.setting_ports import KubernetesSettingWriter
from runbook_engine.errors import ActionFailed, Conflict, EffectUnknown, Permanent, Retryable, Unreadable
from tests.contract.kubernetes.bed import Bed
from tests.contract.kubernetes.rig import WorkloadRig, two_releases
from tests.emulators.kubernetes import FakeCluster

WRITE = r"/(deployments|configmaps)/web(/scale)?(\?|$)"


@dataclass
class Operation:
    """One write, the object that it changes and how to tell that it has."""

    send: Callable[[], Mapping[str, Any]]
    read: Callable[[], Any]  # what changes
    count: Callable[[], int]  # rises with every change

    def state(self) -> tuple[Any, int]:
        return self.read(), self.count()


def scale(bed: Bed) -> Operation:
    """Set the count of a deployment."""
    rig = two_releases(bed, "deployment")
    return _of_deployment(bed, lambda: rig.writer.scale(rig.target, 4, expected=2))


def restart(bed: Bed) -> Operation:
    """Restart a deployment."""
    rig = two_releases(bed, "deployment")
    return _of_deployment(bed, lambda: rig.writer.restart(rig.target, "restart-1"))


def rollback(bed: Bed) -> Operation:
    """Roll a deployment back."""
    rig = two_releases(bed, "deployment")
    return _of_deployment(bed, lambda: rig.writer.rollback(rig.target, 1, expected=2))


def environment(bed: Bed) -> Operation:
    """Add a variable to a deployment."""
    rig = two_releases(bed, "deployment")
    writer = KubernetesSettingWriter(bed.transport)
    return _of_deployment(bed, lambda: writer.write(rig.target, "env:app/DEGRADED", "on", expected=None))


def configuration(bed: Bed) -> Operation:
    """Set a key of a ConfigMap."""
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}, "data": {"degraded": "off"}}
    bed.client.create("configmap", body)
    writer, target = KubernetesSettingWriter(bed.transport), bed.target("configmap", "web")
    versions: list[str] = []

    def count() -> int:
        version = bed.client.get("configmap", "web")["metadata"]["resourceVersion"]
        if version not in versions:
            versions.append(version)
        return versions.index(version)

    return Operation(
        send=lambda: writer.write(target, "data:degraded", "on", expected="off"),
        read=lambda: bed.client.get("configmap", "web")["data"],
        count=count,
    )


def _of_deployment(bed: Bed, send: Callable[[], Mapping[str, Any]]) -> Operation:
    return Operation(
        send=send,
        read=lambda: bed.client.get("deployment", "web")["spec"],
        count=lambda: int(bed.client.get("deployment", "web")["metadata"]["generation"]),
    )


OPERATIONS = pytest.mark.parametrize(
    "arrange",
    [scale, restart, rollback, environment, configuration],
    ids=["scale", "restart", "rollback", "environment", "configmap"],
)
Break = Callable[[FakeCluster], object]


@OPERATIONS
@pytest.mark.parametrize(
    "fault",
    [
        lambda fake: fake.faults.lost_after("PATCH", WRITE),
        lambda fake: fake.faults.timeout("PATCH", WRITE, after=True),
        lambda fake: fake.faults.garbage("PATCH", WRITE, after=True),
    ],
    ids=["connection reset", "504", "an answer that is no JSON"],
)
def test_effect_is_there_once_when_its_answer_was_lost(
    cluster: Bed, fake: FakeCluster, arrange: Callable[[Bed], Operation], fault: Break
) -> None:
    """The writer says that nobody knows; asked again, it finds its own effect and sends nothing."""
    operation = arrange(cluster)
    before, count = operation.state()
    fault(fake)

    with pytest.raises(EffectUnknown):
        operation.send()
    after = operation.state()
    again = operation.send()

    assert again["unchanged"] is True
    assert after[0] != before
    assert after[1] == count + 1
    assert operation.state() == after


@OPERATIONS
@pytest.mark.parametrize(
    "fault",
    [
        lambda fake: fake.faults.lost_before("PATCH", WRITE),
        lambda fake: fake.faults.unavailable("PATCH", WRITE),
        lambda fake: fake.faults.html("PATCH", WRITE),
    ],
    ids=["connection reset", "503", "a proxy's page"],
)
def test_effect_is_there_once_when_the_request_was_lost(
    cluster: Bed, fake: FakeCluster, arrange: Callable[[Bed], Operation], fault: Break
) -> None:
    """Nobody knows here either; asked again, the writer finds that nothing happened and does it."""
    operation = arrange(cluster)
    before = operation.state()
    fault(fake)

    with pytest.raises(EffectUnknown):
        operation.send()
    assert before == operation.state()
    again = operation.send()

    assert not again.get("unchanged")
    assert operation.read() != before[0]
    assert operation.count() == before[1] + 1


@OPERATIONS
@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        (lambda fake: fake.faults.throttle("PATCH", WRITE, retry_after=60), Retryable),
        (lambda fake: fake.faults.webhook_down("PATCH", WRITE, times=9), Retryable),
        (lambda fake: fake.faults.denied("PATCH", WRITE, 'policy "cap" denied request: no'), Permanent),
        (lambda fake: fake.faults.unavailable("GET", WRITE, times=99), Retryable),
        (lambda fake: fake.faults.throttle("GET", WRITE, retry_after=60), Retryable),
    ],
    ids=["too many requests", "a webhook is down", "a policy says no", "it cannot be read", "too many reads"],
)
def test_nothing_happens_when_the_server_says_no(
    cluster: Bed, fake: FakeCluster, arrange: Callable[[Bed], Operation], fault: Break, raised: type[ActionFailed]
) -> None:
    """What surely was not done says so, and whether it may be tried again."""
    operation = arrange(cluster)
    before = operation.state()
    fault(fake)

    with pytest.raises(raised):
        operation.send()

    fake.faults.clear()
    assert before == operation.state()


@OPERATIONS
def test_effect_is_there_once_when_the_server_restarts(
    cluster: Bed, fake: FakeCluster, arrange: Callable[[Bed], Operation]
) -> None:
    """While the server is away nothing is sent or nobody knows; once it is back, asking again ends it."""
    operation = arrange(cluster)
    before = operation.state()
    coming_back = fake.restart(away=0.3)

    def done() -> bool:
        try:
            operation.send()
        except (Retryable, EffectUnknown):
            return False
        return True

    cluster.wait(done)
    coming_back.join()

    assert operation.read() != before[0]
    assert operation.count() == before[1] + 1


@OPERATIONS
def test_effect_is_there_once_when_two_ask_at_once(cluster: Bed, arrange: Callable[[Bed], Operation]) -> None:
    """Two executors with the same change: one effect, and both are told of it."""
    operation = arrange(cluster)
    before = operation.state()
    start = threading.Barrier(2)

    def send(_: int) -> Mapping[str, Any]:
        start.wait()
        return operation.send()

    with ThreadPoolExecutor(2) as pool:
        receipts = list(pool.map(send, range(2)))

    assert operation.count() == before[1] + 1
    assert [False, True] == sorted(bool(receipt.get("unchanged")) for receipt in receipts)


def test_one_wins_when_two_want_different_counts(cluster: Bed) -> None:
    """Of two who scale from the same count one gets its way, and the other hears of it."""
    rig = two_releases(cluster, "deployment")
    start = threading.Barrier(2)

    def send(replicas: int) -> object:
        start.wait()
        try:
            return rig.writer.scale(rig.target, replicas, expected=2)
        except Conflict as conflict:
            return conflict

    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(send, [3, 4]))

    conflicts = [isinstance(each, Conflict) for each in said]
    assert 1 == sum(conflicts)
    assert (4 if conflicts[0] else 3) == rig.look().replicas


def test_write_goes_on_when_somebody_else_changes_another_part(cluster: Bed, fake: FakeCluster) -> None:
    """A change of the count in between is no conflict for a restart: it looks again, and both are there."""
    rig = two_releases(cluster, "deployment")
    fake.faults.slow("PATCH", WRITE, 0.3)
    fake.log.clear()

    with ThreadPoolExecutor(1) as pool:
        restarting = pool.submit(rig.writer.restart, rig.target, "restart-1")
        cluster.wait(lambda: fake.log.count("GET", r"/deployments/web$"))
        fake.patch("deployments", "web", {"spec": {"replicas": 3}}, cluster.namespace)
        restarting.result()

    look = rig.look()
    assert (3, "restart-1") == (look.replicas, look.restarted_at)


def test_key_of_another_is_kept_when_both_add_it(cluster: Bed, fake: FakeCluster) -> None:
    """Absence cannot be tested in a patch, and still what somebody adds in between is not overwritten."""
    operation = configuration(cluster)
    writer, target = KubernetesSettingWriter(cluster.transport), cluster.target("configmap", "web")
    assert operation.read() == {"degraded": "off"}
    fake.faults.slow("PATCH", WRITE, 0.3)
    fake.log.clear()

    with ThreadPoolExecutor(1) as pool:
        adding = pool.submit(writer.write, target, "data:new", "ours", expected=None)
        cluster.wait(lambda: fake.log.count("GET", r"/configmaps/web$"))
        fake.patch("configmaps", "web", {"data": {"new": "theirs"}}, cluster.namespace)
        said = adding.exception()

    assert isinstance(said, Conflict)
    assert {"degraded": "off", "new": "theirs"} == operation.read()


@pytest.mark.parametrize(
    "path",
    [
        r"/namespaces/[a-z0-9-]+$",
        "/replicasets",
        "/horizontalpodautoscalers",
        "/scaledobjects",
        "/resourcequotas",
        r"/deployments/web$",
    ],
    ids=["namespace", "revisions", "autoscalers", "KEDA", "quotas", "the workload"],
)
def test_workload_is_unreadable_when_a_guard_could_not_be_asked(cluster: Bed, fake: FakeCluster, path: str) -> None:
    """What may not be read is never as if it were not there; the sentence says which permission is missing."""
    rig = two_releases(cluster, "deployment")
    fake.faults.denied("GET", path, 'User "runner" cannot list resource', code=403, times=9)

    with pytest.raises(Unreadable) as unread:
        rig.look()

    assert 'User "runner" cannot list resource' in str(unread.value)


def test_workload_has_no_keda_when_the_server_knows_none(cluster: Bed, fake: FakeCluster) -> None:
    """Without the permission, and without KEDA, there is no ScaledObject that could set the count."""
    rig = two_releases(cluster, "deployment")
    fake.faults.denied("GET", "/namespaces/.*/scaledobjects", 'User "runner" cannot list resource', code=403, times=9)
    unknown = "the server could not find the requested resource"
    fake.faults.denied("GET", r"/apis/keda.sh/v1alpha1(\?|$)", unknown, code=404, times=9)

    assert rig.look().autoscaler is None


def test_rollback_asks_to_be_asked_again_when_the_look_after_it_is_lost(cluster: Bed, fake: FakeCluster) -> None:
    """The template is back; whether a pod is in its way, the next call says."""
    rig = two_releases(cluster, "statefulset")
    fake.faults.unavailable("GET", "/pods", times=99, skip=1)

    receipt = rig.writer.rollback(rig.target, 1, expected=2)

    fake.faults.clear()
    assert 1 == receipt["stuck"]
    cluster.wait(lambda: not rig.writer.rollback(rig.target, 1, expected=2).get("stuck"), "a way free of stuck pods")
    rig.settle()


def test_scale_has_no_stale_mark_when_the_look_after_it_is_lost(cluster: Bed, fake: FakeCluster) -> None:
    """The write is done and says so, although the look that follows it fails."""
    rig: WorkloadRig = two_releases(cluster, "deployment")
    fake.faults.unavailable("GET", r"/deployments/web$", times=99, skip=1)

    receipt = rig.writer.scale(rig.target, 4, expected=2)

    fake.faults.clear()
    assert {"failureMark": ""} == receipt
    assert 4 == rig.look().replicas
