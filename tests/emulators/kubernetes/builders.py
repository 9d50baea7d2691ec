"""Builders: manifests from few arguments, for the objects that tests need all the time."""

from typing import Any

from tests.emulators.kubernetes.trees import Tree

IMAGE = "registry.example/app:v1"


def metadata(name: str, namespace: str = "", **more: Any) -> Tree:
    """Return metadata without its empty members."""
    members = {"name": name, "namespace": namespace} | more
    return {key: value for key, value in members.items() if value}


def pod_spec(image: str = IMAGE, **more: Any) -> Tree:
    """Return a pod spec with one container called app; `env` may be a plain mapping."""
    container: Tree = {"name": "app", "image": image}
    env = more.pop("env", None)
    if env:
        container["env"] = (
            [{"name": key, "value": value} for key, value in env.items()] if isinstance(env, dict) else env
        )
    if requests := more.pop("requests", None):
        container["resources"] = {"requests": requests}
    grace = more.pop("grace", None)
    containers = [container, *more.pop("sidecars", [])]
    return {"containers": containers} | ({"terminationGracePeriodSeconds": grace} if grace is not None else {}) | more


def workload(kind: str, name: str, namespace: str, spec: Tree, image: str, labels: Tree | None, **pod: Any) -> Tree:
    """Return a workload whose selector is app=<name>."""
    own = {"app": name}
    annotations = pod.pop("annotations", None)
    template = {"metadata": {"labels": own | (labels or {})}, "spec": pod_spec(image, **pod)}
    return {
        "apiVersion": "batch/v1" if kind == "Job" else "apps/v1",
        "kind": kind,
        "metadata": metadata(name, namespace, labels=own | (labels or {}), annotations=annotations),
        "spec": spec | ({} if kind == "Job" else {"selector": {"matchLabels": own}}) | {"template": template},
    }


def node(name: str, labels: Tree | None = None, cpu: str = "8", memory: str = "32Gi", pods: int = 250) -> Tree:
    """Return a node with room."""
    room = {"cpu": cpu, "memory": memory, "pods": str(pods)}
    zone = {"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": "zone-a"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": metadata(name, labels=zone | (labels or {})),
        "spec": {"providerID": f"aws:///zone-a/i-{name}"},
        "status": {"capacity": room, "allocatable": room, "nodeInfo": {"kubeletVersion": "v1.32.0"}},
    }
