"""The garbage collector, the namespace controller and the quota controller: what remains after others are done."""

from tests.emulators.kubernetes.context import Context
from tests.emulators.kubernetes.deletion import FOREGROUND, ORPHAN, delete
from tests.emulators.kubernetes.quota import show, used
from tests.emulators.kubernetes.resources import NAMESPACES, PODS, QUOTAS, RESOURCES, Resource
from tests.emulators.kubernetes.trees import Tree


def sync(context: Context) -> None:
    """Collect dependents of deleted owners, empty dying namespaces, count quotas."""
    _collect(context)
    for namespace in context.items(NAMESPACES):
        if "deletionTimestamp" in namespace["metadata"]:
            _empty(context, namespace)
    for quota in context.items(QUOTAS):
        counts = {name: show(value, name) for name, value in used(context.store, quota).items()}
        context.registry.write_status(QUOTAS, quota, {"hard": quota["spec"]["hard"], "used": counts})


def _objects(context: Context) -> list[tuple[Resource, Tree]]:
    return [(resource, item) for resource in RESOURCES for item in context.store.items(resource)]


def _collect(context: Context) -> None:
    every = _objects(context)
    known = {item["metadata"]["uid"]: item for _, item in every}
    dependents: dict[str, list[tuple[Resource, Tree]]] = {}
    for resource, item in every:
        references = item["metadata"].get("ownerReferences") or []
        for reference in references:
            dependents.setdefault(reference["uid"], []).append((resource, item))
        owners = [reference for reference in references if reference["kind"] != "Node" or resource is not PODS]
        gone = owners and not any(reference["uid"] in known for reference in owners)
        if gone and "deletionTimestamp" not in item["metadata"]:
            delete(context.registry, resource, item)
    for resource, item in every:
        finalizers = item["metadata"].get("finalizers") or []
        if ORPHAN in finalizers:
            _orphan(context, resource, item, dependents.get(item["metadata"]["uid"], []))
        elif FOREGROUND in finalizers:
            _foreground(context, resource, item, dependents.get(item["metadata"]["uid"], []))


def _orphan(context: Context, resource: Resource, item: Tree, children: list[tuple[Resource, Tree]]) -> None:
    uid = item["metadata"]["uid"]
    for kind, child in children:
        kept = [each for each in child["metadata"]["ownerReferences"] if each["uid"] != uid]
        metadata = child["metadata"] | {"ownerReferences": kept}
        context.registry.update(kind, child, child | {"metadata": metadata})
    _release(context, resource, item, ORPHAN)


def _foreground(context: Context, resource: Resource, item: Tree, children: list[tuple[Resource, Tree]]) -> None:
    for kind, child in children:
        if "deletionTimestamp" not in child["metadata"] and context.live(kind, child):
            delete(context.registry, kind, child, {"propagationPolicy": "Foreground"})
    if not children:
        _release(context, resource, item, FOREGROUND)


def _release(context: Context, resource: Resource, item: Tree, finalizer: str) -> None:
    live = context.live(resource, item)
    if live is not None:
        kept = [each for each in live["metadata"].get("finalizers", []) if each != finalizer]
        context.registry.update(resource, live, live | {"metadata": live["metadata"] | {"finalizers": kept}})


def _empty(context: Context, namespace: Tree) -> None:
    name = namespace["metadata"]["name"]
    inside = [(kind, item) for kind, item in _objects(context) if item["metadata"].get("namespace") == name]
    for kind, item in inside:
        if "deletionTimestamp" not in item["metadata"]:
            delete(context.registry, kind, item, {"propagationPolicy": "Background"})
    if not inside:
        context.store.remove(NAMESPACES, namespace)
