"""Uncordon: let new pods onto a node again, if it is well and the cordon is our own.

What a person has cordoned, a person opens: only they know why.
"""

from __future__ import annotations

from datetime import timedelta

from runbook_engine.actions.cordoning import cordoned_change, observe_cordoned, set_cordoned, touchable_node
from runbook_engine.actions.params import ActionParams
from runbook_engine.errors import Permanent
from runbook_engine.model.node import Node
from runbook_engine.model.plan import Change
from runbook_engine.model.target import Target
from runbook_engine.ports import ActionSpec, World

OURS = "runbook-engine"  # the field manager that every write of ours names


class UncordonParams(ActionParams):
    """An uncordon has no parameters."""


def prepare(params: UncordonParams, target: Target, world: World) -> Change | None:
    """Return the change of the flag, or None when the node is open. Raises Permanent when it must stay closed."""
    node = touchable_node("uncordon", target, world)
    if not node.cordoned:
        return None
    objection = _objection(node)
    if objection:
        raise Permanent(f"cannot uncordon {target}: {objection}")
    return cordoned_change(node, cordoned=False)


def _objection(node: Node) -> str:
    if not node.ready:
        return f"it is not ready: {node.ready_reason or 'no reason given'}"
    if node.pressures:
        return f"it has {', '.join(node.pressures)}"
    if node.cordoned_by != OURS:
        who = node.cordoned_by or "somebody whom nothing names"
        return f"{who} has cordoned it, and only that knows why (uncordon it by hand)"
    return ""


ACTION = ActionSpec(
    name="uncordon",
    summary="Let new pods onto a node again that this engine has cordoned.",
    params=UncordonParams,
    prepare=prepare,
    apply=set_cordoned,
    observe=observe_cordoned,
    repeat="declarative",
    reversible=True,
    time_limit=timedelta(minutes=1),
    permissions=("core/nodes:get", "core/nodes:list", "core/nodes:patch"),
    target_kinds=("node",),
)
