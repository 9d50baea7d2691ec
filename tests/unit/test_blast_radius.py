"""Blast radius: victims are counted, the target among them; who cannot count says no."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace as replaced

import pytest
from msgspec.structs import replace

from runbook_engine.errors import Unreadable
from runbook_engine.guardrails import LOOK_AGAIN, Case, blast_radius, step_cap
from runbook_engine.model.guardrail import BlastRadius
from runbook_engine.model.plan import Change
from runbook_engine.model.target import Target
from runbook_engine.ports.absent import absent
from tests.scenario.rig import Rig
from tests.unit.test_guardrails import CHANGE, RULES
from tests.unit.test_guardrails import case as case_of

NODE = Target("node", "local", "", "node-1")
POD = Target("pod", "local", "apps", "web-0", "uid-1")
CORDON = Change(target=NODE, field="cordoned", before=False, after=True)
UNCORDON = Change(target=NODE, field="cordoned", before=True, after=False)
DRAIN = Change(target=NODE, field="evictablePods", before=12, after=0)
DELETE = Change(target=POD, field="pod", before="uid-1", after=None)
Rigged = tuple[Case, Rig]
ONE = {"nodesUnavailable": {"max": 1, "maxPercent": 10}}


def case(change: Change, limits: dict[str, dict[str, float]] | None = None, protect: Iterable[str] = ()) -> Rigged:
    """Return a case in a cluster of ten nodes, five of them of pool blue, in two zones."""
    radius = None if limits is None else BlastRadius(limits=limits, protect={"nodeLabels": tuple(protect)})
    judged, rig = case_of(change=change, rules=replace(RULES, blast_radius=radius))
    for number in range(1, 11):
        pool, zone = "blue" if number <= 5 else "green", "a" if number % 2 else "b"
        rig.simulated.add_node(f"node-{number}", pool=pool, zone=zone, labels={"example.com/gpu": "yes"})
    return judged, rig


def edit(rig: Rig, *numbers: int, **state: object) -> None:
    """Change nodes by their numbers."""
    for number in numbers:
        rig.simulated.nodes.edit(Target("node", "local", "", f"node-{number}"), **state)


@pytest.mark.parametrize(
    ("change", "limits", "says"),
    [
        pytest.param(CHANGE, None, "no limit set", id="no limit, and no node"),
        pytest.param(CHANGE, {"podsEvicted": {"max": 0}}, "pods to be evicted: 0, at most 0", id="a parameter"),
        pytest.param(CORDON, None, "no victims", id="a node without limits"),
        pytest.param(
            CORDON, ONE, "1 of 5 nodes of pool blue would be out of service (node-1), at most 1", id="the first node"
        ),
        pytest.param(UNCORDON, {"nodesUnavailable": {"max": 0}}, "no victims", id="what returns to service"),
        pytest.param(CORDON, {"podsEvicted": {"max": 0}}, "pods to be evicted: 0, at most 0", id="a cordon"),
        pytest.param(DRAIN, {"podsEvicted": {"max": 12}}, "pods to be evicted: 12, at most 12", id="just enough"),
        pytest.param(DELETE, {"podsEvicted": {"max": 1}}, "pods to be evicted: 1, at most 1", id="one pod"),
    ],
)
def test_a_change_is_allowed_within_its_limits(
    change: Change, limits: dict[str, dict[str, float]] | None, says: str
) -> None:
    """Each victim is counted once, and the sentence shows the count."""
    judged, _ = case(change, limits)

    verdict = blast_radius(judged)

    assert (True, says) == (verdict.ok, verdict.says)


@pytest.mark.parametrize(
    ("change", "limits", "says"),
    [
        pytest.param(DRAIN, {"podsEvicted": {"max": 11}}, "pods to be evicted: 12, at most 11", id="a pod too many"),
        pytest.param(DELETE, {"podsEvicted": {"max": 0}}, "pods to be evicted: 1, at most 0", id="no pod at all"),
        pytest.param(
            DRAIN,
            {"podsEvicted": {"maxPercent": 50}},
            "pods to be evicted: 12, and nobody can tell of how many (raise podsEvicted.max)",
            id="a share of what cannot be counted",
        ),
        pytest.param(
            CORDON,
            {"nodesUnavailable": {"maxPercent": 19}},
            "1 of 5 nodes of pool blue would be out of service (node-1), at most 0",
            id="a share that is less than one node",
        ),
    ],
)
def test_a_change_is_refused_beyond_its_limits(change: Change, limits: dict[str, dict[str, float]], says: str) -> None:
    """The no is final: it does not pass by itself."""
    judged, _ = case(change, limits)

    verdict = blast_radius(judged)

    assert (False, says, None) == (verdict.ok, verdict.says, verdict.until)


@pytest.mark.parametrize(
    ("state", "ok"),
    [
        pytest.param({"ready": False}, False, id="not ready"),
        pytest.param({"cordoned": True}, False, id="cordoned"),
        pytest.param({"deleting": True}, False, id="being deleted"),
        pytest.param({"pressures": ("DiskPressure",)}, True, id="under pressure, but in service"),
    ],
)
def test_nodes_out_of_service_count_whatever_the_reason(state: dict[str, object], ok: bool) -> None:
    """Another node of the pool is out already."""
    judged, rig = case(CORDON, ONE)
    edit(rig, 3, **state)

    verdict = blast_radius(judged)

    assert ok == verdict.ok
    if not ok:
        assert "2 of 5 nodes of pool blue would be out of service (node-1, node-3), at most 1" == verdict.says


def test_the_target_counts_once_when_it_is_out_already() -> None:
    """The drain after its own cordon is no second victim."""
    judged, rig = case(DRAIN, ONE)
    edit(rig, 1, cordoned=True)

    assert blast_radius(judged).ok


def test_the_larger_limit_holds_when_both_are_set() -> None:
    """Forty percent of five are two."""
    judged, rig = case(CORDON, {"nodesUnavailable": {"max": 1, "maxPercent": 40}})
    edit(rig, 3, cordoned=True)

    assert blast_radius(judged).ok


def test_another_pools_nodes_do_not_count_and_every_node_does_without_pools() -> None:
    """Pools replace their nodes apart; without a pool the cluster is one."""
    judged, rig = case(CORDON, ONE)
    edit(rig, 8, cordoned=True)
    apart = blast_radius(judged)
    edit(rig, *range(1, 11), pool="")

    together = blast_radius(judged)

    assert apart.ok
    assert (False, "2 of 10 nodes would be out of service (node-1, node-8), at most 1") == (together.ok, together.says)


@pytest.mark.parametrize(
    ("lost", "refused"),
    [pytest.param((1, 3), False, id="two of five"), pytest.param((1, 3, 5), True, id="three of five")],
)
@pytest.mark.parametrize("change", [CORDON, UNCORDON, DRAIN], ids=["cordon", "uncordon", "drain"])
@pytest.mark.parametrize("limits", [None, {}], ids=["without limits", "with a blast radius"])
def test_no_node_is_touched_when_most_of_its_zone_is_lost(
    limits: dict[str, dict[str, float]] | None, change: Change, lost: tuple[int, ...], refused: bool
) -> None:
    """That is an outage or a cut network, with limits or without."""
    judged, rig = case(change, limits)
    edit(rig, *lost, ready=False)

    verdict = blast_radius(judged)

    assert refused is not verdict.ok
    if refused:
        assert "3 of 5 nodes of zone a are not ready: that is an outage, not one bad node" == verdict.says


def test_one_bad_node_is_no_outage_when_it_is_alone_in_its_zone() -> None:
    """A zone with one node would never let it be cordoned otherwise, and it is cordoned because it is bad."""
    judged, rig = case(CORDON)
    edit(rig, 1, zone="lonely", ready=False)

    assert blast_radius(judged).ok


def test_the_cluster_is_one_zone_when_zones_are_not_known() -> None:
    """Three of ten are not most."""
    judged, rig = case(CORDON)
    edit(rig, *range(1, 11), zone="")
    edit(rig, 1, 3, 5, ready=False)

    assert blast_radius(judged).ok


@pytest.mark.parametrize(
    ("change", "ok"),
    [
        pytest.param(CORDON, False, id="cordon"),
        pytest.param(DRAIN, False, id="drain"),
        pytest.param(UNCORDON, True, id="uncordon"),
    ],
)
def test_the_control_plane_never_leaves_service(change: Change, ok: bool) -> None:
    """Whatever a runbook says."""
    judged, rig = case(change)
    edit(rig, 1, labels={"node-role.kubernetes.io/control-plane": ""})

    verdict = blast_radius(judged)

    assert ok == verdict.ok
    if not ok:
        assert "node/node-1 is of the control plane, which is never taken out of service" == verdict.says


def test_a_protected_node_is_refused_by_its_label() -> None:
    """Its presence is enough, whatever its value."""
    judged, _ = case(CORDON, {}, protect=("example.com/db", "example.com/gpu"))

    verdict = blast_radius(judged)

    assert (False, "node/node-1 is protected by its label example.com/gpu") == (verdict.ok, verdict.says)


def test_every_no_is_told_when_there_are_several() -> None:
    """One look tells all there is to repair."""
    judged, rig = case(DRAIN, {**ONE, "podsEvicted": {"max": 5}})
    edit(rig, 2, cordoned=True)

    assert blast_radius(judged).says == (
        "2 of 5 nodes of pool blue would be out of service (node-1, node-2), at most 1; "
        "pods to be evicted: 12, at most 5"
    )


def test_nodes_that_cannot_be_read_are_a_passing_no() -> None:
    """An API server that restarts in the middle of a drain does not end it, and allows nothing meanwhile."""
    judged, rig = case(DRAIN, ONE)
    rig.simulated.fail_next("nodes.nodes", Unreadable("the API is away"))

    verdict = blast_radius(judged)

    assert (False, "how many are out of service cannot be read: the API is away") == (verdict.ok, verdict.says)
    assert judged.now + LOOK_AGAIN == verdict.until


def test_nodes_that_nothing_serves_are_a_final_no() -> None:
    """Waiting brings no adapter."""
    judged, _ = case(CORDON)
    blind = replaced(judged.world, nodes=absent("nodes"))

    verdict = blast_radius(replaced(judged, world=blind))

    assert (False, None) == (verdict.ok, verdict.until)
    assert verdict.says.startswith("how many are out of service cannot be read: nothing serves nodes")


def test_a_drain_that_does_not_say_how_many_leave_is_refused() -> None:
    """Victims that are no number cannot be held against a limit."""
    judged, _ = case(replace(DRAIN, before="many"), {"podsEvicted": {"max": 60}})

    verdict = blast_radius(judged)

    assert (False, None) == (verdict.ok, verdict.until)
    assert verdict.says.endswith("evictablePods of node/node-1 is many, no count")


def test_a_node_that_is_gone_cannot_be_harmed() -> None:
    """A drain whose node an autoscaler takes away may find out that it is over."""
    judged, rig = case(DRAIN, ONE)
    rig.simulated.nodes.remove_node(NODE)

    verdict = blast_radius(judged)

    assert (True, "node/node-1 is gone, so nothing of it can be taken away") == (verdict.ok, verdict.says)


def test_a_drain_is_not_capped_as_a_step() -> None:
    """From twelve to none is all of them, and blastRadius is what limits that."""
    judged, _ = case(DRAIN)

    verdict = step_cap(judged)

    assert (True, "evictablePods counts victims, which blastRadius limits") == (verdict.ok, verdict.says)
