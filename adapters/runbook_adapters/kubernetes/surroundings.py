"""Surroundings: what is asked besides the pods themselves, each thing once, so that all is judged at one moment."""

from __future__ import annotations

from runbook_adapters.kubernetes.budgets import covering
from runbook_adapters.kubernetes.calls import is_name
from runbook_adapters.kubernetes.objects import count_of, metadata_of, path_to
from runbook_adapters.kubernetes.problems import NotFound, RbacForbidden
from runbook_adapters.kubernetes.transport import Items, Json, Transport
from runbook_engine.model.node import DisruptionBudget, Owner


class Surroundings:
    """The namespaces, budgets and owners of some pods, looked up when they decide something. Raises Unreadable."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._budgets: dict[str, Items] = {}
        self._objects: dict[str, Json | None] = {}

    def budgets_of(self, pod: Json) -> tuple[DisruptionBudget, ...]:
        """Return the disruption budgets that cover a pod."""
        namespace = namespace_of(pod)
        if namespace not in self._budgets:
            self._budgets[namespace] = self._transport.list(path_to("budget", namespace))[0]
        return covering(self._budgets[namespace], pod)

    def home_of(self, pod: Json) -> Json | None:
        """Return the namespace of a pod."""
        return self._object(path_to("namespace", "", namespace_of(pod)))

    def has_daemon_set(self, namespace: str, owner: Owner) -> bool:
        """Whether a DaemonSet of the owner's name exists. Whoever makes a pod may write any name into it."""
        return is_name(owner.name) and self._object(path_to("daemonset", namespace, owner.name)) is not None

    def replicas_meant(self, namespace: str, owner: Owner) -> int:
        """Return how many pods an owner is meant to have, 0 when that cannot be told."""
        if owner.kind not in ("ReplicaSet", "StatefulSet") or not is_name(owner.name):
            return 0
        try:
            owning = self._object(path_to(owner.kind.lower(), namespace, owner.name))
        except RbacForbidden:
            return 0
        return count_of((owning or {}).get("spec") or {}, "replicas")

    def _object(self, path: str) -> Json | None:
        if path not in self._objects:
            self._objects[path] = self._found(path)
        return self._objects[path]

    def _found(self, path: str) -> Json | None:
        try:
            return self._transport.get(path)
        except NotFound as problem:
            if not problem.served:
                raise
            return None


def namespace_of(pod: Json) -> str:
    """Return the name of the namespace that a pod is in."""
    return str(metadata_of(pod).get("namespace") or "")
