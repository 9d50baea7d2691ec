"""Validation: the refusals with causes that a remediation can meet."""

from tests.emulators.kubernetes.errors import invalid
from tests.emulators.kubernetes.resources import Resource
from tests.emulators.kubernetes.selectors import selects
from tests.emulators.kubernetes.trees import Tree, dig

STATEFULSET_MUTABLE = (
    "'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', "
    "'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds'"
)
_STATEFULSET_FIELDS = {
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
}
_IMMUTABLE = "field is immutable"
_IMMUTABLE_WHEN_SET = "field is immutable when `immutable` is set"


def cause(field: str, message: str, reason: str = "FieldValueInvalid") -> Tree:
    """Return one cause of a 422."""
    return {"reason": reason, "message": message, "field": field}


def required(field: str, detail: str = "") -> Tree:
    """Return the cause for a missing value."""
    return cause(field, f"Required value: {detail}" if detail else "Required value", "FieldValueRequired")


def _bad(field: str, value: object, why: str) -> Tree:
    shown = f'"{value}"' if isinstance(value, str) else value
    return cause(field, f"Invalid value: {shown}: {why}")


def check(resource: Resource, item: Tree, previous: Tree | None) -> None:
    """Refuse an object that the real server would refuse."""
    causes = [*_spec_causes(item), *(_update_causes(item, previous) if previous else [])]
    if causes:
        raise invalid(resource.qualified_kind, item["metadata"].get("name", ""), causes)


def _spec_causes(item: Tree) -> list[Tree]:
    spec = item.get("spec") or {}
    match item["kind"]:
        case "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet":
            return _workload(spec)
        case "Job":
            return _pod_spec(dig(spec, "template", "spec", default={}), "spec.template.spec")
        case "Pod":
            return _pod_spec(spec, "spec")
        case "HorizontalPodAutoscaler":
            return _autoscaler(spec)
        case "PodDisruptionBudget":
            both = spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None
            return [_bad("spec", "...", "minAvailable and maxUnavailable cannot be both set")] if both else []
        case "Scale":
            return _not_negative(spec, "replicas")
        case _:
            return []


def _not_negative(spec: Tree, name: str) -> list[Tree]:
    if spec.get(name, 0) >= 0:
        return []
    return [_bad(f"spec.{name}", spec[name], "must be greater than or equal to 0")]


def _workload(spec: Tree) -> list[Tree]:
    causes = _not_negative(spec, "replicas")
    labels = dig(spec, "template", "metadata", "labels", default={})
    if not spec.get("selector"):
        causes.append(required("spec.selector"))
    elif not selects(spec["selector"], labels):
        causes.append(_bad("spec.template.metadata.labels", labels, "`selector` does not match template `labels`"))
    rolling = dig(spec, "strategy", "rollingUpdate", default={})
    if rolling and rolling.get("maxSurge") in (0, "0%") and rolling.get("maxUnavailable") in (0, "0%"):
        field = "spec.strategy.rollingUpdate.maxUnavailable"
        causes.append(_bad(field, 0, "may not be 0 when `maxSurge` is 0"))
    return causes + _pod_spec(dig(spec, "template", "spec", default={}), "spec.template.spec")


def _pod_spec(spec: Tree, path: str) -> list[Tree]:
    causes = [] if spec.get("containers") else [required(f"{path}.containers")]
    for index, container in enumerate(spec.get("containers") or []):
        causes += _container(container, f"{path}.containers[{index}]")
    return causes


def _container(container: Tree, path: str) -> list[Tree]:
    causes = [required(f"{path}.{name}") for name in ("name", "image") if not container.get(name)]
    for index, each in enumerate(container.get("env") or []):
        if not each.get("name"):
            causes.append(required(f"{path}.env[{index}].name"))
        if each.get("value") and each.get("valueFrom"):
            why = "may not be specified when `value` is not empty"
            causes.append(_bad(f"{path}.env[{index}].valueFrom", "", why))
    return causes


def _autoscaler(spec: Tree) -> list[Tree]:
    low, high = spec.get("minReplicas", 1), spec.get("maxReplicas", 0)
    causes = []
    if low < 1:
        causes.append(_bad("spec.minReplicas", low, "must be greater than or equal to 1"))
    if high < 1:
        causes.append(_bad("spec.maxReplicas", high, "must be greater than 0"))
    if high < low:
        causes.append(_bad("spec.maxReplicas", high, "must be greater than or equal to `minReplicas`"))
    return causes


def _update_causes(item: Tree, previous: Tree) -> list[Tree]:
    new, old = item.get("spec") or {}, previous.get("spec") or {}
    match item["kind"]:
        case "ConfigMap" if previous.get("immutable"):
            return _frozen(item, previous)
        case "StatefulSet":
            if any(new.get(name) != old.get(name) for name in (new.keys() | old.keys()) - _STATEFULSET_FIELDS):
                why = (
                    f"Forbidden: updates to statefulset spec for fields other than {STATEFULSET_MUTABLE} are forbidden"
                )
                return [cause("spec", why, "FieldValueForbidden")]
        case "Deployment" | "ReplicaSet" | "DaemonSet" if new.get("selector") != old.get("selector"):
            return [_bad("spec.selector", "...", _IMMUTABLE)]
        case "Job" if new.get("template") != old.get("template") and not old.get("suspend"):
            return [_bad("spec.template", "...", _IMMUTABLE)]
        case "Pod" if _pinned(new) != _pinned(old):
            why = (
                "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
                "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to "
                "existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was "
                "previously negative)"
            )
            return [cause("spec", why, "FieldValueForbidden")]
    return []


def _pinned(spec: Tree) -> Tree:
    free = {"activeDeadlineSeconds", "tolerations", "containers", "initContainers"}
    pinned = {name: value for name, value in spec.items() if name not in free}
    containers = (spec.get("containers") or []) + (spec.get("initContainers") or [])
    return pinned | {"containers": [{key: each[key] for key in each if key != "image"} for each in containers]}


def _frozen(item: Tree, previous: Tree) -> list[Tree]:
    causes = []
    for name in ("immutable", "data", "binaryData"):
        if item.get(name) != previous.get(name):
            causes.append(cause(name, f"Forbidden: {_IMMUTABLE_WHEN_SET}", "FieldValueForbidden"))
    return causes
