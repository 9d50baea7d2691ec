"""A drain whose server fails in every way: its outcome is exact, or an honest error.

Exact means: each pod of the node was told to leave once, no other pod ever was, and its workload is whole again.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from runbook_adapters.kubernetes.wire import Times
from runbook_engine.errors import EffectUnknown, InvalidTarget, Permanent, RunbookError, Unreadable
from runbook_engine.model.eviction import EvictionBatch
from runbook_engine.model.target import Target
from tests.contract.kubernetes.node_rig import (
    NODE_A,
    PLACE,
    RULES,
    Client,
    SystemClock,
    client,
    drain,
    fill,
    names_on,
    rest,
    until,
)
from tests.emulators.kubernetes import FakeCluster

EVICTION = "/eviction"
QUICK = Times(connect=1.0, read=0.3, write=0.3)

Break = Callable[[FakeCluster], Any]


@pytest.fixture
def cluster() -> Iterator[FakeCluster]:
    """Three replicas under a budget of one, and four pods of others, all on one of three nodes."""
    with FakeCluster() as cluster:
        fill(
            cluster,
            lambda: cluster.deployment("web", replicas=3),
            lambda: cluster.statefulset("db", replicas=2),
            lambda: cluster.deployment("api", replicas=2),
            lambda: cluster.daemonset("agent"),
        )
        cluster.pdb("web", max_unavailable=1)
        cluster.pdb("db", max_unavailable=1)
        rest(cluster)
        yield cluster


def uids_on_node(cluster: FakeCluster) -> dict[str, str]:
    """Return the pods that have to leave, by uid."""
    return {
        pod["metadata"]["uid"]: pod["metadata"]["name"]
        for pod in cluster.list("pods")
        if pod["spec"].get("nodeName") == "node-a" and not pod["metadata"]["name"].startswith("agent-")
    }


class Departures:
    """Counts which pods were told to leave, by watching the store itself."""

    def __init__(self, cluster: FakeCluster) -> None:
        self.cluster = cluster
        self.expected = Counter(uids_on_node(cluster).keys())
        self.told: Counter[str] = Counter()
        self._known: dict[str, str] = {pod["metadata"]["uid"]: "" for pod in cluster.list("pods")}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="departures")

    def __enter__(self) -> Departures:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()
        self._look()

    def _watch(self) -> None:
        while not self._stop.wait(0.002):
            self._look()

    def _look(self) -> None:
        now = {
            pod["metadata"]["uid"]: pod["metadata"].get("deletionTimestamp", "") for pod in self.cluster.list("pods")
        }
        for uid, asked in self._known.items():
            if not asked and (uid not in now or now[uid]):
                self.told[uid] += 1
            elif asked and uid in now and now[uid] != asked:
                self.told[uid] += 1  # asked once more: its deadline has moved
        self._known = now


def drained(cluster: FakeCluster, one: Client, **how: Any) -> list[EvictionBatch]:
    """Drain the node, and check that the outcome is exact."""
    with Departures(cluster) as departures:
        batches = drain(cluster, one, **how)
        rest(cluster)
    assert departures.told == departures.expected
    assert {name.split("/")[1].split("-")[0] for name in names_on(cluster)} == {"agent"}
    assert cluster.log.count("DELETE") == 0
    return batches


ONCE: list[Any] = [
    pytest.param(lambda cluster: cluster.faults.lost_before("POST", EVICTION), id="the request is lost"),
    pytest.param(lambda cluster: cluster.faults.lost_after("POST", EVICTION), id="the answer is lost"),
    pytest.param(lambda cluster: cluster.faults.timeout("POST", EVICTION), id="504, nothing was done"),
    pytest.param(lambda cluster: cluster.faults.timeout("POST", EVICTION, after=True), id="504, it was done"),
    pytest.param(lambda cluster: cluster.faults.garbage("POST", EVICTION, after=True), id="an answer in pieces"),
    pytest.param(lambda cluster: cluster.faults.html("POST", EVICTION), id="a proxy's page"),
    pytest.param(lambda cluster: cluster.faults.unavailable("POST", EVICTION), id="503"),
    pytest.param(lambda cluster: cluster.faults.throttle("POST", EVICTION, times=6), id="429 of a busy server"),
    pytest.param(lambda cluster: cluster.faults.throttle_json("POST", EVICTION, times=6), id="429 of a webhook"),
    pytest.param(lambda cluster: cluster.faults.webhook_down("POST", EVICTION, times=3), id="500 of a webhook"),
    pytest.param(lambda cluster: cluster.faults.slow("POST", EVICTION, 0.5, after=True), id="done, and answered late"),
    pytest.param(lambda cluster: cluster.faults.unauthorized("POST", EVICTION), id="401, once"),
    pytest.param(lambda cluster: cluster.faults.lost_before("GET", "/pods/"), id="a look is lost"),
    pytest.param(lambda cluster: cluster.faults.unavailable("GET", r"/pods\?", times=3), id="a list is not to be had"),
    pytest.param(lambda cluster: cluster.faults.garbage("GET", "/poddisruptionbudgets"), id="budgets in pieces"),
]


@pytest.mark.parametrize("skip", [0, 3], ids=["at first", "in the middle"])
@pytest.mark.parametrize("fault", ONCE)
def test_a_drain_is_exact_when_the_server_fails_once(cluster: FakeCluster, fault: Break, skip: int) -> None:
    """Nobody is told twice, nobody is forgotten."""
    one = client(cluster, times=QUICK)
    one.writer.cordon(NODE_A)
    fault(cluster).skip = skip

    batches = drained(cluster, one)

    assert batches[-1].left == 0


@pytest.mark.parametrize("after", [False, True], ids=["the request", "the answer"])
def test_a_drain_is_exact_when_every_other_exchange_is_lost(cluster: FakeCluster, after: bool) -> None:
    """Each eviction in turn loses its request, or its answer."""
    one = client(cluster)
    one.writer.cordon(NODE_A)
    lose = cluster.faults.lost_after if after else cluster.faults.lost_before
    for number in range(4):
        lose("POST", EVICTION, skip=number)

    drained(cluster, one)


def test_a_lost_answer_counts_as_done_when_the_pod_is_on_its_way(cluster: FakeCluster) -> None:
    """A second look tells what the answer would have told."""
    one = client(cluster)
    one.writer.cordon(NODE_A)
    cluster.faults.lost_after("POST", EVICTION)

    batch = one.writer.evict(NODE_A, RULES, limit=1)

    assert len(batch.evicted) == 1
    assert cluster.log.count("POST", EVICTION) == 1


def test_a_lost_request_counts_as_not_done_when_the_pod_is_still_there(cluster: FakeCluster) -> None:
    """It is told, and the pod is asked again."""
    one = client(cluster)
    one.writer.cordon(NODE_A)
    cluster.faults.lost_before("POST", EVICTION)

    batch = one.writer.evict(NODE_A, RULES, limit=1)

    asked = cluster.log.entries("POST", EVICTION)[0].path.split("/")[-2]
    assert (batch.evicted, batch.left) == ((), 7)
    assert batch.waiting == (f"pod default/{asked} is asked again: its answer was lost",)


def test_a_batch_stops_when_the_server_is_busy(cluster: FakeCluster) -> None:
    """API priority and fairness says so for everybody: the rest of the batch is not sent, and the wait is kept."""
    one = client(cluster)
    one.writer.cordon(NODE_A)
    cluster.faults.throttle("POST", EVICTION, times=100, retry_after=8)

    batch = one.writer.evict(NODE_A, RULES, limit=5)

    asked = {entry.path for entry in cluster.log.entries("POST", EVICTION)}
    assert len(asked) == 1
    name = next(iter(asked)).split("/")[-2]
    assert batch.waiting == (f"pod default/{name} was not asked: the API server is busy",)
    assert batch.after == timedelta(seconds=8)


class SlowClock(SystemClock):
    """A clock by which every call takes a quarter of a minute."""

    def __init__(self) -> None:
        self._calls = 0

    def now(self) -> datetime:
        """Return the time, later than it is."""
        self._calls += 1
        return super().now() + self._calls * timedelta(seconds=15)


def test_a_batch_ends_when_the_server_is_slow(cluster: FakeCluster) -> None:
    """A host has only so much time: the rest is asked in the next call."""
    one = client(cluster, clock=SlowClock())
    one.writer.cordon(NODE_A)

    batch = one.writer.evict(NODE_A, RULES, limit=5)

    assert (len(batch.evicted), batch.left) == (2, 7)


def test_a_batch_tells_what_it_did_when_it_may_go_on_no_longer(cluster: FakeCluster) -> None:
    """The permission is taken away after the first eviction: what was done is not hidden behind an error."""
    one = client(cluster)
    one.writer.cordon(NODE_A)
    cluster.faults.unauthorized("POST", EVICTION, times=100, skip=1)

    batch = one.writer.evict(NODE_A, RULES, limit=5)

    assert len(batch.evicted) == 1
    assert len(batch.blocked) == 1
    assert batch.blocked[0].startswith("the rest cannot be asked: cannot create pods/eviction ")


class Tokens:
    """A credential that runs out, and can be renewed so often."""

    def __init__(self, cluster: FakeCluster, renewals: int) -> None:
        self._cluster = cluster
        self._renewals = renewals
        self.token = cluster.token("engine", groups=["system:masters"])

    def authorization(self, now: datetime) -> str:
        """Return the header's value."""
        return f"Bearer {self.token}"

    def refresh(self) -> None:
        """Get a new token, as long as there are any."""
        if self._renewals:
            self._renewals -= 1
            self.token = self._cluster.token("engine", groups=["system:masters"])

    def expire(self) -> None:
        """Let the token run out."""
        self._cluster.access.expire(self.token)


def test_a_drain_is_exact_when_its_token_runs_out(cluster: FakeCluster) -> None:
    """Before every batch; a fresh one is taken each time."""
    tokens = Tokens(cluster, renewals=100)
    one = client(cluster, credentials=tokens)
    one.writer.cordon(NODE_A)

    def between() -> None:
        rest(cluster)
        tokens.expire()

    batches = drained(cluster, one, between=between)

    assert batches[-1].left == 0
    assert any(entry.status == 401 for entry in cluster.log.entries())


def test_a_drain_says_so_when_no_token_is_accepted_any_more(cluster: FakeCluster) -> None:
    """An honest error, with the remedy; what has left has left."""
    tokens = Tokens(cluster, renewals=0)
    one = client(cluster, credentials=tokens)
    one.writer.cordon(NODE_A)
    one.writer.evict(NODE_A, RULES, limit=1)
    tokens.expire()

    with pytest.raises(Permanent) as error:
        one.writer.evict(NODE_A, RULES, limit=5)

    assert str(error.value) == (
        "cannot get nodes node-a: HTTP 401 Unauthorized: Unauthorized (the cluster does not know this identity: "
        "on EKS map the role with an access entry, elsewhere check the token)"
    )


def test_a_drain_is_exact_when_the_server_restarts(cluster: FakeCluster) -> None:
    """It goes away between two batches and in the middle of one, and comes back."""
    one = client(cluster, times=QUICK)
    one.writer.cordon(NODE_A)
    away: list[threading.Thread] = []

    def between() -> None:
        if len(away) < 3:
            away.append(cluster.restart(away=0.1))
        rest(cluster)

    batches = drained(cluster, one, between=between)

    for thread in away:
        thread.join()
    assert batches[-1].left == 0


def test_a_drain_is_exact_when_two_executors_share_it(cluster: FakeCluster) -> None:
    """Each looks before it asks: nobody else is told, and the budgets hold."""
    clients = [client(cluster), client(cluster)]
    clients[0].writer.cordon(NODE_A)
    ends: list[list[EvictionBatch]] = []
    low: list[int] = []

    def work(one: Client) -> None:
        ends.append(drain(cluster, one, between=lambda: low.append(len(cluster.ready_pods("app=web")))))

    with Departures(cluster) as departures:
        threads = [threading.Thread(target=work, args=(one,)) for one in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        rest(cluster)

    assert [batches[-1].left for batches in ends] == [0, 0]
    assert set(departures.told) == set(departures.expected)
    assert min(low) >= 2
    assert cluster.log.count("DELETE") == 0


def test_a_drain_says_what_it_waits_for_when_it_never_ends(cluster: FakeCluster) -> None:
    """A finalizer that nobody removes: others leave, its owner's next pod stays, and nobody spins on it."""
    cluster.patch("pods", "db-0", {"metadata": {"finalizers": ["example.org/never"]}})
    one = client(cluster)
    one.writer.cordon(NODE_A)
    seen: list[EvictionBatch] = []

    def only_its_owner_is_left() -> bool:
        seen.append(one.writer.evict(NODE_A, RULES, limit=5))
        return seen[-1].left == 2

    until(only_its_owner_is_left)

    assert seen[-1].waiting == (
        "pod default/db-0 is terminating, held by example.org/never",
        "pod default/db-1 waits for disruption budget db: it needs 1 healthy pods and has 1",
    )
    assert sum("default/db-0" in batch.evicted for batch in seen) == 1


def cordon(one: Client, pod: Target) -> None:
    """Cordon the node."""
    one.writer.cordon(NODE_A)


def uncordon(one: Client, pod: Target) -> None:
    """Lift the cordon."""
    one.writer.uncordon(NODE_A)


def evict(one: Client, pod: Target) -> None:
    """Evict one pod."""
    one.writer.remove(pod, evict=True)


def delete(one: Client, pod: Target) -> None:
    """Delete one pod."""
    one.writer.remove(pod, evict=False)


def is_done(cluster: FakeCluster, what: Callable[[Client, Target], None], pod: Target) -> bool:
    """Whether the world is as the call wants it."""
    cordoned = bool(cluster.get("nodes", "node-a")["spec"].get("unschedulable"))
    if what in (cordon, uncordon):
        return cordoned is (what is cordon)
    found = next((each for each in cluster.list("pods") if each["metadata"]["uid"] == pod.uid), None)
    return found is None or "deletionTimestamp" in found["metadata"]


WRITES = [
    pytest.param("PATCH", "/nodes/node-a", cordon, id="cordon"),
    pytest.param("PATCH", "/nodes/node-a", uncordon, id="uncordon"),
    pytest.param("POST", EVICTION, evict, id="evict"),
    pytest.param("DELETE", "/pods/", delete, id="delete"),
]
LOSSES: list[Any] = [
    pytest.param("lost_before", {}, id="the request is lost"),
    pytest.param("lost_after", {}, id="the answer is lost"),
    pytest.param("timeout", {}, id="504, nothing was done"),
    pytest.param("timeout", {"after": True}, id="504, it was done"),
    pytest.param("garbage", {"after": True}, id="an answer in pieces"),
    pytest.param("html", {}, id="a proxy's page"),
    pytest.param("unavailable", {}, id="503"),
    pytest.param("throttle", {"times": 100}, id="429"),
    pytest.param("webhook_down", {"times": 100}, id="a webhook is down"),
    pytest.param("denied", {"message": "denied request: not now"}, id="a policy says no"),
]


@pytest.mark.parametrize(("fault", "how"), LOSSES)
@pytest.mark.parametrize(("method", "path", "what"), WRITES)
def test_a_write_is_exact_or_an_honest_error(
    cluster: FakeCluster,
    method: str,
    path: str,
    what: Callable[[Client, Target], None],
    fault: str,
    how: dict[str, Any],
) -> None:
    """Whoever says done has done it; whoever says not done has not; unknown may be either. A repeat settles it."""
    one = client(cluster)
    uid, name = next(iter(uids_on_node(cluster).items()))
    pod = Target("pod", PLACE, "default", name, uid)
    if what is uncordon:
        one.writer.cordon(NODE_A)
    getattr(cluster.faults, fault)(method, path, **how)

    try:
        what(one, pod)
    except EffectUnknown:
        pass
    except RunbookError:
        assert not is_done(cluster, what, pod)
    else:
        assert is_done(cluster, what, pod)

    cluster.faults.clear()
    what(one, pod)
    assert is_done(cluster, what, pod)


@pytest.mark.parametrize(("method", "path", "what"), WRITES)
def test_a_write_is_unknown_when_nothing_can_be_looked_at_after_it(
    cluster: FakeCluster, method: str, path: str, what: Callable[[Client, Target], None]
) -> None:
    """The answer is lost and the server stays away: nobody claims anything."""
    one = client(cluster)
    uid, name = next(iter(uids_on_node(cluster).items()))
    pod = Target("pod", PLACE, "default", name, uid)
    if what is uncordon:
        one.writer.cordon(NODE_A)
    cluster.faults.lost_after(method, path)
    cluster.faults.unavailable("GET", "/nodes/|/pods/", times=100, skip=1)

    with pytest.raises(EffectUnknown):
        what(one, pod)

    assert is_done(cluster, what, pod)


@pytest.mark.parametrize(
    "look",
    [
        pytest.param(lambda one, pod: one.writer.remove(pod, evict=True), id="remove"),
        pytest.param(lambda one, pod: one.writer.evict(NODE_A, RULES, limit=5), id="evict"),
        pytest.param(lambda one, pod: one.writer.cordon(NODE_A), id="cordon"),
        pytest.param(lambda one, pod: one.reader.node(NODE_A), id="node"),
        pytest.param(lambda one, pod: one.reader.pod(pod), id="pod"),
        pytest.param(lambda one, pod: one.reader.workload_of(pod), id="workload"),
    ],
)
def test_nothing_is_gone_when_somebody_else_says_so(
    cluster: FakeCluster, look: Callable[[Client, Target], Any]
) -> None:
    """A proxy's 404 is no answer of Kubernetes: neither a missing target nor a success."""
    one = client(cluster)
    uid, name = next(iter(uids_on_node(cluster).items()))
    cluster.faults.html("GET", "/pods/|/nodes/", times=100, status=404)

    with pytest.raises((Permanent, Unreadable)) as error:
        look(one, Target("pod", PLACE, "default", name, uid))

    assert not isinstance(error.value, InvalidTarget)
    assert cluster.log.writes() == []


@pytest.mark.parametrize("evict", [True, False], ids=["evicting", "deleting"])
def test_a_removal_is_no_success_when_a_proxy_answers_it(cluster: FakeCluster, evict: bool) -> None:
    """A 404 that is not of Kubernetes leaves the pod where it is, and says so."""
    one = client(cluster)
    uid, name = next(iter(uids_on_node(cluster).items()))
    cluster.faults.html("POST" if evict else "DELETE", "/pods/", times=100, status=404)

    with pytest.raises(Permanent):
        one.writer.remove(Target("pod", PLACE, "default", name, uid), evict=evict)

    assert uid in uids_on_node(cluster)


@pytest.mark.parametrize("evict", [True, False], ids=["evicting", "deleting"])
@pytest.mark.parametrize("reborn", [True, False], ids=["its namesake is there", "nobody is there"])
def test_a_removal_finds_its_pod_gone_when_somebody_was_faster(cluster: FakeCluster, evict: bool, reborn: bool) -> None:
    """Between the look and the write: gone is gone, and a namesake is left alone."""
    uid = cluster.get("pods", "db-0")["metadata"]["uid"]
    if not reborn:
        cluster.pause_controller("statefulset")

    def faster(verb: str, path: str) -> None:
        if verb in ("create", "delete") and uid in uids_on_node(cluster):
            cluster.delete("pods", "db-0", gracePeriodSeconds=0)
            cluster.wait(lambda: cluster.exists("pods", "db-0") is reborn)

    receipt = client(cluster, before=faster).writer.remove(Target("pod", PLACE, "default", "db-0", uid), evict=evict)

    assert receipt["gone"] is True
    assert not reborn or "deletionTimestamp" not in cluster.get("pods", "db-0")["metadata"]


def test_a_removal_is_refused_when_a_policy_keeps_the_pod(cluster: FakeCluster) -> None:
    """A rule of the cluster says no; asking again would not help."""
    cluster.faults.denied("POST", EVICTION, "denied request: not this one")

    with pytest.raises(Permanent) as error:
        client(cluster).writer.remove(Target("pod", PLACE, "default", "db-0"), evict=True)

    assert str(error.value) == (
        "pod default/db-0 is not let go: cannot create pods/eviction db-0 in namespace default: HTTP 422 Invalid: "
        "denied request: not this one (a rule of the cluster forbids it; change the runbook or the rule)"
    )
