"""Objects: what is asked of any Kubernetes object, as the raw JSON that the API server sent.

Everything here is a question about dictionaries, so that readers and writers speak of meanings and not of keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from runbook_adapters.kubernetes.calls import path_of
from runbook_adapters.kubernetes.transport import Items, Json
from runbook_adapters.kubernetes.wording import SHORT, one_line
from runbook_engine.errors import InvalidTarget
from runbook_engine.model.node import Owner
from runbook_engine.model.target import Target

IGNORE = "runbook-engine/ignore"
SERVICE_LABEL = "app.kubernetes.io/name"


class Kind(msgspec.Struct, frozen=True):
    """Where the API keeps the objects that a target of some kind names."""

    group_version: str
    resource: str
    kind: str  # as the API spells it
    namespaced: bool = True


KINDS: Mapping[str, Kind] = {
    "deployment": Kind("apis/apps/v1", "deployments", "Deployment"),
    "statefulset": Kind("apis/apps/v1", "statefulsets", "StatefulSet"),
    "daemonset": Kind("apis/apps/v1", "daemonsets", "DaemonSet"),
    "replicaset": Kind("apis/apps/v1", "replicasets", "ReplicaSet"),
    "controllerrevision": Kind("apis/apps/v1", "controllerrevisions", "ControllerRevision"),
    "pod": Kind("api/v1", "pods", "Pod"),
    "configmap": Kind("api/v1", "configmaps", "ConfigMap"),
    "event": Kind("api/v1", "events", "Event"),
    "resourcequota": Kind("api/v1", "resourcequotas", "ResourceQuota"),
    "namespace": Kind("api/v1", "namespaces", "Namespace", namespaced=False),
    "node": Kind("api/v1", "nodes", "Node", namespaced=False),
    "job": Kind("apis/batch/v1", "jobs", "Job"),
    "budget": Kind("apis/policy/v1", "poddisruptionbudgets", "PodDisruptionBudget"),
    "autoscaler": Kind("apis/autoscaling/v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler"),
    "scaledobject": Kind("apis/keda.sh/v1alpha1", "scaledobjects", "ScaledObject"),
}
WORKLOADS = ("deployment", "statefulset", "daemonset")


def path_to(kind: str, namespace: str = "", name: str = "", subresource: str = "") -> str:
    """Return the path of an object, or without a name of all of its kind. Raises InvalidTarget."""
    found = KINDS.get(kind)
    if found is None:
        raise InvalidTarget(f"a {kind} is nothing that Kubernetes has (known: {', '.join(KINDS)})")
    return path_of(found.group_version, namespace if found.namespaced else "", found.resource, name, subresource)


def workload_path(target: Target, subresource: str = "") -> str:
    """Return the path of a target that must be a workload with a name. Raises InvalidTarget."""
    if target.kind not in WORKLOADS or not target.namespace or not target.name:
        raise InvalidTarget(
            f"{target} is no workload of a cluster (name a namespace and a deployment, statefulset or daemonset)"
        )
    return path_to(target.kind, target.namespace, target.name, subresource)


def pod_path(target: Target, subresource: str = "") -> str:
    """Return the path of a target that must be a pod with a name. Raises InvalidTarget."""
    if target.kind != "pod" or not target.namespace or not target.name:
        raise InvalidTarget(f"{target} is no pod of a cluster (name a namespace and a pod)")
    return path_to("pod", target.namespace, target.name, subresource)


def metadata_of(obj: Json) -> Json:
    """Return an object's metadata, empty when it has none."""
    found = obj.get("metadata")
    return found if isinstance(found, dict) else {}


def uid_of(obj: Json) -> str:
    """Return an object's uid."""
    return str(metadata_of(obj).get("uid") or "")


def name_of(obj: Json) -> str:
    """Return an object's name."""
    return str(metadata_of(obj).get("name") or "")


def labels_of(obj: Json) -> Mapping[str, str]:
    """Return an object's labels, empty when it has none."""
    return metadata_of(obj).get("labels") or {}


def annotations_of(obj: Json) -> Mapping[str, str]:
    """Return an object's annotations, empty when it has none."""
    return metadata_of(obj).get("annotations") or {}


def count_of(fields: Json, name: str) -> int:
    """Return a number of a spec or a status; the server leaves zeros out."""
    found = fields.get(name)
    return found if isinstance(found, int) else 0


def is_deleting(obj: Json) -> bool:
    """Whether somebody has asked for the object to be deleted."""
    return bool(metadata_of(obj).get("deletionTimestamp"))


def condition_of(obj: Json, kind: str) -> Json:
    """Return a condition of an object's status, empty when it is not there."""
    conditions = (obj.get("status") or {}).get("conditions") or []
    return next((found for found in conditions if found.get("type") == kind), {})


def selector_of(spec: Json) -> str:
    """Return `spec.selector` as the query of a list; empty when it selects everything."""
    selector = spec.get("selector") or {}
    terms = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for clause in selector.get("matchExpressions") or []:
        key, values = clause.get("key", ""), ",".join(clause.get("values") or [])
        match clause.get("operator"):
            case "In":
                terms.append(f"{key} in ({values})")
            case "NotIn":
                terms.append(f"{key} notin ({values})")
            case "Exists":
                terms.append(key)
            case _:
                terms.append(f"!{key}")
    return ",".join(terms)


def matches(selector: Json | None, labels: Mapping[str, str]) -> bool:
    """Whether a selector takes these labels: an empty one takes all, an absent one takes none."""
    if selector is None:
        return False
    plain = selector.get("matchLabels") or {}
    if any(labels.get(key) != value for key, value in plain.items()):
        return False
    return all(_clause_holds(clause, labels) for clause in selector.get("matchExpressions") or [])


def controller_of(obj: Json) -> Owner | None:
    """Return what controls an object, None when nothing does."""
    for owner in metadata_of(obj).get("ownerReferences") or []:
        if owner.get("controller") is True:
            kind, name, uid = (str(owner.get(key) or "") for key in ("kind", "name", "uid"))
            return Owner(kind=kind, name=name, uid=uid)
    return None


def owned_by(items: Iterable[Json], uid: str) -> Items:
    """Return those that this very object controls: the selectors of two owners may overlap."""
    return [item for item in items if (owner := controller_of(item)) is not None and owner.uid == uid]


def parse_time(text: object) -> datetime | None:
    """Return a time of the API as an aware datetime, None when there is none."""
    if not isinstance(text, str) or not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def ignored_because(obj: Json, namespace: Json | None = None) -> str:
    """Return why people have put an object out of bounds, to be read after its name; empty when they have not."""
    if IGNORE in annotations_of(obj):
        return f"is marked {IGNORE}{_reason(obj)}"
    if namespace is not None and IGNORE in annotations_of(namespace):
        return f"is in namespace {name_of(namespace)}, which is marked {IGNORE}{_reason(namespace)}"
    return ""


class Manager(msgspec.Struct, frozen=True):
    """Somebody who holds a field of an object, and when they wrote last."""

    name: str
    operation: str  # Apply, Update
    subresource: str
    at: datetime | None


def managers_of(obj: Json, path: Sequence[str] = ()) -> tuple[Manager, ...]:
    """Return who holds a field or a part of it, newest first: `("spec", "replicas")`; the empty path is all of it."""
    found = []
    for entry in metadata_of(obj).get("managedFields") or []:
        fields = entry.get("fieldsV1") or {}
        for part in path:
            fields = fields.get(f"f:{part}") if isinstance(fields, dict) else None
        if fields is not None:
            at = parse_time(entry.get("time"))
            found.append(
                Manager(entry.get("manager") or "", entry.get("operation") or "", entry.get("subresource") or "", at)
            )
    return tuple(sorted(found, key=lambda manager: manager.at.timestamp() if manager.at else 0.0, reverse=True))


def service_of(obj: Json) -> str:
    """Return the service that an object belongs to."""
    return labels_of(obj).get(SERVICE_LABEL, "")


def _reason(obj: Json) -> str:
    reason = one_line(annotations_of(obj)[IGNORE], SHORT)
    return f": {reason}" if reason else ""


def _clause_holds(clause: Json, labels: Mapping[str, str]) -> bool:
    key, values = clause.get("key", ""), clause.get("values") or []
    match clause.get("operator"):
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case _:
            return False
