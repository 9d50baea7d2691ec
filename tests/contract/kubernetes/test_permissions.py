"""What `runbook permissions` grants is enough for every action, collector and check, and no more than they use.

Each case runs a whole engine against the emulated API server, as a user who holds the generated manifests and
nothing else. Only the emulator is used: who runs against a real cluster may not hand out rights there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

import pytest

from runbook_engine.model.execution import Execution
from runbook_engine.model.observation import ChangeEvent
from tests.contract.kubernetes.granted import Granted
from tests.contract.kubernetes.node_rig import NODE_A, client
from tests.emulators.kubernetes import FakeCluster

Arrange = Callable[[FakeCluster], object]
Unused = tuple[str, str]  # resource and verb

# Read only when a rollout or a workload does not come up: its pods and revisions say why.
IN_TROUBLE: frozenset[Unused] = frozenset({("pods", "list")})
REVISIONS_IN_TROUBLE: frozenset[Unused] = frozenset({("replicasets", "list"), ("controllerrevisions", "list")})
# The watcher asks which revision it is once a statefulset or a daemonset has been whole for ten minutes.
ITS_REVISION = (("statefulsets", "get"), ("daemonsets", "get"), ("controllerrevisions", "list"))
LOST_NODES: frozenset[Unused] = frozenset({("nodes", "get")})  # why a daemonset's pods are not ready
# A pod that an alert names may be of any kind of workload; these follow it to the others.
OF_OTHER_KINDS: frozenset[Unused] = REVISIONS_IN_TROUBLE | {
    *(("statefulsets", "get"), ("daemonsets", "get"), ("nodes", "get")),
}
# Which of the two a step with autoscaler: minReplicas writes to, the cluster decides; without either it is the count.
NOT_BY_COUNT: frozenset[Unused] = frozenset({("deployments/scale", "patch")})


@dataclass(frozen=True, kw_only=True)
class Case:
    """One runbook on one cluster. `idle` are the grants that are needed only in other circumstances."""

    runbook: str
    targets: tuple[str, ...]
    arrange: Arrange = lambda fake: None
    labels: dict[str, str] = field(default_factory=dict)
    more: str = ""  # of engine.yaml
    undone: bool = False
    idle: frozenset[Unused] = frozenset()


def web(fake: FakeCluster, kind: str = "deployment", **more: object) -> None:
    """Three replicas (a daemonset: one on each node), rolled out."""
    getattr(fake, kind)("web", namespace="shop", **({} if kind == "daemonset" else {"replicas": 3}), **more)
    fake.wait_rollout("web", "shop", f"{kind}s")


def released(fake: FakeCluster, kind: str) -> None:
    """A second release after the first."""
    web(fake, kind, image="registry.example/app:v1")
    template = {"spec": {"containers": [{"name": "app", "image": "registry.example/app:v2"}]}}
    fake.patch(f"{kind}s", "web", {"spec": {"template": template}}, namespace="shop")
    fake.wait_rollout("web", "shop", f"{kind}s")


def broken(fake: FakeCluster) -> None:
    """A statefulset whose second release crashes, so that its pod is in the way."""
    web(fake, "statefulset")
    template = {"spec": {"containers": [{"name": "app", "image": "registry.example/app:bad-pull"}]}}
    fake.patch("statefulsets", "web", {"spec": {"template": template}}, namespace="shop")
    fake.wait(lambda: _is_waiting(fake), what="a pod that cannot start")


def _is_waiting(fake: FakeCluster) -> bool:
    statuses = [one for pod in fake.pods("app=web", "shop") for one in pod["status"].get("containerStatuses", [])]
    return any(one.get("state", {}).get("waiting", {}).get("reason") == "ImagePullBackOff" for one in statuses)


def unable_to_start(fake: FakeCluster) -> None:
    """A deployment whose pods never start, so that what they wait for does not change."""
    fake.deployment("web", namespace="shop", replicas=1, image="registry.example/app:bad-pull")
    fake.wait(lambda: _is_waiting(fake), what="a pod that cannot start")


def full_node(fake: FakeCluster) -> None:
    """A node with pods of every kind of workload, and a budget over some of them; the other nodes have room."""
    for name in ("node-b", "node-c"):
        fake.patch("nodes", name, {"spec": {"unschedulable": True}})
    web(fake, "deployment")
    fake.statefulset("db", namespace="data", replicas=1)
    fake.daemonset("agent", namespace="data")
    fake.wait_rollout("db", "data", "statefulsets")
    fake.pdb("web", min_available=1, namespace="shop")
    for name in ("node-b", "node-c"):
        fake.patch("nodes", name, {"spec": {"unschedulable": None}})


def ours(fake: FakeCluster) -> None:
    """A node that this engine has cordoned."""
    client(fake).writer.cordon(NODE_A)


def in_turn(*parts: Arrange) -> Arrange:
    """Return one arrangement of several."""

    def arrange(fake: FakeCluster) -> None:
        for part in parts:
            part(fake)

    return arrange


def one(action: str, *, settings: str = "{}", compensate: str = "never", target: str = "deployment: web") -> str:
    """Return a runbook with one step."""
    return f"""\
target: {{namespace: shop, {target}}}
steps:
  - {{name: only, action: {action}, with: {settings}, compensate: {compensate}}}
"""


RESTART_TOO = "  - {name: again, action: restart, compensate: never}\n"
LATER = "{when: resolved, holdFor: 10s}"
SCALE = one("scale", settings="{by: 50%, upTo: 9}", compensate=LATER)
SCALE_MINIMUM = one("scale", settings="{by: 50%, upTo: 9, autoscaler: minReplicas}", compensate=LATER)
JOBS = """\
jobs:
  dump:
    namespace: ops
    effect: {says: writes a dump, repeat: token}
    approval: none
    spec:
      template:
        spec:
          restartPolicy: Never
          containers: [{name: dump, image: registry.example/dump@sha256:DIGEST}]
""".replace("DIGEST", "0" * 64)

CASES = {
    "degrade env": Case(
        runbook=one("degrade", settings="{env: MODE, value: lite}", compensate=LATER),
        targets=("deployment=shop/web",),
        arrange=lambda fake: web(fake, env={"MODE": "full"}),
        undone=True,
        idle=IN_TROUBLE,
    ),
    "degrade configMap": Case(
        runbook=one("degrade", settings="{configMap: flags, key: mode, value: lite}", compensate=LATER),
        targets=("deployment=shop/web", "configmap=shop/flags"),
        arrange=in_turn(web, lambda fake: fake.configmap("flags", {"mode": "full"}, "shop")),
        undone=True,
        idle=IN_TROUBLE,
    ),
    "scale": Case(runbook=SCALE, targets=("deployment=shop/web",), arrange=web, undone=True, idle=IN_TROUBLE),
    "scale with an HPA": Case(
        runbook=SCALE_MINIMUM,
        targets=("deployment=shop/web",),
        arrange=in_turn(
            web, lambda fake: fake.hpa("web", low=3, namespace="shop"), lambda fake: fake.recommend("web", 3, "shop")
        ),
        undone=True,
        idle=IN_TROUBLE | NOT_BY_COUNT | {("scaledobjects", "patch")},
    ),
    "scale with KEDA": Case(
        runbook=SCALE_MINIMUM,
        targets=("deployment=shop/web",),
        arrange=in_turn(web, lambda fake: fake.scaledobject("web", low=3, namespace="shop")),
        undone=True,
        idle=IN_TROUBLE | NOT_BY_COUNT | {("horizontalpodautoscalers", "patch")},
    ),
    **{
        f"restart of a {kind}": Case(
            runbook=one("restart", target=f"{kind}: web"),
            targets=(f"{kind}=shop/web",),
            arrange=lambda fake, kind=kind: web(fake, kind),  # type: ignore[misc]
            idle=IN_TROUBLE,
        )
        for kind in ("deployment", "statefulset", "daemonset")
    },
    **{
        f"rollback of a {kind}": Case(
            runbook=one("rollback", settings="{to: previous}", target=f"{kind}: web"),
            targets=(f"{kind}=shop/web",),
            arrange=lambda fake, kind=kind: released(fake, kind),  # type: ignore[misc]
            idle=IN_TROUBLE | ({("pods", "delete")} if kind == "statefulset" else set()),
        )
        for kind in ("deployment", "statefulset", "daemonset")
    },
    "rollback of a statefulset whose pod is in the way": Case(
        runbook=one("rollback", settings="{to: previous}", target="statefulset: web"),
        targets=("statefulset=shop/web",),
        arrange=broken,
    ),
    "cordon": Case(
        runbook=f"target: {{node: node-a}}\nsteps: [{{name: only, action: cordon, compensate: {LATER}}}]\n",
        targets=("node=*",),
        undone=True,
    ),
    "uncordon": Case(
        runbook="target: {node: node-a}\nsteps: [{name: only, action: uncordon, compensate: never}]\n",
        targets=("node=*",),
        arrange=ours,
    ),
    "drain": Case(
        runbook="""\
target: {node: node-a}
require: [{nodeReady: true}]
verify: [{evictablePods: 0}]
steps:
  - {name: stop, action: cordon, compensate: onFailure}
  - {name: move, action: drain, compensate: never}
""",
        targets=("node=*",),
        arrange=full_node,
        idle=IN_TROUBLE | REVISIONS_IN_TROUBLE,
    ),
    "deletePod of a workload": Case(
        runbook=one("deletePod", settings="{waiting: ImagePullBackOff}"),
        targets=("deployment=shop/web", "pod=shop/*"),
        arrange=unable_to_start,
    ),
    "deletePod of one pod": Case(
        runbook=one("deletePod", settings="{mode: delete}", target="pod: '{{ alert.labels.pod }}'"),
        targets=("pod=shop/*",),
        arrange=web,
        labels={"pod": "FIRST"},
        idle=IN_TROUBLE | OF_OTHER_KINDS,
    ),
    "kubernetesJob": Case(
        runbook=one("kubernetesJob", settings="{job: dump}"),
        targets=("deployment=shop/web", "job=ops/*"),
        more=JOBS,
        arrange=in_turn(web, lambda fake: fake.namespace("ops")),
    ),
}


def look(part: str, target: str = "{namespace: shop, deployment: web}", when: str = "") -> str:
    """Return a runbook that reads, and changes nothing."""
    tells = "action: notify, with: {receiver: chat, title: seen, text: seen}, compensate: never"
    return f"target: {target}\n{part}\nsteps: [{{name: tell, {when}{tells}}}]\n"


WORKLOADS = ("deployment", "statefulset", "daemonset")
ANY_POD = "{namespace: shop, pod: '{{ alert.labels.pod }}'}"
FIRST = {"pod": "FIRST"}
READS = {
    **{
        f"{collector} of a {kind}": Case(
            runbook=look(f"diagnostics: [{collector}: {{}}]", f"{{namespace: shop, {kind}: web}}"),
            targets=(f"{kind}=shop/web",),
            arrange=lambda fake, kind=kind: web(fake, kind),  # type: ignore[misc]
            idle=IN_TROUBLE | LOST_NODES if collector in ("rollouts", "changes") else frozenset(),
        )
        for collector in ("logs", "events", "changes", "rollouts")
        for kind in WORKLOADS
    },
    **{
        f"{collector} of a pod": Case(
            runbook=look(f"diagnostics: [{collector}: {{}}]", ANY_POD),
            targets=("pod=shop/*",),
            arrange=web,
            labels=FIRST,
        )
        for collector in ("logs", "events", "changes")
    },
    **{
        f"{collector} of a node": Case(
            runbook=look(f"diagnostics: [{collector}: {{}}]", "{node: node-a}"), targets=("node=*",)
        )
        for collector in ("events", "changes")
    },
    "ready": Case(
        runbook=look("require: [{ready: 100%}]"), targets=("deployment=shop/*",), arrange=web, idle=IN_TROUBLE
    ),
    "gitops": Case(
        runbook=look("require: [{gitops: unmanaged}]"), targets=("deployment=*/*",), arrange=web, idle=IN_TROUBLE
    ),
    "changedWithin": Case(
        runbook=look("", when="when: {changedWithin: 1h}, "), targets=("deployment=shop/web",), arrange=web
    ),
    "nodeReady": Case(runbook=look("require: [{nodeReady: true}]", "{node: node-a}"), targets=("node=node-a",)),
    "evictablePods": Case(
        runbook=look("require: [{evictablePods: 9}]", "{node: node-a}"),
        targets=("node=*",),
        arrange=full_node,
        idle=frozenset({("replicasets", "get"), ("statefulsets", "get")}),  # of a budget that looks impossible
    ),
    **{
        f"workloadOf a pod of a {kind}": Case(
            runbook=look("", f"{{workloadOf: {ANY_POD}}}"),
            targets=("deployment=shop/web", "statefulset=shop/*", "daemonset=shop/*"),
            arrange=lambda fake, kind=kind: web(fake, kind),  # type: ignore[misc]
            labels=FIRST,
            idle=frozenset({("replicasets", "get"), *((f"{other}s", "get") for other in WORKLOADS)}),  # its own owners
        )
        for kind in WORKLOADS
    },
    "nodeOf a pod": Case(runbook=look("", f"{{nodeOf: {ANY_POD}}}"), targets=("node=*",), arrange=web, labels=FIRST),
    "nodeOf an instance": Case(
        runbook=look("", "{nodeOf: {instance: '{{ alert.labels.instance }}'}}"),
        targets=("node=*",),
        arrange=web,
        labels={"instance": "ADDRESS"},
    ),
}


@pytest.fixture
def fake() -> Iterator[FakeCluster]:
    """A cluster with three nodes and two namespaces, which lets nobody do what no manifest grants."""
    with FakeCluster(authenticate=True) as cluster:
        for name in ("node-a", "node-b", "node-c"):
            cluster.node(name)
        for name in ("shop", "data"):
            cluster.namespace(name)
        yield cluster


def installed(case: Case, fake: FakeCluster, folder: Path, **changes: object) -> Granted:
    """Arrange a case, and post its alert."""
    case.arrange(fake)
    granted = Granted(fake, folder, case.runbook, targets=case.targets, more=case.more, **changes)  # type: ignore[arg-type]
    granted.alert(**labels_of(case, fake))
    return granted


def labels_of(case: Case, fake: FakeCluster) -> dict[str, str]:
    """Return the labels of the alert: FIRST is the first pod, ADDRESS what it can be scraped at."""
    pods = sorted(fake.pods("app=web", "shop"), key=lambda pod: str(pod["metadata"]["name"]))
    known: dict[str, Callable[[], str]] = {
        "FIRST": lambda: pods[0]["metadata"]["name"],
        "ADDRESS": lambda: f"{pods[0]['status']['podIP']}:9100",
    }
    return {name: known[value]() for name, value in case.labels.items()}


def over(execution: Execution) -> bool:
    """Whether it has ended."""
    return execution.ended_at is not None


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in READS.items()])
def test_grants_are_exactly_enough_when_something_is_looked_at(case: Case, fake: FakeCluster, tmp_path: Path) -> None:
    """Collectors, checks and lookups find what they ask for, with rights that read, and none that nothing asked for."""
    granted = installed(case, fake, tmp_path)

    status = granted.run_until(over).status

    said = "\n".join(granted.says())
    assert "succeeded" == status, said
    assert [] == granted.refused(), said
    assert all(grant.reads for grant in granted.grants)
    assert set() == {what[2:] for what in granted.unused()} - case.idle


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in CASES.items()])
def test_grants_are_exactly_enough_when_an_action_runs(case: Case, fake: FakeCluster, tmp_path: Path) -> None:
    """It comes to its end and back, nothing is refused on the way, and no grant is left that nothing asked for."""
    granted = installed(case, fake, tmp_path)

    status = granted.run_until(over).status
    if case.undone:
        granted.alert("resolved", **labels_of(case, fake))
        granted.run_until(lambda execution: execution.compensation == "undone")

    said = "\n".join(granted.says())
    assert "succeeded" == status, said
    assert [] == granted.refused(), said
    assert set() == {what[2:] for what in granted.unused()} - case.idle


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in CASES.items()])
def test_observing_gets_to_its_plan_with_rights_that_only_read(case: Case, fake: FakeCluster, tmp_path: Path) -> None:
    """In mode observe the same runbook is planned, guardrails and all; nothing may be written, and nothing is tried."""
    granted = installed(case, fake, tmp_path, mode="observe")

    granted.run_until(over)

    said = granted.says()[-1]
    changes = len(granted.bundle.runbooks[0].steps)
    assert said.endswith(f"mode observe: would make {changes} change(s); nothing was changed"), said
    assert [] == granted.refused()
    assert all(grant.reads for grant in granted.grants)
    assert [] == [entry.path for entry in fake.log.writes() if entry.user == "runner"]


def test_every_right_to_write_is_bound_to_a_name_when_the_runbook_names_its_target(
    fake: FakeCluster, tmp_path: Path
) -> None:
    """What others have in the same namespace is out of reach, though the allow-list has more."""
    runbook = one("degrade", settings="{configMap: flags, key: mode, value: lite}") + RESTART_TOO
    granted = Granted(fake, tmp_path, runbook, targets=["deployment=shop/*", "configmap=shop/*"])

    writes = {(grant.namespace, grant.resource, grant.verb, grant.names) for grant in granted.grants if not grant.reads}

    assert {
        ("shop", "configmaps", "patch", ("flags",)),
        ("shop", "deployments", "patch", ("web",)),
    } == writes


@pytest.mark.parametrize(
    ("watch", "namespaces"),
    [
        pytest.param("namespaces: []", {"*"}, id="all"),
        pytest.param("namespaces: [data]", {"data"}, id="one"),
    ],
)
def test_watcher_is_granted_what_it_reads(watch: str, namespaces: set[str], fake: FakeCluster, tmp_path: Path) -> None:
    """It lists and watches workloads where it is told to, and nothing of it is refused."""
    granted = Granted(fake, tmp_path, look("", "{node: node-a}"), targets=["node=*"], watch=watch)
    watcher = granted.watcher()
    stopped = Event()
    changes: list[ChangeEvent] = []
    thread = Thread(target=watcher.watch, args=(lambda target, event: changes.append(event), stopped.is_set))
    thread.start()
    try:
        fake.wait(lambda: fake.log.count("GET", "watch=true") >= 3, what="the watches")
        fake.statefulset("db", namespace="data")
        fake.wait_rollout("db", "data", "statefulsets")
        fake.wait(lambda: changes, what="a change")
    finally:
        stopped.set()
        thread.join()

    assert [] == granted.refused()
    assert namespaces == {grant.namespace for grant in granted.grants if grant.verb == "watch"}
    assert granted.unused() <= {
        (namespace, "apps", *asked_when_healthy) for namespace in namespaces for asked_when_healthy in ITS_REVISION
    }
