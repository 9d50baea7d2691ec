"""The roster: which pods are on a node, of a workload, or of that name, with all that has to be asked besides."""

from __future__ import annotations

import msgspec

from runbook_adapters.kubernetes.calls import is_name
from runbook_adapters.kubernetes.objects import (
    ignored_because,
    owned_by,
    path_to,
    pod_path,
    selector_of,
    uid_of,
    workload_path,
)
from runbook_adapters.kubernetes.pods import NOWHERE, Ourselves, needs_its_daemon_set, pod_of
from runbook_adapters.kubernetes.problems import NotFound
from runbook_adapters.kubernetes.surroundings import Surroundings
from runbook_adapters.kubernetes.transport import Items, Json, Transport
from runbook_engine.errors import InvalidTarget
from runbook_engine.model.node import Pod
from runbook_engine.model.target import Target


class Roster:
    """Finds pods in one cluster."""

    def __init__(self, transport: Transport, place: str, ourselves: Ourselves = NOWHERE) -> None:
        self._transport = transport
        self._place = place
        self._ourselves = ourselves

    def on_node(self, name: str) -> tuple[Pod, ...]:
        """Return the pods that are bound to a node, whether it exists or not. Raises Unreadable."""
        around = Surroundings(self._transport)
        return tuple(self._told(item, around, leaving=True) for item in self.bound_to(name))

    def bound_to(self, name: str) -> Items:
        """Return the pods of a node as the API sent them."""
        if not is_name(name):
            raise InvalidTarget(
                f"{name!r} is no name that a node can have (lower-case letters, digits, dashes and dots)"
            )
        return self._transport.list(path_to("pod"), {"fieldSelector": f"spec.nodeName={name}"})[0]

    def of_workload(self, target: Target) -> tuple[Pod, ...]:
        """Return the pods that a workload controls. Raises InvalidTarget, Unreadable."""
        workload = self.workload(target)
        query = {"labelSelector": selector_of(workload.get("spec") or {})}
        owners = [workload]
        if target.kind == "deployment":
            owners = owned_by(self._transport.list(path_to("replicaset", target.namespace), query)[0], uid_of(workload))
        pods, _ = self._transport.list(path_to("pod", target.namespace), query)
        around = Surroundings(self._transport)
        return tuple(self._told(pod, around) for owner in owners for pod in owned_by(pods, uid_of(owner)))

    def workload(self, target: Target) -> Json:
        """Return a workload as the API sent it. Raises InvalidTarget, Unreadable."""
        return found(self._transport, workload_path(target), target, self._place)

    def named(self, target: Target) -> Pod:
        """Return one pod. Raises InvalidTarget, Unreadable."""
        return self._told(self.raw(target), Surroundings(self._transport))

    def raw(self, target: Target) -> Json:
        """Return one pod as the API sent it. Raises InvalidTarget when there is none, or another by now; Unreadable."""
        pod = found(self._transport, pod_path(target), target, self._place)
        if target.uid and target.uid != uid_of(pod):
            raise InvalidTarget(f"{target} in cluster {self._place} has been replaced by another of the same name")
        return pod

    def _told(self, item: Json, around: Surroundings, *, leaving: bool = False) -> Pod:
        """Return a pod with what surrounds it; of those that stay when others are leaving, that decides nothing."""
        pod = pod_of(item, self._place, self._ourselves)
        if pod.owner is not None and needs_its_daemon_set(pod):
            exists = around.has_daemon_set(pod.target.namespace, pod.owner)
            pod = msgspec.structs.replace(pod, owner_exists=exists)
        if leaving and _stays(pod):
            return pod
        ignored = pod.ignored or ignored_because(item, around.home_of(item))
        pod = msgspec.structs.replace(pod, ignored=ignored, budgets=around.budgets_of(item))
        return _with_expected(pod, around)


def _stays(pod: Pod) -> bool:
    of_daemon_set = pod.owner is not None and pod.owner.kind == "DaemonSet" and pod.owner_exists
    return pod.mirror or pod.deleted_at is not None or (of_daemon_set and not pod.terminal)


def _with_expected(pod: Pod, around: Surroundings) -> Pod:
    """Return the pod with a budget that does not look impossible only because a replacement is not there yet.

    A budget with a number as its minimum counts the pods that exist; a StatefulSet's next pod exists only after the
    one before has gone.
    """
    short = [budget for budget in pod.budgets if budget.impossible and not budget.problem]
    if len(pod.budgets) != 1 or not short or pod.owner is None:
        return pod
    expected = max(short[0].expected, around.replicas_meant(pod.target.namespace, pod.owner))
    return msgspec.structs.replace(pod, budgets=(msgspec.structs.replace(short[0], expected=expected),))


def found(transport: Transport, path: str, target: Target, place: str) -> Json:
    """Return an object. Raises InvalidTarget when it does not exist, Unreadable."""
    try:
        return transport.get(path)
    except NotFound as problem:
        if not problem.served:
            raise
        raise InvalidTarget(f"{target} does not exist in cluster {place}") from problem
