"""The rollout watcher on a cluster: every change is told once, with who made it, whatever happens to the connection."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread
from threading import enumerate as enumerate_threads
from typing import Any

import pytest

from runbook_adapters.kubernetes import ADAPTER, KubernetesSettings
from runbook_adapters.kubernetes.credentials import GivenToken
from runbook_adapters.kubernetes.transport import Transport
from runbook_adapters.kubernetes.watcher import RolloutWatcher
from runbook_adapters.kubernetes.wire import Wire
from runbook_engine.errors import Overloaded, Unreadable
from runbook_engine.model.configuration import Configuration, SecretReference
from runbook_engine.model.observation import ChangeEvent
from runbook_engine.model.target import Target
from runbook_engine.ports import AdapterContext
from tests.contract.kubernetes.bed import BROKEN, NEW, OLD, PLACE, AheadClock, Bed
from tests.contract.kubernetes.client import TESTER
from tests.emulators.kubernetes import FakeCluster
from tests.lab import PATIENCE

pytestmark = pytest.mark.slow

MINUTES = timedelta(minutes=1)
KINDS = ("deployment", "statefulset", "daemonset")


class Spied:
    """A transport that counts its watches: once there is one of each kind, everything has been listed."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.watches: list[str] = []
        self.lists: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def list(self, path: str, query: Any = None) -> Any:
        self.lists.append(path)
        return self._transport.list(path, query)

    def watch(self, path: str, query: Any = None, **rest: Any) -> Any:
        self.watches.append(path)
        return self._transport.watch(path, query, **rest)


@dataclass
class Watched:
    """One watcher and what it has told, whether or not it is watching now."""

    bed: Bed
    turn: int = 1
    told: list[tuple[Target, ChangeEvent]] = field(default_factory=list)
    error: BaseException | None = None
    deaf: bool = False

    def __post_init__(self) -> None:
        self.spied = Spied(self.bed.transport)
        namespaces = (self.bed.namespace,)
        self.watcher = RolloutWatcher(self.spied, PLACE, self.bed.clock, namespaces, turn=self.turn)  # type: ignore[arg-type]

    @contextmanager
    def watching(self) -> Iterator[Watched]:
        """Watch in a thread while the test goes on; the watcher must end when it is told to."""
        stop, seen = Event(), len(self.spied.watches)
        self.error = None
        thread = Thread(target=self._watch, args=(stop,), daemon=True)
        thread.start()
        self.bed.wait(lambda: self.error or set(self.spied.watches[seen:]) >= set(self.paths()), "a watch of each kind")
        try:
            yield self
        finally:
            stop.set()
            thread.join(PATIENCE)
            assert not thread.is_alive()

    def _watch(self, stop: Event) -> None:
        try:
            self.watcher.watch(self._hear, stop.is_set)
        except Exception as error:  # noqa: BLE001 - for the test to look at
            self.error = error

    def _hear(self, target: Target, event: ChangeEvent) -> None:
        if self.deaf:
            raise Overloaded("the journal is busy")
        self.told.append((target, event))

    def paths(self) -> list[str]:
        return [f"/apis/apps/v1/namespaces/{self.bed.namespace}/{kind}s" for kind in KINDS]

    def said(self, kind: str = "") -> list[str]:
        return [event.what for _, event in self.told if kind in ("", event.kind)]

    def wait_for(self, what: str) -> ChangeEvent:
        self.bed.wait(lambda: what in self.said(), f"{what!r} among {self.said()}")
        return next(event for _, event in self.told if event.what == what)

    def wait_a_turn(self) -> None:
        """Wait until every watch that goes on now has ended, and one more has: all that was to tell is told."""
        seen = len(self.spied.watches)
        self.bed.wait(lambda: all(self.spied.watches[seen:].count(path) > 1 for path in self.paths()), "another watch")


@pytest.fixture
def watched(cluster: Bed) -> Watched:
    """A watcher of the test's own namespace, which has a deployment that is whole."""
    cluster.deployment("web", env=[{"name": "TOKEN", "value": "old-secret"}])
    cluster.settle("deployment", "web")
    return Watched(cluster)


def patch(bed: Bed, spec: dict[str, Any], manager: str = TESTER, subresource: str = "") -> None:
    """Change the deployment as somebody."""
    bed.client.patch("deployment", "web", {"spec": spec}, manager=manager, subresource=subresource)


def with_container(**fields: Any) -> dict[str, Any]:
    """A pod template whose container has these fields."""
    return {"template": {"spec": {"containers": [{"name": "app", "image": OLD, **fields}]}}}


def test_release_is_told_once_when_somebody_makes_one(watched: Watched) -> None:
    """With its images, who made it and when; what the cluster works out from it is no change."""
    before = watched.bed.clock.now() - timedelta(seconds=5)
    with watched.watching():
        watched.bed.release("deployment", "web", NEW)
        event = watched.wait_for(f"image {OLD} -> {NEW}")
        watched.bed.settle("deployment", "web")
        watched.wait_a_turn()

    assert [f"image {OLD} -> {NEW}"] == watched.said()
    assert (TESTER, "change", False) == (event.who, event.kind, event.ours)
    assert before <= event.at <= watched.bed.clock.now() + timedelta(seconds=5)
    target = watched.told[0][0]
    assert (watched.bed.target("deployment", "web").key, True) == (target.key, bool(target.uid))


def test_watchers_agree_on_who_and_when_when_two_see_one_release(watched: Watched) -> None:
    """So what both record is recorded once."""
    other = Watched(watched.bed)
    with watched.watching(), other.watching():
        watched.bed.release("deployment", "web", NEW)
        watched.wait_for(f"image {OLD} -> {NEW}")
        other.wait_for(f"image {OLD} -> {NEW}")

    assert watched.told == other.told


def test_only_names_are_told_when_an_environment_changes(watched: Watched) -> None:
    """A value may be a secret."""
    entries = [{"name": "TOKEN", "value": "new-secret"}, {"name": "MODE", "value": "x"}]
    with watched.watching():
        patch(watched.bed, with_container(env=entries))
        watched.wait_for("environment of app: MODE, TOKEN")

    assert ["environment of app: MODE, TOKEN"] == watched.said()


def test_restart_is_told_as_one_when_somebody_restarts(watched: Watched) -> None:
    """As `kubectl rollout restart` marks it."""
    mark = {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "2026-03-01T12:00:00Z"}}}
    with watched.watching():
        patch(watched.bed, {"template": mark}, manager="kubectl-rollout")
        event = watched.wait_for("restarted")

    assert "kubectl-rollout" == event.who


def test_scaling_is_a_change_when_a_person_scales_and_not_when_an_autoscaler_does(watched: Watched) -> None:
    """An autoscaler answers to load; its ups and downs are told once an hour, with who it is."""
    with watched.watching():
        patch(watched.bed, {"replicas": 3}, subresource="scale")
        by_hand = watched.wait_for("replicas 2 -> 3")
        patch(watched.bed, {"replicas": 4}, "kube-controller-manager", "scale")
        by_itself = watched.wait_for("replicas 3 -> 4")
        patch(watched.bed, {"replicas": 2}, "kube-controller-manager", "scale")
        patch(watched.bed, {"replicas": 1}, subresource="scale")
        watched.wait_for("replicas 2 -> 1")

    assert (TESTER, "change") == (by_hand.who, by_hand.kind)
    assert ("kube-controller-manager", "autoscaled") == (by_itself.who, by_itself.kind)
    hours = [event.at.hour for _, event in watched.told if event.kind == "autoscaled"]
    assert sorted(set(hours)) == sorted(hours)
    assert ["replicas 2 -> 3", "replicas 2 -> 1"] == watched.said("change")


def test_pause_and_resume_are_told_when_rollouts_are_paused(watched: Watched) -> None:
    """One after the other."""
    with watched.watching():
        patch(watched.bed, {"paused": True})
        watched.wait_for("rollouts paused")
        patch(watched.bed, {"paused": None})
        watched.wait_for("rollouts resumed")

    assert ["rollouts paused", "rollouts resumed"] == watched.said()


def test_our_own_change_is_told_as_ours_when_the_engine_makes_it(watched: Watched) -> None:
    """Whoever asks what others did must not find us."""
    with watched.watching():
        patch(watched.bed, {"replicas": 3}, manager="runbook-engine")
        event = watched.wait_for("replicas 2 -> 3")

    assert event.ours


def test_creation_and_deletion_are_told_when_a_workload_comes_and_goes(watched: Watched) -> None:
    """Those that were there before are not told as new."""
    with watched.watching():
        watched.bed.statefulset("store")
        watched.wait_for(f"created with image {OLD}")
        watched.bed.client.delete("statefulset", "store")
        watched.wait_for("deleted")

    assert [("store", TESTER), ("store", "somebody")] == [(target.name, event.who) for target, event in watched.told]


def test_failure_is_told_when_a_rollout_does_not_progress(watched: Watched) -> None:
    """With the revision that failed, once."""
    with watched.watching():
        patch(watched.bed, {"progressDeadlineSeconds": 2})
        watched.bed.release("deployment", "web", BROKEN)
        watched.bed.wait(lambda: watched.said("failed"), "the failure")
        patch(watched.bed, {"replicas": 3})
        watched.wait_for("replicas 2 -> 3")
        watched.wait_a_turn()

    ((target, event),) = [(target, event) for target, event in watched.told if event.kind == "failed"]
    assert event.what.startswith("the rollout of revision 2 failed: ReplicaSet ")
    assert (2, "kubernetes", "web") == (event.revision, event.who, target.name)
    assert [] == watched.said("healthy")


@pytest.mark.parametrize("kind", KINDS)
def test_revision_is_told_as_healthy_when_it_was_whole_for_ten_minutes(cluster: Bed, kind: str) -> None:
    """Once; and with the number that a rollback would name."""
    getattr(cluster, kind)("store")
    cluster.settle(kind, "store")
    watched = Watched(cluster)
    with watched.watching():
        cluster.release(kind, "store", NEW)
        cluster.settle(kind, "store")
        watched.wait_a_turn()
        cluster.clock.ahead = 9 * MINUTES
        watched.wait_a_turn()
        early = watched.said("healthy")
        cluster.clock.ahead = 11 * MINUTES
        watched.wait_for("revision 2 has been whole for 10m")
        watched.wait_a_turn()

    assert [] == early
    assert [(kind, 2)] == [(target.kind, event.revision) for target, event in watched.told if event.kind == "healthy"]


def test_ten_minutes_begin_anew_when_replicas_were_missing(watched: Watched) -> None:
    """Whole, less than whole and whole again is not ten minutes whole."""
    bed = watched.bed
    with watched.watching():
        watched.wait_a_turn()
        bed.clock.ahead = 6 * MINUTES
        bed.client.delete("pod", bed.live_pods("web")[0]["metadata"]["name"], grace=0)
        bed.settle("deployment", "web")
        watched.wait_a_turn()
        bed.clock.ahead = 12 * MINUTES
        watched.wait_a_turn()
        early = watched.said()
        bed.clock.ahead = 18 * MINUTES
        watched.wait_for("revision 1 has been whole for 10m")

    assert [] == early


def test_what_happened_is_told_when_nobody_watched_for_a_while(watched: Watched) -> None:
    """Watching again goes on where it ended; what was told before is not told again."""
    with watched.watching():
        watched.bed.release("deployment", "web", NEW)
        watched.wait_for(f"image {OLD} -> {NEW}")
        patch(watched.bed, {"replicas": 3})
        watched.wait_for("replicas 2 -> 3")
    watched.bed.release("deployment", "web", OLD)
    with watched.watching():
        watched.wait_for(f"image {NEW} -> {OLD}")
        watched.wait_a_turn()

    assert [f"image {OLD} -> {NEW}", "replicas 2 -> 3", f"image {NEW} -> {OLD}"] == watched.said()
    assert 3 == len(watched.spied.lists)


def test_everything_is_compared_when_the_server_has_forgotten_where_it_was(watched: Watched, fake: FakeCluster) -> None:
    """410: a list tells what two looks can tell, of what came and went as well, and nothing twice."""
    watched.bed.deployment("old")
    with watched.watching():
        watched.wait_a_turn()
    watched.bed.release("deployment", "web", NEW)
    watched.bed.client.delete("deployment", "old")
    watched.bed.deployment("new")
    fake.expire_watches()
    with watched.watching():
        watched.wait_for(f"image {OLD} -> {NEW}")
        watched.wait_for("deleted")
        watched.wait_for(f"created with image {OLD}")
        watched.wait_a_turn()

    assert [("new", "created"), ("old", "deleted"), ("web", "image")] == sorted(
        (target.name, event.what.split()[0]) for target, event in watched.told
    )


def test_health_begins_anew_when_a_workload_moved_unseen(watched: Watched, fake: FakeCluster) -> None:
    """After a list nobody knows whether it was whole in between; one that has not moved was."""
    watched.bed.deployment("still")
    watched.bed.settle("deployment", "still")
    with watched.watching():
        watched.wait_a_turn()
    watched.bed.client.delete("pod", watched.bed.live_pods("web")[0]["metadata"]["name"], grace=0)
    watched.bed.wait(lambda: not watched.bed.is_whole("deployment", "web"), "a missing pod")
    watched.bed.settle("deployment", "web")
    fake.expire_watches()
    watched.bed.clock.ahead = 11 * MINUTES
    with watched.watching():
        watched.bed.wait(lambda: watched.said("healthy"), "the health of the other")
        watched.wait_a_turn()

    assert ["still"] == [target.name for target, _ in watched.told]


def test_watch_is_lost_and_resumed_when_the_server_goes_away(watched: Watched, fake: FakeCluster) -> None:
    """It says so; what happens meanwhile is told afterwards, once."""
    with watched.watching():
        watched.wait_a_turn()
        fake.faults.lost_before("GET", "watch=true", times=50)
        watched.bed.wait(lambda: watched.error, "the loss")
    error, _ = watched.error, fake.faults.clear()
    watched.bed.release("deployment", "web", NEW)
    with watched.watching():
        watched.wait_for(f"image {OLD} -> {NEW}")
        watched.wait_a_turn()

    assert isinstance(error, Unreadable)
    assert str(error).startswith("cannot watch ")
    assert str(error).endswith(
        f" in namespace {watched.bed.namespace}: the connection broke before the answer was complete "
        "(what cannot be read is not guessed; look at the API server)"
    )
    assert 1 == len(watched.told)


def test_change_is_told_again_when_it_could_not_be_kept(watched: Watched) -> None:
    """Who listens may fail; what was not kept is not forgotten."""
    with watched.watching():
        watched.deaf = True
        watched.bed.release("deployment", "web", NEW)
        watched.bed.wait(lambda: watched.error, "the trouble")
    error, watched.deaf = watched.error, False
    with watched.watching():
        watched.wait_for(f"image {OLD} -> {NEW}")

    assert isinstance(error, Overloaded)
    assert 1 == len(watched.told)


def test_watch_ends_within_two_seconds_when_the_server_is_silent(cluster: Bed) -> None:
    """A watch of a minute is cut, and so is nothing left that reads."""
    watched, before, took = Watched(cluster, turn=60), set(enumerate_threads()), []
    while not took or (min(took) >= 2 and len(took) < 5):  # a busy machine may be late for once
        with watched.watching():
            started = time.monotonic()
        took.append(time.monotonic() - started)

    assert min(took) < 2
    assert watched.error is None
    assert set() == {thread.name for thread in set(enumerate_threads()) - before if thread.name == "watch"}


def restricted(watched: Watched, fake: FakeCluster, *rules: tuple[str, str]) -> RolloutWatcher:
    """Return a watcher that may do only these things: resources and verbs, comma-separated."""
    written = [{"apiGroups": ["apps"], "resources": what.split(","), "verbs": how.split(",")} for what, how in rules]
    fake.access.load(
        {"kind": "ClusterRole", "metadata": {"name": "watcher"}, "rules": written},
        {
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "watcher"},
            "roleRef": {"kind": "ClusterRole", "name": "watcher"},
            "subjects": [{"kind": "User", "name": "runner"}],
        },
    )
    token = fake.token("runner")
    transport = Transport(Wire(fake.url), GivenToken(lambda: token), watched.bed.clock)
    return RolloutWatcher(transport, PLACE, watched.bed.clock, (watched.bed.namespace,), turn=1)


def refusal(namespace: str, kind: str, verb: str = "watch") -> str:
    """Return what is said when a verb on a kind is missing."""
    return (
        f"cannot {verb} {kind}s in namespace {namespace}: HTTP 403 Forbidden: {kind}s.apps is forbidden: "
        f'User "runner" cannot {verb} resource "{kind}s" in API group "apps" in the namespace "{namespace}" '
        f"(grant {verb} on {kind}s to runner; runbook permissions lists what is needed)"
    )


@pytest.mark.parametrize(
    ("rules", "verb"),
    [
        pytest.param((), "list", id="nothing"),
        pytest.param((("deployments,statefulsets,daemonsets", "list"),), "watch", id="only to list"),
    ],
)
def test_missing_permission_is_named_when_watching_is_not_allowed(
    watched: Watched, fake: FakeCluster, rules: tuple[tuple[str, str], ...], verb: str
) -> None:
    """The sentence names the verb and the resource."""
    watcher = restricted(watched, fake, ("configmaps", "get"), *rules)

    with pytest.raises(Unreadable) as refused:
        watcher.watch(watched._hear, lambda: False)

    assert str(refused.value) in [refusal(watched.bed.namespace, kind, verb) for kind in KINDS]


def test_others_are_watched_when_one_kind_is_not_allowed(watched: Watched, fake: FakeCluster) -> None:
    """What may be seen is told, and what is missing is said again after every turn."""
    watcher = restricted(watched, fake, ("deployments,statefulsets", "list,watch"))
    said = []
    with pytest.raises(Unreadable) as refused:
        watcher.watch(watched._hear, lambda: False)
    said.append(str(refused.value))
    watched.bed.release("deployment", "web", NEW)
    with pytest.raises(Unreadable) as refused:
        watcher.watch(watched._hear, lambda: False)
    said.append(str(refused.value))

    assert [refusal(watched.bed.namespace, "daemonset", "list")] * 2 == said
    assert [f"image {OLD} -> {NEW}"] == watched.said()


def test_every_named_namespace_is_watched_when_there_are_several(cluster: Bed, fake: FakeCluster) -> None:
    """By turns, and no other one."""
    names = ("first", "second", "third")
    for name in names:
        fake.namespace(name)
        fake.deployment("web", namespace=name, replicas=1)
    told: list[tuple[str, str]] = []
    stop, spied = Event(), Spied(cluster.transport)
    watcher = RolloutWatcher(spied, PLACE, cluster.clock, names[:2], turn=1)  # type: ignore[arg-type]
    thread = Thread(
        target=watcher.watch, args=(lambda target, event: told.append((target.namespace, event.what)), stop.is_set)
    )
    thread.start()
    cluster.wait(lambda: len(set(spied.watches)) == 6, "a watch of each kind in both")
    for name in names:
        fake.patch("deployments", "web", {"spec": {"replicas": 2}}, namespace=name)
    cluster.wait(lambda: len(told) == 2, "both changes")
    stop.set()
    thread.join(PATIENCE)

    assert not thread.is_alive()
    assert [("first", "replicas 1 -> 2"), ("second", "replicas 1 -> 2")] == sorted(told)


@pytest.mark.parametrize("watch", [True, False])
def test_adapter_offers_a_watcher_unless_it_is_switched_off(tmp_path: Path, watch: bool) -> None:
    """`watch: false` is for who must not list and watch whole namespaces."""
    context = AdapterContext(
        clock=AheadClock(), configuration=Configuration(), base=tmp_path, state=tmp_path, secret=str, place=PLACE
    )
    settings = KubernetesSettings(
        auth="token", server="http://127.0.0.1:1", token=SecretReference(env="T"), watch=watch
    )

    served = ADAPTER.build("changes", settings, context)

    assert watch is isinstance(served.watcher, RolloutWatcher)
    assert served.reader is not None
