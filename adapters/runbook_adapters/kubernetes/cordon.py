"""Cordon and uncordon: one field of a node, set and removed only while the node is the one that was judged.

The taint that keeps pods off is the control plane's own work; nothing here writes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from runbook_adapters.kubernetes.looking import before_touching
from runbook_adapters.kubernetes.node_facts import cordoner_of, is_cordoned
from runbook_adapters.kubernetes.objects import managers_of, path_to, uid_of
from runbook_adapters.kubernetes.problems import LostAnswer, NotFound, PatchTestFailed
from runbook_adapters.kubernetes.transport import FIELD_MANAGER, Items, Json, Transport
from runbook_adapters.kubernetes.writes import compare_and_set
from runbook_engine.errors import Conflict, Permanent, Unreadable
from runbook_engine.model.plan import Value
from runbook_engine.model.target import Target

FIELD = "/spec/unschedulable"


def cordon_node(transport: Transport, target: Target) -> Mapping[str, Value]:
    """Keep new pods off a node. Raises Conflict, Retryable, Permanent, EffectUnknown."""
    return compare_and_set(lambda: _cordon(transport, target))


def uncordon_node(transport: Transport, target: Target) -> Mapping[str, Value]:
    """Let pods onto a node again, if the cordon is still ours. Raises Conflict, Retryable, Permanent, EffectUnknown."""
    return compare_and_set(lambda: _uncordon(transport, target))


def _cordon(transport: Transport, target: Target) -> Mapping[str, Value]:
    node = existing_node(transport, target)
    if is_cordoned(node):
        return _receipt(node, changed=False)
    now, sent = _patched(transport, target, node, [{"op": "add", "path": FIELD, "value": True}], is_cordoned)
    return _receipt(now, changed=sent and FIELD_MANAGER in _cordoners(now))  # else somebody was faster


def _uncordon(transport: Transport, target: Target) -> Mapping[str, Value]:
    node = existing_node(transport, target)
    if not is_cordoned(node):
        return _receipt(node, changed=False)
    _check_ours(target, node)
    removal: Items = [{"op": "test", "path": FIELD, "value": True}, {"op": "remove", "path": FIELD}]
    now, sent = _patched(transport, target, node, removal, lambda found: not is_cordoned(found))
    return _receipt(now, changed=sent)


def existing_node(transport: Transport, target: Target) -> Json:
    """Return a node that is there. Raises Conflict when it is gone, Permanent when it never was, as `node_or_none`."""
    node = node_or_none(transport, target)
    if node is None and target.uid:
        raise Conflict(f"{target} is gone: somebody else has removed it")
    if node is None:
        raise Permanent(f"{target} does not exist in cluster {target.place}")
    return node


def node_or_none(transport: Transport, target: Target) -> Json | None:
    """Return a node, None when it is gone. Raises Conflict when another has its name by now, Retryable, Permanent."""
    if target.kind != "node" or not target.name:
        raise Permanent(f"{target} is no node of a cluster (name a node)")
    with before_touching():
        try:
            node = transport.get(path_to("node", "", target.name))
        except NotFound as problem:
            if not problem.served:
                raise
            return None
    if target.uid and uid_of(node) != target.uid:
        raise Conflict(f"{target} has been replaced by another of the same name; it was not touched")
    return node


def _patched(
    transport: Transport, target: Target, node: Json, operations: Items, done: Callable[[Json], bool]
) -> tuple[Json, bool]:
    """Send the change, and return the node after it and whether our request may have made it.

    When its answer is lost, or a test of it did not hold, the node itself tells what has become of it.
    """
    test = {"op": "test", "path": "/metadata/uid", "value": uid_of(node)}
    path = path_to("node", "", target.name)
    try:
        return transport.patch(path, [test, *operations], kind="json"), True
    except (LostAnswer, PatchTestFailed) as problem:
        try:
            now = transport.get(path)
        except Unreadable:
            raise problem from None
        if uid_of(now) != uid_of(node) or not done(now):
            raise
        return now, isinstance(problem, LostAnswer)


def _receipt(node: Json, *, changed: bool) -> Mapping[str, Value]:
    return {"uid": uid_of(node)} if changed else {"uid": uid_of(node), "unchanged": True}


def _cordoners(node: Json) -> set[str]:
    """Return who wants the node cordoned."""
    return {manager.name for manager in managers_of(node, ("spec", "unschedulable"))}


def _check_ours(target: Target, node: Json) -> None:
    """Refuse to lift a cordon that somebody else has set, or also wants."""
    names = _cordoners(node)
    if names == {FIELD_MANAGER}:
        return
    last = cordoner_of(node)
    others = ", ".join(sorted(names - {FIELD_MANAGER})) or "somebody who left no name"
    since = f" at {last.at:%H:%M:%S}" if last is not None and last.at is not None else ""
    raise Conflict(f"{target} was cordoned by {others}{since}, not by this engine; it stays cordoned")
