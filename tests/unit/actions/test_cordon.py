"""Cordon: one flag of a node, and nobody else's."""

from __future__ import annotations

import pytest

from runbook_engine.actions.cordon import ACTION, CordonParams
from runbook_engine.errors import InvalidTarget, Permanent
from runbook_engine.model.plan import Change, Outcome, Progress
from runbook_engine.model.target import Target
from runbook_engine.testing import SimulatedWorld


def prepare(simulated: SimulatedWorld, target: Target) -> Change | None:
    """Prepare a cordon."""
    return ACTION.prepare(CordonParams(), target, simulated.world)


def cordoned(simulated: SimulatedWorld) -> Change:
    """Return the change of a cordon that was applied to a new node."""
    change = prepare(simulated, simulated.add_node("worker-1"))
    assert change is not None
    assert ACTION.apply(change, "key", simulated.effects) == Outcome.done()
    return change


def test_prepare_returns_the_flag_of_that_very_node_when_it_takes_pods() -> None:
    """The change is absolute, and bound to the node's uid."""
    simulated = SimulatedWorld()

    change = prepare(simulated, simulated.add_node("worker-1"))

    assert change is not None
    assert (change.field, change.before, change.after) == ("cordoned", False, True)
    assert change.target.uid == "uid-local-node-worker-1"


def test_prepare_returns_none_when_somebody_has_cordoned_it() -> None:
    """A cordon that is there already is not ours to undo."""
    simulated = SimulatedWorld()
    node = simulated.add_node("worker-1")
    simulated.nodes.edit(node, cordoned=True)

    assert prepare(simulated, node) is None


def test_prepare_allows_the_node_that_runs_this_engine() -> None:
    """What runs on a cordoned node stays, this engine included."""
    simulated = SimulatedWorld()
    node = simulated.add_node("worker-1")
    simulated.nodes.edit(node, holds_us=True)

    assert prepare(simulated, node) is not None


@pytest.mark.parametrize(
    ("state", "says"),
    [
        pytest.param(
            {"deleting": True},
            "cannot cordon node/worker-1: it is being deleted (whatever deletes it has the rest to do)",
            id="being deleted",
        ),
        pytest.param(
            {"ignored": "is marked runbook-engine/ignore"},
            "cannot cordon node/worker-1: it is marked runbook-engine/ignore",
            id="out of bounds",
        ),
    ],
)
def test_prepare_is_refused_when_the_node_is_not_ours_to_touch(state: dict[str, object], says: str) -> None:
    """The sentence says why."""
    simulated = SimulatedWorld()
    node = simulated.add_node("worker-1")
    simulated.nodes.edit(node, **state)

    with pytest.raises(Permanent) as caught:
        prepare(simulated, node)

    assert str(caught.value) == says


def test_prepare_is_refused_when_there_is_no_such_node() -> None:
    """A node that does not exist is an error, never a success."""
    with pytest.raises(InvalidTarget):
        prepare(SimulatedWorld(), Target("node", "local", "", "worker-9"))


def test_cordon_happens_once_when_applied_twice() -> None:
    """The second call finds it so."""
    simulated = SimulatedWorld()
    change = cordoned(simulated)

    assert ACTION.apply(change, "key", simulated.effects).status == "noop"
    assert len(simulated.effects_made) == 1
    assert simulated.nodes.seen(change.target).cordoned


def test_inverse_opens_the_node_when_the_cordon_is_still_ours() -> None:
    """Undone, the node takes pods again."""
    simulated = SimulatedWorld()
    change = cordoned(simulated)

    outcome = ACTION.apply(change.inverse(), "undo", simulated.effects)

    assert outcome == Outcome.done()
    assert not simulated.nodes.seen(change.target).cordoned
    seen = ACTION.observe(change.inverse(), {}, simulated.world)
    assert seen == Progress.done("node/worker-1 is open to new pods")


def test_inverse_conflicts_when_somebody_has_cordoned_it_since() -> None:
    """Their reason is not ours to end."""
    simulated = SimulatedWorld()
    change = cordoned(simulated)
    simulated.nodes.edit(change.target, cordoned=True, cordoned_by="kubectl-cordon")

    outcome = ACTION.apply(change.inverse(), "undo", simulated.effects)

    assert outcome == Outcome.conflict("node/worker-1 was cordoned by kubectl-cordon, so it stays cordoned")
    assert simulated.nodes.seen(change.target).cordoned


def test_observe_says_each_stage_when_the_world_moves() -> None:
    """Absent, done, opened by somebody, replaced, gone."""
    simulated = SimulatedWorld()
    change = prepare(simulated, simulated.add_node("worker-1"))
    assert change is not None

    absent = ACTION.observe(change, {}, simulated.world)
    ACTION.apply(change, "key", simulated.effects)
    done = ACTION.observe(change, {"written": True}, simulated.world)
    simulated.nodes.edit(change.target, cordoned=False)
    opened = ACTION.observe(change, {"written": True}, simulated.world)
    simulated.nodes.edit(change.target, target=Target("node", "local", "", "worker-1", "another"))
    replaced = ACTION.observe(change, {"written": True}, simulated.world)
    simulated.nodes.remove_node(change.target)
    gone = ACTION.observe(change, {"written": True}, simulated.world)

    assert [absent, done, opened, replaced, gone] == [
        Progress.absent("cordoned of node/worker-1 is still false"),
        Progress.done("node/worker-1 is cordoned"),
        Progress.superseded("cordoned of node/worker-1 is false, not true: somebody else has changed it"),
        Progress.superseded("node/worker-1 is another one now: somebody else has replaced it"),
        Progress.superseded("node/worker-1 is gone: somebody else has removed it"),
    ]
