"""Properties of a drain: whatever runs on a node, it ends empty or refused, and no promise is broken on the way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_engine.actions.drain import ACTION, DrainParams
from runbook_engine.errors import Permanent
from runbook_engine.model.eviction import EvictionRules, dispose, objections, remaining, to_go
from runbook_engine.model.plan import Change
from runbook_engine.model.target import Target
from runbook_engine.testing import SimulatedWorld

MOST_BATCHES = 400


@dataclass(frozen=True)
class Kind:
    """One workload of the drawn node: how many pods it has there and elsewhere, and what is special about them."""

    here: int
    elsewhere: int
    wanted: int | None
    empty_dir: bool
    tolerates: bool
    stop: int


kinds = st.builds(
    Kind,
    here=st.integers(1, 4),
    elsewhere=st.integers(0, 3),
    wanted=st.none() | st.integers(0, 6),
    empty_dir=st.sampled_from([False, False, False, True]),
    tolerates=st.sampled_from([False, False, False, True]),
    stop=st.integers(1, 40),
)
params = st.builds(
    DrainParams,
    empty_dir=st.sampled_from(["block", "delete"]),
    unmanaged_pods=st.sampled_from(["block", "evict"]),
    grace_period=st.none() | st.integers(1, 60).map(lambda seconds: timedelta(seconds=seconds)),
    parallel=st.integers(1, 8),
)


@dataclass
class Drawn:
    """A drawn cluster: the node to drain, and what runs on it."""

    simulated: SimulatedWorld
    node: Target
    workloads: list[tuple[Target, Kind]]


def put_up(drawn: list[Kind], strays: int, agents: int) -> Drawn:
    """Return the cluster that was drawn."""
    simulated = SimulatedWorld()
    node, other, _ = (simulated.add_node(f"worker-{number}") for number in (1, 2, 3))
    workloads = []
    for index, kind in enumerate(drawn):
        workload = simulated.deploy("apps", f"app{index}", replicas=kind.here + kind.elsewhere)
        for number in range(kind.here + kind.elsewhere):
            pod = simulated.add_pod(
                "apps",
                f"app{index}-{number}",
                node if number < kind.here else other,
                workload,
                empty_dirs=("data",) if kind.empty_dir else (),
                stop_time=timedelta(seconds=kind.stop),
            )
            pod.tolerates_cordon = kind.tolerates
        if kind.wanted is not None:
            simulated.protect(f"keep-app{index}", workload, kind.wanted)
        workloads.append((workload, kind))
    for number in range(strays):
        simulated.add_pod("apps", f"stray-{number}", node)
    for number in range(agents):
        simulated.add_pod("kube-system", f"agent-{number}", node, Target("daemonset", "local", "kube-system", "agent"))
    simulated.push(timedelta(seconds=1))
    simulated.nodes.cordon(node)
    return Drawn(simulated, node, workloads)


@settings(max_examples=150, deadline=None)
@given(drawn=st.lists(kinds, max_size=4), strays=st.integers(0, 1), agents=st.integers(0, 2), wish=params)
def test_a_drain_ends_empty_or_refused_and_breaks_no_promise(
    drawn: list[Kind], strays: int, agents: int, wish: DrainParams
) -> None:
    """No budget falls below what it wants, no pod is asked twice, no DaemonSet's pod at all, never too many at once."""
    cluster = put_up(drawn, strays, agents)
    simulated = cluster.simulated
    try:
        change = ACTION.prepare(wish, cluster.node, simulated.world)
    except Permanent:
        assert must_be_refused(cluster, strays, wish)
        return
    assert not must_be_refused(cluster, strays, wish)
    if change is None:
        assert sum(kind.here for _, kind in cluster.workloads) + strays == 0
        return

    receipt = drain(cluster, change, wish)

    asked = [touch for touch in simulated.effects_made if touch.method == "nodes.evict"]
    assert len({touch.value for touch in asked}) == len(asked) == change.before
    assert all("agent" not in touch.target for touch in asked)
    simulated.settle()
    assert ACTION.observe(change, receipt, simulated.world).status == "done"
    for workload, kind in cluster.workloads:
        assert simulated.seen(workload).ready == kind.here + kind.elsewhere


def must_be_refused(cluster: Drawn, strays: int, wish: DrainParams) -> bool:
    """Whether something on the node forbids a drain with these wishes."""
    there = [kind for _, kind in cluster.workloads]
    impossible = any(kind.wanted is not None and kind.wanted >= kind.here + kind.elsewhere for kind in there)
    data = any(kind.empty_dir for kind in there) and wish.empty_dir == "block"
    return impossible or data or (strays > 0 and wish.unmanaged_pods == "block")


def drain(cluster: Drawn, change: Change, wish: DrainParams) -> dict[str, object]:
    """Ask batch after batch, and hold every promise against what is on its way."""
    simulated = cluster.simulated
    for _ in range(MOST_BATCHES):
        outcome = ACTION.apply(change, "key", simulated.effects)
        going = [pod for pod in simulated.nodes.seen_on(cluster.node) if pod.deleted_at is not None]
        assert len(going) <= wish.parallel
        owners = [pod.owner.uid for pod in going if pod.owner is not None]
        assert len(owners) == len(set(owners))
        for workload, kind in cluster.workloads:
            assert simulated.seen(workload).ready >= (kind.wanted or 0)
        if outcome.after is None:
            assert outcome.status in ("done", "noop")
            return {"left": 0}
        assert outcome.status == "partial"
        simulated.push(outcome.after)
    raise AssertionError("the drain never ends")


@given(
    drawn=st.lists(kinds, max_size=4),
    strays=st.integers(0, 1),
    agents=st.integers(0, 2),
    empty_dir=st.sampled_from(["block", "delete"]),
    unmanaged=st.sampled_from(["block", "evict"]),
)
def test_every_pod_stays_goes_or_forbids(
    drawn: list[Kind], strays: int, agents: int, empty_dir: str, unmanaged: str
) -> None:
    """What is left to do and what forbids it are two halves of what does not stay."""
    cluster = put_up(drawn, strays, agents)
    now = cluster.simulated.clock.now()
    pods = cluster.simulated.nodes.seen_on(cluster.node)
    rules = EvictionRules(empty_dir=empty_dir, unmanaged_pods=unmanaged)  # type: ignore[arg-type]  # drawn from its words

    verbs = [dispose(pod, rules, now).verb for pod in pods]

    assert len(remaining(pods, rules, now)) == len(pods) - verbs.count("stay")
    assert len(objections(pods, rules, now)) == verbs.count("block")
    assert len(to_go(pods, rules, now)) == verbs.count("evict") + verbs.count("wait")
    assert verbs.count("stay") == agents
