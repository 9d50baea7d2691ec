"""What cordon and uncordon share: one flag of a node, set and looked at in both directions."""

from __future__ import annotations

from collections.abc import Mapping

from runbook_engine.actions.wording import not_ours, written
from runbook_engine.errors import Conflict, InvalidTarget, Permanent
from runbook_engine.model.node import Node
from runbook_engine.model.plan import Change, Outcome, Progress, Value
from runbook_engine.model.target import Target
from runbook_engine.ports import Effects, World


def touchable_node(verb: str, target: Target, world: World) -> Node:
    """Return the node. Raises Permanent when it is out of bounds, or on its way out already."""
    node = world.nodes.node(target)
    if node.deleting:
        raise Permanent(f"cannot {verb} {target}: it is being deleted (whatever deletes it has the rest to do)")
    if node.ignored:
        raise Permanent(f"cannot {verb} {target}: it {node.ignored}")
    return node


def cordoned_change(node: Node, *, cordoned: bool) -> Change | None:
    """Return the change of the flag, or None when it is so already."""
    if node.cordoned == cordoned:
        return None
    return Change(target=node.target, field="cordoned", before=node.cordoned, after=cordoned)


def set_cordoned(change: Change, key: str, effects: Effects) -> Outcome:
    """Set the flag; a node that somebody else has cordoned since stays cordoned."""
    set_flag = effects.nodes.cordon if change.after else effects.nodes.uncordon
    try:
        return written(set_flag(change.target))
    except Conflict as error:
        return Outcome.conflict(str(error))


def observe_cordoned(change: Change, receipt: Mapping[str, Value], world: World) -> Progress:
    """Read the flag back."""
    try:
        node = world.nodes.node(change.target)
    except InvalidTarget:
        return Progress.superseded(f"{change.target} is gone: somebody else has removed it")
    if change.target.uid and node.target.uid != change.target.uid:
        return Progress.superseded(f"{change.target} is another one now: somebody else has replaced it")
    if node.cordoned == change.after:
        return Progress.done(f"{change.target} is {'cordoned' if node.cordoned else 'open to new pods'}")
    return not_ours(change, node.cordoned, receipt)
