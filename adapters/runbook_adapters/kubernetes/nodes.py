"""The node reader: nodes, the pods on them, and the way from a pod to its workload and its node."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

from runbook_adapters.kubernetes.headroom import read_headroom
from runbook_adapters.kubernetes.node_facts import node_of, node_target, without_images
from runbook_adapters.kubernetes.objects import WORKLOADS, controller_of, name_of, path_to, uid_of
from runbook_adapters.kubernetes.pods import NOWHERE, Ourselves
from runbook_adapters.kubernetes.roster import Roster, found
from runbook_adapters.kubernetes.transport import Items, Json, Transport
from runbook_engine.errors import InvalidTarget
from runbook_engine.model.node import Headroom, Node, Owner, Pod
from runbook_engine.model.target import Target

KINDS_OF_OWNERS = {"Deployment": "deployment", "StatefulSet": "statefulset", "DaemonSet": "daemonset"}
MOST_NAMED = 5  # candidates in one sentence

Address = IPv4Address | IPv6Address


class KubernetesNodeReader:
    """Looks at the nodes of one cluster, and at the pods on them."""

    def __init__(self, transport: Transport, place: str, *, ourselves: Ourselves = NOWHERE) -> None:
        self._transport = transport
        self._place = place
        self._ourselves = ourselves
        self._roster = Roster(transport, place, ourselves)

    def node(self, target: Target) -> Node:
        """Return one node. Raises InvalidTarget when it does not exist, Unreadable otherwise."""
        return node_of(self._node(target), self._place, self._ourselves)

    def nodes(self, place: str) -> tuple[Node, ...]:
        """Return every node of the cluster. Raises Unreadable."""
        listed, _ = self._transport.list(path_to("node"), keep=without_images)
        return tuple(node_of(node, self._place, self._ourselves) for node in listed)

    def pods(self, target: Target) -> tuple[Pod, ...]:
        """Return the pods on a node, or those of a workload. Raises InvalidTarget, Unreadable."""
        if target.kind in WORKLOADS:
            return self._roster.of_workload(target)
        self._node(target)
        return self._roster.on_node(target.name)

    def pod(self, target: Target) -> Pod:
        """Return one pod. Raises InvalidTarget when it does not exist, or another does by now; Unreadable otherwise."""
        return self._roster.named(target)

    def headroom(self, target: Target) -> Headroom:
        """Return whether what a node runs would fit onto the others. Raises Unreadable."""
        return read_headroom(self._transport, target.name)

    def workload_of(self, pod: Target) -> Target:
        """Return the workload that a pod belongs to, through its owners. Raises InvalidTarget, Unreadable."""
        owner = controller_of(self._roster.raw(pod))
        if owner is not None and owner.kind == "ReplicaSet":
            owner = controller_of(self._owned_through("replicaset", pod, owner))
        if owner is None:
            raise InvalidTarget(f"{pod} has no controller: it belongs to no workload (name the workload itself)")
        if owner.kind == "Job":
            raise InvalidTarget(
                f"{pod} belongs to Job {owner.name}, which runs to its end and is no workload to change"
            )
        if owner.kind not in KINDS_OF_OWNERS:
            known = ", ".join(KINDS_OF_OWNERS)
            raise InvalidTarget(f"{pod} belongs to {owner.kind} {owner.name}, which is not supported (known: {known})")
        kind = KINDS_OF_OWNERS[owner.kind]
        workload = self._owned_through(kind, pod, owner)
        return Target(kind, self._place, pod.namespace, name_of(workload), uid_of(workload))

    def node_of(self, pod_or_instance: Target) -> Target:
        """Return the node that a pod runs on, or whose address an instance has. Raises InvalidTarget, Unreadable."""
        if pod_or_instance.kind != "pod":
            return self._node_at(pod_or_instance.name)
        name = (self._roster.raw(pod_or_instance).get("spec") or {}).get("nodeName") or ""
        if not name:
            raise InvalidTarget(f"{pod_or_instance} runs on no node yet")
        return node_target(self._node(Target("node", self._place, "", name)), self._place)

    def _node(self, target: Target) -> Json:
        if target.kind != "node" or not target.name:
            raise InvalidTarget(f"{target} is no node of a cluster (name a node)")
        return found(self._transport, path_to("node", "", target.name), target, self._place)

    def _owned_through(self, kind: str, pod: Target, owner: Owner) -> Json:
        target = Target(kind, self._place, pod.namespace, owner.name)
        owning = found(self._transport, path_to(kind, pod.namespace, owner.name), target, self._place)
        if uid_of(owning) != owner.uid:
            raise InvalidTarget(f"{pod} belonged to {target}, which has been replaced by another of the same name")
        return owning

    def _node_at(self, instance: str) -> Target:
        """Return the node that has the address, or that runs the one pod that has it."""
        host = host_of(instance)
        nodes, _ = self._transport.list(path_to("node"), keep=without_images)
        having = [node for node in nodes if _has(node, host)]
        address = _address(host)
        if not having and address is not None:
            running = {pod["spec"].get("nodeName") for pod in self._pods_at(address)}
            having = [node for node in nodes if name_of(node) in running]
        if not having:
            raise InvalidTarget(f"{instance!r} is the address of no node and of no pod in cluster {self._place}")
        if len(having) > 1:
            names = ", ".join(sorted(name_of(node) for node in having)[:MOST_NAMED])
            raise InvalidTarget(f"{instance!r} is the address of several nodes in cluster {self._place}: {names}")
        return node_target(having[0], self._place)

    def _pods_at(self, address: Address) -> Items:
        pods, _ = self._transport.list(path_to("pod"), {"fieldSelector": f"status.podIP={address}"})
        return [pod for pod in pods if (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")]


def host_of(instance: str) -> str:
    """Return `10.0.1.7` of `10.0.1.7:9100` and `::1` of `[::1]:9100`."""
    text = instance.strip()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.rpartition(":")[0] if text.count(":") == 1 else text


def _has(node: Json, host: str) -> bool:
    listed = (node.get("status") or {}).get("addresses") or []
    wanted = _address(host) or host.lower()
    known = [name_of(node), *(str(each.get("address") or "") for each in listed)]
    return bool(host) and any((_address(each) or each.lower()) == wanted for each in known)


def _address(text: str) -> Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None
