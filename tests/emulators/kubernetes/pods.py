"""Pods: reading their state, and making them from a template."""

import hashlib
import json
import secrets

from tests.emulators.kubernetes.clock import elapsed_ms, parse
from tests.emulators.kubernetes.trees import Tree, clone, dig, owner_reference

_SAFE = "bcdfghjklmnpqrstvwxz2456789"
HASH = "pod-template-hash"
REVISION_HASH = "controller-revision-hash"


def condition_of(item: Tree, type_: str) -> Tree | None:
    """Return a condition of an object."""
    return next((each for each in dig(item, "status", "conditions", default=[]) if each["type"] == type_), None)


def with_condition(conditions: list[Tree], new: Tree, now: str) -> list[Tree]:
    """Return conditions with one set; its transition time stays unless its status changes."""
    known = next((each for each in conditions if each["type"] == new["type"]), None)
    same = known is not None and known["status"] == new["status"]
    new = new | {"lastTransitionTime": known["lastTransitionTime"] if known and same else now}
    if known is None:
        return [*conditions, new]
    return [new if each is known else each for each in conditions]


def is_ready(pod: Tree) -> bool:
    """Whether the Ready condition is true."""
    condition = condition_of(pod, "Ready")
    return condition is not None and condition["status"] == "True"


def is_available(pod: Tree, min_ready: int, now: object) -> bool:
    """Whether the pod has been ready for long enough."""
    if not is_ready(pod):
        return False
    since = dig(condition_of(pod, "Ready"), "lastTransitionTime")
    return not min_ready or elapsed_ms(parse(since), now) >= min_ready * 1000  # type: ignore[arg-type]


def is_terminating(pod: Tree) -> bool:
    """Whether the pod is being deleted."""
    return "deletionTimestamp" in pod["metadata"]


def is_terminal(pod: Tree) -> bool:
    """Whether the pod has run to its end."""
    return dig(pod, "status", "phase") in ("Succeeded", "Failed")


def is_active(pod: Tree) -> bool:
    """Whether a controller counts the pod as one of its own."""
    return not is_terminal(pod) and not is_terminating(pod)


def template_hash(template: Tree, salt: int = 0) -> str:
    """Return a short name for a template."""
    text = json.dumps([without_hash(template), salt], sort_keys=True)
    digest = hashlib.sha256(text.encode()).digest()
    return "".join(_SAFE[byte % len(_SAFE)] for byte in digest[:10])


def without_hash(template: Tree) -> Tree:
    """Return the template without the label its ReplicaSet adds."""
    labels = dig(template, "metadata", "labels", default={})
    if HASH not in labels:
        return template
    kept = {key: value for key, value in labels.items() if key != HASH}
    metadata = {key: value for key, value in template["metadata"].items() if key != "labels"}
    return template | {"metadata": metadata | ({"labels": kept} if kept else {})}


def suffix() -> str:
    """Return the five letters at the end of a generated name."""
    return "".join(secrets.choice(_SAFE) for _ in range(5))


def from_template(owner: Tree, template: Tree, name: str = "", labels: Tree | None = None) -> Tree:
    """Return a pod for an owner; without a name one is generated."""
    metadata = clone(template.get("metadata") or {})
    metadata.pop("creationTimestamp", None)
    base = f"{owner['metadata']['name']}-"
    metadata |= {"name": name} if name else {"name": base + suffix(), "generateName": base}
    metadata["labels"] = metadata.get("labels", {}) | (labels or {})
    metadata["ownerReferences"] = [owner_reference(owner)]
    return {"metadata": metadata, "spec": clone(template["spec"])}
