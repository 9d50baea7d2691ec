"""Deletion: grace periods of pods, finalizers, preconditions and the propagation to dependents."""

from datetime import timedelta

from tests.emulators.kubernetes.clock import stamp
from tests.emulators.kubernetes.errors import conflict, wrong_uid
from tests.emulators.kubernetes.registry import SYSTEM, Registry, WriteOptions
from tests.emulators.kubernetes.resources import NAMESPACES, PODS, Resource
from tests.emulators.kubernetes.trees import Tree, dig

FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"


def delete(
    registry: Registry, resource: Resource, item: Tree, wish: Tree | None = None, options: WriteOptions = SYSTEM
) -> tuple[Tree, bool]:
    """Delete an object by DeleteOptions; return what is left of it and whether it is gone."""
    wish = wish or {}
    _check_preconditions(resource, item, wish.get("preconditions") or {})
    live = registry.store.get(resource, item["metadata"].get("namespace", ""), item["metadata"]["name"])
    if live is None or live["metadata"]["uid"] != item["metadata"]["uid"]:
        return item, True
    item = live
    if options.dry_run:
        return item, False
    if resource is PODS:
        return _delete_pod(registry, item, wish)
    return _delete_other(registry, resource, item, wish)


def _check_preconditions(resource: Resource, item: Tree, preconditions: Tree) -> None:
    live = item["metadata"]
    if preconditions.get("uid") not in (None, live["uid"]):
        raise wrong_uid(resource, live["name"], preconditions["uid"], live["uid"])
    wanted = preconditions.get("resourceVersion")
    if wanted not in (None, live["resourceVersion"]):
        why = (
            "Precondition failed: ResourceVersion in precondition: "
            f"{wanted}, ResourceVersion in object meta: {live['resourceVersion']}"
        )
        raise conflict(resource, live["name"], why)


def _delete_pod(registry: Registry, pod: Tree, wish: Tree) -> tuple[Tree, bool]:
    grace = wish.get("gracePeriodSeconds")
    if grace is None:
        grace = pod["spec"].get("terminationGracePeriodSeconds", 30)
    if not pod["spec"].get("nodeName") or dig(pod, "status", "phase") in ("Succeeded", "Failed"):
        grace = 0
    already = pod["metadata"].get("deletionGracePeriodSeconds")
    if already is not None and grace >= already and grace > 0:
        return pod, False
    if grace > 0:
        return _mark(registry, PODS, pod, grace), False
    if pod["metadata"].get("finalizers"):
        return _mark(registry, PODS, pod, 0), False
    return registry.store.remove(PODS, pod), True


def _mark(registry: Registry, resource: Resource, item: Tree, grace: int, *finalizers: str) -> Tree:
    """Set the deletion time, which for a pod is the request's time plus its grace."""
    metadata = dict(item["metadata"])
    metadata["deletionTimestamp"] = stamp(registry.clock.now() + timedelta(seconds=grace))
    metadata["deletionGracePeriodSeconds"] = grace
    if "generation" in metadata:
        metadata["generation"] += 1
    if finalizers:
        metadata["finalizers"] = [*metadata.get("finalizers", []), *finalizers]
    return registry.store.put(resource, item | {"metadata": metadata})


def _delete_other(registry: Registry, resource: Resource, item: Tree, wish: Tree) -> tuple[Tree, bool]:
    if item["metadata"].get("deletionTimestamp"):
        return item, False
    if resource is NAMESPACES:
        marked = _mark(registry, resource, item, 0)
        status = item.get("status", {}) | {"phase": "Terminating"}
        return registry.write_status(NAMESPACES, marked, status), False
    policy = wish.get("propagationPolicy") or ("Orphan" if resource.kind == "Job" else "Background")
    if policy == "Foreground":
        return _mark(registry, resource, item, 0, FOREGROUND), False
    if policy == "Orphan":
        return _mark(registry, resource, item, 0, ORPHAN), False
    if item["metadata"].get("finalizers"):
        return _mark(registry, resource, item, 0), False
    return registry.store.remove(resource, item), True
