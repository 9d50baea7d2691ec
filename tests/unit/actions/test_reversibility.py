"""Properties of every action that ships: what it declares is so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_engine.actions import (
    cordon,
    degrade,
    delete_pod,
    drain,
    notify,
    restart,
    rollback,
    scale,
    ticket,
    uncordon,
)
from runbook_engine.model.observation import Autoscaler, Revision
from runbook_engine.model.plan import Change
from runbook_engine.model.target import Target
from runbook_engine.ports import ActionSpec
from runbook_engine.registry import Registry
from runbook_engine.testing import SimulatedWorld

ACTIONS = tuple(
    module.ACTION for module in (cordon, degrade, delete_pod, drain, notify, restart, rollback, scale, ticket, uncordon)
)
NODE_ACTIONS: Mapping[str, tuple[ActionSpec, dict[str, Any]]] = {
    "cordon": (cordon.ACTION, {}),
    "drain": (drain.ACTION, {"gracePeriod": "30s", "skipTerminatingAfter": "2m"}),
    "delete pod": (delete_pod.ACTION, {"mode": "delete", "gracePeriod": "30s"}),
}

wishes: st.SearchStrategy[tuple[ActionSpec, Mapping[str, object]]] = st.one_of(
    st.tuples(
        st.just(degrade.ACTION),
        st.fixed_dictionaries(
            {"parameter": st.sampled_from(["/checkout/degraded_mode", "/new"]), "value": st.text(max_size=20)}
        ),
    ),
    st.tuples(
        st.just(scale.ACTION),
        st.fixed_dictionaries({"to": st.integers(1, 30), "autoscaler": st.just("minReplicas")}),
    ),
    st.tuples(
        st.just(scale.ACTION),
        st.fixed_dictionaries(
            {"by": st.integers(1, 200).map(lambda n: f"{n}%"), "upTo": st.integers(1, 40)},
            optional={"autoscaler": st.just("minReplicas")},
        ),
    ),
)


def snapshot(simulated: SimulatedWorld, target: Target) -> dict[str, Any]:
    """Return all of the world that an action may change, without what only counts writes."""
    workload = simulated.seen(target)
    return {
        "parameters": dict(simulated.flags.values()),
        "workload": msgspec.structs.replace(workload, generation=0, observed_generation=0),
    }


@given(
    wish=wishes, replicas=st.integers(1, 20), autoscaled=st.booleans(), flag=st.one_of(st.none(), st.text(max_size=9))
)
def test_inverse_restores_the_world_when_the_action_is_reversible(
    wish: tuple[ActionSpec, Mapping[str, Any]], replicas: int, autoscaled: bool, flag: str | None
) -> None:
    """Apply, then apply the inverse: the world is as it was, through exactly two effects."""
    action, written = wish
    simulated = SimulatedWorld()
    simulated.set_parameter("/checkout/degraded_mode", flag)
    scaler = Autoscaler(kind="HorizontalPodAutoscaler", name="checkout", minimum=1, maximum=25) if autoscaled else None
    target = simulated.deploy("apps", "checkout", replicas=replicas, autoscaler=scaler)
    if scaler is not None and (written.get("autoscaler") is None or written.get("to", 99) < replicas):
        written = {"to": replicas + 1, "autoscaler": "minReplicas"} if action is scale.ACTION else written
    before = snapshot(simulated, target)
    change = action.prepare(action.params.model_validate(written), target, simulated.world)
    if change is None:
        return

    done = action.apply(change, "key", simulated.effects)
    simulated.settle()
    undone = action.apply(change.inverse(), "key-undo", simulated.effects)
    simulated.settle()

    assert (done.status, undone.status) == ("done", "done")
    assert len(simulated.effects_made) == 2
    assert snapshot(simulated, target) == before
    assert action.prepare(action.params.model_validate(written), target, simulated.world) == change


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)
def test_action_is_found_when_the_registry_scans(action: ActionSpec) -> None:
    """Every action that ships is found by the way a stranger's would be."""
    assert Registry().action(action.name) is action


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)
def test_action_is_declared_whole_when_shipped(action: ActionSpec) -> None:
    """Every action says what it does, what it needs, and describes each parameter."""
    schema = action.params.model_json_schema()

    assert action.summary.endswith(".")
    assert action.permissions
    assert action.time_limit.total_seconds() > 0
    assert all(field.get("description") for field in schema.get("properties", {}).values())


@pytest.mark.parametrize(
    ("action", "written"),
    [
        pytest.param(degrade.ACTION, {"parameter": "/a", "value": "b"}, id="degrade"),
        pytest.param(scale.ACTION, {"by": 1}, id="scale"),
        pytest.param(restart.ACTION, {}, id="restart"),
        pytest.param(rollback.ACTION, {}, id="rollback"),
        pytest.param(notify.ACTION, {"receiver": "chat", "text": "hello"}, id="notify"),
        pytest.param(ticket.ACTION, {"receiver": "chat", "text": "hello"}, id="ticket"),
    ],
)
def test_change_survives_the_journal_when_encoded(action: ActionSpec, written: dict[str, Any]) -> None:
    """All that `apply` needs is in the change, and a change comes back from the journal as it went in."""
    simulated = SimulatedWorld()
    revisions = (Revision(number=2), Revision(number=1, healthy=True, summary="good"))
    target = simulated.deploy("apps", "checkout", replicas=2, revisions=revisions)
    change = action.prepare(action.params.model_validate(written), target, simulated.world)

    stored = msgspec.json.decode(msgspec.json.encode(change), type=Change)

    assert stored == change
    assert action.apply(stored, "key", simulated.effects).status == "done"
    assert len(simulated.touches) == 1


@pytest.mark.parametrize("name", NODE_ACTIONS)
def test_change_of_a_node_survives_the_journal_when_encoded(name: str) -> None:
    """Rules, times and former counts come back as they went in, and are enough to act on."""
    action, written = NODE_ACTIONS[name]
    simulated = SimulatedWorld()
    node = simulated.add_node("worker-1")
    simulated.add_node("worker-2")
    web = simulated.deploy("apps", "web", replicas=2)
    pod = simulated.add_pod("apps", "web-0", node, web).target
    if action is drain.ACTION:
        simulated.nodes.cordon(node)
    target = pod if action is delete_pod.ACTION else node
    change = action.prepare(action.params.model_validate(written), target, simulated.world)

    stored = msgspec.json.decode(msgspec.json.encode(change), type=Change)

    assert stored == change
    assert action.apply(stored, "key", simulated.effects).status in ("done", "partial")
    assert simulated.effects_made[-1].changed
