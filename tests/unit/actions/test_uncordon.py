"""Uncordon: only a node that is well, and only a cordon of our own."""

from __future__ import annotations

import pytest

from runbook_engine.actions.uncordon import ACTION, UncordonParams
from runbook_engine.errors import Permanent
from runbook_engine.model.plan import Change, Outcome, Progress
from runbook_engine.model.target import Target
from runbook_engine.testing import SimulatedWorld


def prepare(simulated: SimulatedWorld, target: Target) -> Change | None:
    """Prepare an uncordon."""
    return ACTION.prepare(UncordonParams(), target, simulated.world)


def cordoned_node(simulated: SimulatedWorld) -> Target:
    """Return a node that this engine has cordoned."""
    node = simulated.add_node("worker-1")
    simulated.nodes.cordon(node)
    return node


def test_uncordon_opens_the_node_when_the_cordon_is_ours() -> None:
    """The node takes pods again, and its undo closes it again."""
    simulated = SimulatedWorld()
    change = prepare(simulated, cordoned_node(simulated))
    assert change is not None

    opened = ACTION.apply(change, "key", simulated.effects)
    seen = ACTION.observe(change, opened.receipt, simulated.world)
    closed = ACTION.apply(change.inverse(), "undo", simulated.effects)

    assert (change.field, change.before, change.after) == ("cordoned", True, False)
    assert (opened, closed) == (Outcome.done(), Outcome.done())
    assert seen == Progress.done("node/worker-1 is open to new pods")
    assert simulated.nodes.seen(change.target).cordoned_by == "runbook-engine"


def test_prepare_returns_none_when_the_node_is_open() -> None:
    """Nothing to do, however unwell it is."""
    simulated = SimulatedWorld()
    node = simulated.add_node("worker-1")
    simulated.nodes.edit(node, ready=False)

    assert prepare(simulated, node) is None


@pytest.mark.parametrize(
    ("state", "says"),
    [
        pytest.param(
            {"ready": False, "ready_reason": "NodeStatusUnknown"}, "it is not ready: NodeStatusUnknown", id="not ready"
        ),
        pytest.param({"ready": False}, "it is not ready: no reason given", id="not ready, and nobody says why"),
        pytest.param(
            {"pressures": ("DiskPressure", "PIDPressure")}, "it has DiskPressure, PIDPressure", id="under pressure"
        ),
        pytest.param(
            {"deleting": True}, "it is being deleted (whatever deletes it has the rest to do)", id="being deleted"
        ),
        pytest.param(
            {"ignored": "is marked runbook-engine/ignore"}, "it is marked runbook-engine/ignore", id="ignored"
        ),
        pytest.param(
            {"cordoned_by": "kubectl-cordon"},
            "kubectl-cordon has cordoned it, and only that knows why (uncordon it by hand)",
            id="cordoned by a person",
        ),
        pytest.param(
            {"cordoned_by": ""},
            "somebody whom nothing names has cordoned it, and only that knows why (uncordon it by hand)",
            id="nobody can tell who cordoned it",
        ),
    ],
)
def test_prepare_is_refused_when_the_node_must_stay_closed(state: dict[str, object], says: str) -> None:
    """There is no flag that overrides it."""
    simulated = SimulatedWorld()
    node = cordoned_node(simulated)
    simulated.nodes.fleet.nodes[node.key].edit(**state)

    with pytest.raises(Permanent) as caught:
        prepare(simulated, node)

    assert str(caught.value) == f"cannot uncordon node/worker-1: {says}"
