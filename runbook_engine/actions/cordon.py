"""Cordon: keep new pods off a node. What runs there stays."""

from __future__ import annotations

from datetime import timedelta

from runbook_engine.actions.cordoning import cordoned_change, observe_cordoned, set_cordoned, touchable_node
from runbook_engine.actions.params import ActionParams
from runbook_engine.model.plan import Change
from runbook_engine.model.target import Target
from runbook_engine.ports import ActionSpec, World


class CordonParams(ActionParams):
    """A cordon has no parameters."""


def prepare(params: CordonParams, target: Target, world: World) -> Change | None:
    """Return the change of the flag, or None when somebody has cordoned the node already."""
    return cordoned_change(touchable_node("cordon", target, world), cordoned=True)


ACTION = ActionSpec(
    name="cordon",
    summary="Keep new pods off a node; what runs there stays.",
    params=CordonParams,
    prepare=prepare,
    apply=set_cordoned,
    observe=observe_cordoned,
    repeat="declarative",
    reversible=True,
    time_limit=timedelta(minutes=1),
    permissions=("core/nodes:get", "core/nodes:list", "core/nodes:patch"),
    target_kinds=("node",),
)
