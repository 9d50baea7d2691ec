"""The Scale view of a workload. It has no generation, and like the real one it leaves `replicas` out when it is 0."""

from tests.emulators.kubernetes.resources import Resource
from tests.emulators.kubernetes.selectors import selector_text
from tests.emulators.kubernetes.trees import Tree, dig


def to_scale(resource: Resource, item: Tree) -> Tree:
    """Return the Scale of a workload."""
    metadata = item["metadata"]
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    replicas = dig(item, "spec", "replicas", default=0)
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: metadata[key] for key in kept if key in metadata},
        "spec": {"replicas": replicas} if replicas else {},
        "status": {
            "replicas": dig(item, "status", "replicas", default=0),
            "selector": selector_text(dig(item, "spec", "selector")),
        },
    }


def from_scale(item: Tree, scale: Tree) -> Tree:
    """Return the workload with the replicas of a Scale."""
    replicas = dig(scale, "spec", "replicas", default=0)
    return item | {"spec": item["spec"] | {"replicas": replicas}, "metadata": dict(item["metadata"])}
