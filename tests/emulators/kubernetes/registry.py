"""The registry: create, update, patch and read objects, with the server's rules about versions and generations."""

import secrets
import uuid
from dataclasses import dataclass, field, replace
from typing import Any

from tests.emulators.kubernetes import managed
from tests.emulators.kubernetes.clock import Clock, stamp
from tests.emulators.kubernetes.decoding import decode
from tests.emulators.kubernetes.defaults import apply_defaults
from tests.emulators.kubernetes.errors import (
    already_exists,
    bad_request,
    forbidden,
    invalid,
    not_found,
    stale,
    unsupported_media,
    wrong_uid,
)
from tests.emulators.kubernetes.patching import json_patch, merge
from tests.emulators.kubernetes.quota import admit_pod
from tests.emulators.kubernetes.resources import NAMESPACES, PODS, Resource
from tests.emulators.kubernetes.scale import from_scale, to_scale
from tests.emulators.kubernetes.store import Store
from tests.emulators.kubernetes.strategic import strategic_merge
from tests.emulators.kubernetes.trees import Tree, clone, without_nulls
from tests.emulators.kubernetes.validation import check

_FIXED = ("uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds", "namespace")
_CONDITIONAL = ("leases", "poddisruptionbudgets", "scaledobjects")  # a PUT must carry the version it replaces
_SUFFIX = "bcdfghjklmnpqrstvwxz2456789"


@dataclass
class WriteOptions:
    """Who writes and how strictly; `warnings` collects what the answer's Warning headers say."""

    manager: str = "kube-controller-manager"
    dry_run: bool = False
    validation: str = "Ignore"
    user: str = "system:kube-controller-manager"
    warnings: list[str] = field(default_factory=list)


SYSTEM = WriteOptions()
KUBELET = WriteOptions(manager="kubelet", user="system:node")


class Registry:
    """All writes pass here, those of controllers too. Callers hold the store's lock."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store = store
        self.clock = clock

    def get(self, resource: Resource, namespace: str, name: str) -> Tree:
        found = self.store.get(resource, namespace, name)
        if found is None:
            raise not_found(resource, name)
        return found

    def create(self, resource: Resource, namespace: str, body: Tree, options: WriteOptions = SYSTEM) -> Tree:
        """Create an object; the caller's status is dropped where the kind has a status of its own."""
        item = self._typed(resource.kind, body, options, patch=None)
        item |= {"apiVersion": resource.api_version, "kind": resource.kind}
        metadata = item.setdefault("metadata", {})
        if resource.namespaced:
            metadata["namespace"] = self._namespace(resource, namespace, metadata)
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = metadata["generateName"] + "".join(secrets.choice(_SUFFIX) for _ in range(5))
        if not metadata.get("name"):
            raise invalid(resource.qualified_kind, "", [_name_required()])
        if self.store.get(resource, metadata.get("namespace", ""), metadata["name"]):
            raise already_exists(resource, metadata["name"])
        metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": stamp(self.clock.now())}
        for name in ("resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds", "generation"):
            metadata.pop(name, None)
        if resource.counted:
            metadata["generation"] = 1
        if resource.status:
            item["status"] = _first_status(resource)
        apply_defaults(item)
        check(resource, item, None)
        if resource is PODS:
            admit_pod(self.store, item)
        kept = metadata.pop("managedFields", None) if options is not SYSTEM else None
        metadata["managedFields"] = kept or self._managed(item, None, options, "")
        return item if options.dry_run else self.store.put(resource, item)

    def update(
        self,
        resource: Resource,
        current: Tree,
        wanted: Tree,
        options: WriteOptions = SYSTEM,
        subresource: str = "",
    ) -> Tree:
        """Replace an object, or the part of it that a subresource stands for."""
        name = current["metadata"]["name"]
        if self.store.get(resource, current["metadata"].get("namespace", ""), name) is not current:
            raise stale(resource, name)
        item = wanted | {"metadata": dict(wanted.get("metadata") or {})}
        self._preconditions(resource, current, item["metadata"])
        if subresource == "status":
            item = current | {"status": wanted.get("status") or {}, "metadata": item["metadata"]}
        elif resource.status:
            item["status"] = current.get("status", {})
        metadata = item["metadata"]
        for fixed in _FIXED:
            metadata.pop(fixed, None)
            if fixed in current["metadata"]:
                metadata[fixed] = current["metadata"][fixed]
        metadata |= {"name": name, "resourceVersion": current["metadata"]["resourceVersion"]}
        metadata["managedFields"] = current["metadata"].get("managedFields", [])
        item |= {"apiVersion": resource.api_version, "kind": resource.kind}
        if subresource != "status":
            item = apply_defaults(clone(item))
            check(resource, item, current)
        if item == current:
            return current
        if resource.counted and subresource != "status" and _spec_changed(resource, item, current):
            item["metadata"]["generation"] = current["metadata"]["generation"] + 1
        item["metadata"]["managedFields"] = self._managed(item, current, options, subresource)
        if options.dry_run:
            return item
        if "deletionTimestamp" in item["metadata"] and not item["metadata"].get("finalizers") and _only_awaits(item):
            return self.store.remove(resource, item)
        return self.store.put(resource, item)

    def put(self, resource: Resource, current: Tree, body: Tree, options: WriteOptions, subresource: str = "") -> Tree:
        """Serve a PUT: the whole object, guarded by its resourceVersion when it carries one."""
        name = current["metadata"]["name"]
        if body.get("metadata", {}).get("name") != name:
            sent = body.get("metadata", {}).get("name", "")
            raise bad_request(f"the name of the object ({sent}) does not match the name on the URL ({name})")
        if resource.plural in _CONDITIONAL and not body["metadata"].get("resourceVersion"):
            message = "Invalid value: 0x0: must be specified for an update"
            cause = {"reason": "FieldValueInvalid", "message": message, "field": "metadata.resourceVersion"}
            raise invalid(resource.qualified_kind, name, [cause])
        kind = "Scale" if subresource == "scale" else resource.kind
        item = self._typed(kind, body, options, patch=None)
        if subresource == "scale":
            self._preconditions(resource, current, item.get("metadata") or {})
            check(resource, item | {"kind": "Scale"}, None)
            item = from_scale(current, item)
        return self.update(resource, current, item, options, subresource)

    def patch(
        self,
        resource: Resource,
        current: Tree,
        media: str,
        body: Any,
        options: WriteOptions,
        subresource: str = "",
    ) -> Tree:
        """Serve a PATCH of one of the three types."""
        view = to_scale(resource, current) if subresource == "scale" else current
        patched = _patched(view, media, body, custom=resource.custom and subresource != "scale")
        kind = "Scale" if subresource == "scale" else resource.kind
        item = self._typed(kind, patched, options, patch=body)
        if subresource == "scale":
            self._preconditions(resource, current, item["metadata"])
            check(resource, item | {"kind": "Scale"}, None)
            item = from_scale(current, item)
        return self.update(resource, current, item, options, subresource)

    def write_status(self, resource: Resource, item: Tree, status: Tree, options: WriteOptions = SYSTEM) -> Tree:
        """Write a status, as controllers do; an equal one is no write."""
        return self.update(resource, item, item | {"status": status}, options, "status")

    def _typed(self, kind: str, body: Tree, options: WriteOptions, patch: Any) -> Tree:
        decoded = decode(body, kind)
        if decoded.mismatch:
            raise self._undecodable(kind, body, decoded.mismatch, patch)
        unknown = [f'unknown field "{path}"' for path in decoded.unknown]
        if unknown and options.validation == "Strict":
            raise self._undecodable(kind, patch or body, f"strict decoding error: {', '.join(unknown)}", patch)
        if unknown and options.validation == "Warn":
            options.warnings += unknown
        return without_nulls(clone(decoded.item))  # type: ignore[no-any-return]

    def _undecodable(self, kind: str, shown: Any, why: str, patch: Any) -> Exception:
        if patch is None:
            version = "v1"
            return bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: {why}')
        cause = {"reason": "FieldValueInvalid", "message": f'Invalid value: "{shown}": {why}', "field": "patch"}
        return invalid("", "", [cause])

    def _namespace(self, resource: Resource, namespace: str, metadata: Tree) -> str:
        if metadata.get("namespace") not in (None, "", namespace):
            raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
        home = self.store.get(NAMESPACES, "", namespace)
        if home is None:
            raise not_found(NAMESPACES, namespace)
        if home["metadata"].get("deletionTimestamp"):
            raise namespace_terminating(resource, metadata.get("name", ""), namespace)
        return namespace

    def _preconditions(self, resource: Resource, current: Tree, metadata: Tree) -> None:
        live = current["metadata"]
        if metadata.get("uid") not in (None, "", live["uid"]):
            raise wrong_uid(resource, live["name"], metadata["uid"], live["uid"])
        if metadata.get("resourceVersion") not in (None, "", live["resourceVersion"]):
            raise stale(resource, live["name"])

    def _managed(self, item: Tree, previous: Tree | None, options: WriteOptions, subresource: str) -> list[Tree]:
        when = stamp(self.clock.now())
        return managed.record(
            item, previous, manager=options.manager, operation="Update", subresource=subresource, when=when
        )


def namespace_terminating(resource: Resource, name: str, namespace: str) -> Exception:
    """403 with the cause that tells a terminating namespace from missing permission."""
    why = f"unable to create new content in namespace {namespace} because it is being terminated"
    message = f"namespace {namespace} is being terminated"
    cause = {"reason": "NamespaceTerminating", "message": message, "field": "metadata.namespace"}
    return forbidden(resource, name, why, [cause])


def as_manager(manager: str) -> WriteOptions:
    """Return options of a component of its own name."""
    return replace(SYSTEM, manager=manager, warnings=[])


def _name_required() -> Tree:
    message = "Required value: name or generateName is required"
    return {"reason": "FieldValueRequired", "message": message, "field": "metadata.name"}


def _first_status(resource: Resource) -> Tree:
    match resource.kind:
        case "Pod":
            return {"phase": "Pending", "qosClass": "BestEffort"}
        case "Namespace":
            return {"phase": "Active"}
        case "StatefulSet":
            return {"replicas": 0, "availableReplicas": 0}
        case "ReplicaSet":
            return {"replicas": 0}
        case "DaemonSet":
            zero = ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady")
            return dict.fromkeys(zero, 0)
        case "PodDisruptionBudget":
            return dict.fromkeys(("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"), 0)
        case "HorizontalPodAutoscaler":
            return {"desiredReplicas": 0, "currentMetrics": None}
        case _:
            return {}


def _spec_changed(resource: Resource, item: Tree, current: Tree) -> bool:
    """Annotations count for Deployments: the real server raises their generation for those too."""
    ignored = {"metadata", "status"}
    if any(item.get(key) != current.get(key) for key in (item.keys() | current.keys()) - ignored):
        return True
    before, after = current["metadata"].get("annotations"), item["metadata"].get("annotations")
    return resource.kind == "Deployment" and bool((before or {}) != (after or {}))


def _only_awaits(item: Tree) -> bool:
    """Whether nothing but its finalizers kept a deleted object."""
    return bool(item["metadata"].get("deletionGracePeriodSeconds", 0) == 0 and item["kind"] != "Namespace")


def _patched(view: Tree, media: str, body: Any, custom: bool) -> Tree:
    match media:
        case "application/json-patch+json":
            return json_patch(view, body)
        case "application/merge-patch+json":
            return merge(view, body)  # type: ignore[no-any-return]
        case "application/strategic-merge-patch+json" if not custom:
            return strategic_merge(view, body)  # type: ignore[no-any-return]
        case _:
            raise unsupported_media()
