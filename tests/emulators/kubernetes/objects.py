"""Objects of the cluster as a test reads and writes them, without the transport."""

from typing import Any

from tests.emulators.kubernetes.context import Context
from tests.emulators.kubernetes.deletion import delete
from tests.emulators.kubernetes.patching import merge
from tests.emulators.kubernetes.pods import condition_of, is_ready, is_terminating
from tests.emulators.kubernetes.registry import WriteOptions
from tests.emulators.kubernetes.resources import BY_KIND, BY_PLURAL
from tests.emulators.kubernetes.selectors import parse_labels
from tests.emulators.kubernetes.trees import Tree, clone
from tests.emulators.kubernetes.trees import labels as labels_of

Items = list[Tree]


class Objects:
    """Reading and writing through the registry, under the lock."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.registry = context.registry
        self.store = context.store
        self.runtime = context.runtime

    def create(self, document: Tree, manager: str = "test", status: Tree | None = None) -> Tree:
        """Create an object as a manifest describes it; its status is written too."""
        resource = BY_KIND[document["apiVersion"], document["kind"]]
        namespace = document["metadata"].get("namespace", "default") if resource.namespaced else ""
        options = WriteOptions(manager, validation="Strict", user="test")
        with self.store.lock:
            created = self.registry.create(resource, namespace, clone(document), options)
            wanted = status or document.get("status")
            if wanted and resource.status:
                created = self.registry.write_status(resource, created, created.get("status", {}) | wanted, options)
            return created

    def get(self, plural: str, name: str, namespace: str = "default") -> Tree:
        """Return an object, not to be changed in place."""
        resource = BY_PLURAL[plural]
        with self.store.lock:
            return self.registry.get(resource, namespace if resource.namespaced else "", name)

    def exists(self, plural: str, name: str, namespace: str = "default") -> bool:
        resource = BY_PLURAL[plural]
        with self.store.lock:
            return self.store.get(resource, namespace if resource.namespaced else "", name) is not None

    def list(self, plural: str, namespace: str | None = None, labels: str = "") -> Items:
        accepts = parse_labels(labels)
        with self.store.lock:
            return [each for each in self.store.items(BY_PLURAL[plural], namespace) if accepts(labels_of(each))]

    def patch(self, plural: str, name: str, patch: Tree, namespace: str = "default", manager: str = "test") -> Tree:
        """Apply a merge patch, status included."""
        resource = BY_PLURAL[plural]
        options = WriteOptions(manager, validation="Strict", user="test")
        with self.store.lock:
            current = self.get(plural, name, namespace)
            updated = self.registry.update(resource, current, merge(current, patch), options)
            if "status" in patch:
                updated = self.registry.write_status(
                    resource, updated, merge(current.get("status"), patch["status"]), options
                )
            return updated

    def delete(self, plural: str, name: str, namespace: str = "default", **wish: Any) -> None:
        with self.store.lock:
            delete(self.registry, BY_PLURAL[plural], self.get(plural, name, namespace), wish)

    def pods(self, labels: str = "", namespace: str | None = "default", live: bool = True) -> Items:
        """Return pods, without those being deleted unless asked for."""
        return [pod for pod in self.list("pods", namespace, labels) if not (live and is_terminating(pod))]

    def ready_pods(self, labels: str = "", namespace: str | None = "default") -> Items:
        return [pod for pod in self.pods(labels, namespace) if is_ready(pod)]

    def condition(self, plural: str, name: str, type_: str, namespace: str = "default") -> Tree | None:
        return condition_of(self.get(plural, name, namespace), type_)
