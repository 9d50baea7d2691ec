"""Blast radius: the guardrail that counts victims, and forbids when it cannot count.

A change of a node is judged even when a runbook sets no limit: no control-plane node leaves service, and no node is
touched while most of its zone is not ready, because that is an outage or a cut network, and the nodes are not at fault.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from runbook_engine.errors import Permanent, RunbookError
from runbook_engine.guardrails.case import Case
from runbook_engine.model.guardrail import BlastRadius, Verdict
from runbook_engine.model.node import Node
from runbook_engine.model.plan import Change

OUTAGE = 0.55  # the share of a zone's nodes above which Kubernetes itself stops evicting
LEAST_LOST = 2  # one bad node is one bad node, in a zone that has no other too
CONTROL_PLANE = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
MOST_NAMED = 5

Limit = Mapping[str, float]


def blast_radius(case: Case) -> Verdict:
    """Victims are counted before every change, the target among them."""
    rules = case.runbook.guardrails.blast_radius
    if rules is None and case.change.target.kind != "node":
        return Verdict(guardrail="blastRadius", ok=True, says="no limit set")
    try:
        found = tuple(_judge(case, rules or BlastRadius()))
    except RunbookError as error:
        return case.unread("blastRadius", "how many are out of service", error)
    refused = [says for ok, says in found if not ok]
    said = refused or [says for _, says in found]
    return Verdict(guardrail="blastRadius", ok=not refused, says="; ".join(said) or "no victims")


def _judge(case: Case, rules: BlastRadius) -> Iterator[tuple[bool, str]]:
    if case.change.target.kind == "node":
        yield from _judge_node(case, rules)
    if "podsEvicted" in rules.limits:
        yield _judge_pods(case.change, rules.limits["podsEvicted"])


def _judge_node(case: Case, rules: BlastRadius) -> Iterator[tuple[bool, str]]:
    nodes = case.world.nodes.nodes(case.change.target.place)
    node = next((node for node in nodes if node.target.name == case.change.target.name), None)
    if node is None:  # the list is whole, so this is no doubt: it went away in the middle, as an autoscaler's nodes do
        yield True, f"{case.change.target} is gone, so nothing of it can be taken away"
        return
    kept = [label for label in rules.protect.get("nodeLabels", ()) if label in node.labels]
    if kept:
        yield False, f"{node.target} is protected by its label {kept[0]}"
    zone = [other for other in nodes if not node.zone or other.zone == node.zone]
    lost = [other for other in zone if not other.ready]
    if len(lost) >= LEAST_LOST and len(lost) > OUTAGE * len(zone):
        where = f"zone {node.zone}" if node.zone else node.target.place
        yield False, f"{len(lost)} of {len(zone)} nodes of {where} are not ready: that is an outage, not one bad node"
    if not _leaves_service(case.change):
        return
    if any(label in node.labels for label in CONTROL_PLANE):
        yield False, f"{node.target} is of the control plane, which is never taken out of service"
    if "nodesUnavailable" in rules.limits:
        yield _judge_unavailable(node, nodes, rules.limits["nodesUnavailable"])


def _leaves_service(change: Change) -> bool:
    """Whether a change of a node takes it out of service; only what surely returns it to service does not."""
    return not (change.field == "cordoned" and change.after is False)


def _judge_unavailable(node: Node, nodes: tuple[Node, ...], limit: Limit) -> tuple[bool, str]:
    """Judge the nodes out of service, in the node's own pool when it has one: pools replace their nodes apart."""
    peers = [other for other in nodes if not node.pool or other.pool == node.pool]
    out = {other.target.name for other in peers if not other.ready or other.cordoned or other.deleting}
    out.add(node.target.name)
    most = int(max(limit.get("max", 0), limit.get("maxPercent", 0) * len(peers) / 100))
    of = f"{len(peers)} nodes{f' of pool {node.pool}' if node.pool else ''}"
    named = ", ".join(sorted(out)[:MOST_NAMED]) + (", ..." if len(out) > MOST_NAMED else "")
    return len(out) <= most, f"{len(out)} of {of} would be out of service ({named}), at most {most}"


def _judge_pods(change: Change, limit: Limit) -> tuple[bool, str]:
    victims = _pods_leaving(change)
    most = limit.get("max", 0)
    if victims > most and "maxPercent" in limit:
        return False, f"pods to be evicted: {victims}, and nobody can tell of how many (raise podsEvicted.max)"
    return victims <= most, f"pods to be evicted: {victims}, at most {most:g}"


def _pods_leaving(change: Change) -> int:
    if change.field == "pod":
        return 1
    if change.field != "evictablePods":
        return 0
    if not isinstance(change.before, int):
        raise Permanent(f"{change.field} of {change.target} is {change.before}, no count")
    return change.before
