"""Templates: the pods that a workload wants, compared as a person would: is it the same release?

A restart changes the template and not the release, and so does a mark of ours. An `emptyDir: {}` matters; a null
does not.
"""

from __future__ import annotations

from typing import Any

from runbook_adapters.kubernetes.transport import Json

POD_HASH = "pod-template-hash"
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
OUR_PREFIX = "runbook-engine/"


def template_of(obj: Json) -> Json:
    """Return the pod template of a workload or a ReplicaSet, as it was sent."""
    found = (obj.get("spec") or {}).get("template")
    return found if isinstance(found, dict) else {}


def raw_template(template: Json) -> Json:
    """Return a template as its author wrote it: without the mark of a ReplicaSet, and without a patch's directive."""
    bare = {key: value for key, value in template.items() if key != "$patch"}
    metadata = dict(bare.get("metadata") or {})
    labels = {key: value for key, value in (metadata.get("labels") or {}).items() if key != POD_HASH}
    if "labels" in metadata:
        metadata["labels"] = labels
    return {**bare, **({"metadata": metadata} if "metadata" in bare else {})}


def is_same_template(one: Json, other: Json) -> bool:
    """Whether two templates are equal, as the controllers compare them."""
    return bool(_stripped(raw_template(one)) == _stripped(raw_template(other)))


def is_same_release(one: Json, other: Json) -> bool:
    """Whether two templates run the same: restarts and our own marks aside."""
    return bool(_released(one) == _released(other))


def images_of(template: Json) -> tuple[str, ...]:
    """Return the images of a template's containers, in their order."""
    return tuple(
        str(container.get("image") or "") for container in (template.get("spec") or {}).get("containers") or []
    )


def restarted_at(template: Json) -> str:
    """Return the mark of the last rolling restart, empty when there was none."""
    return str(((template.get("metadata") or {}).get("annotations") or {}).get(RESTARTED_AT) or "")


def _released(template: Json) -> Json:
    bare = _stripped(raw_template(template))
    annotations = (bare.get("metadata") or {}).pop("annotations", None) or {}
    kept = {key: value for key, value in annotations.items() if key != RESTARTED_AT and not key.startswith(OUR_PREFIX)}
    return {**bare, "annotations": kept}


def _stripped(value: Any) -> Any:
    """Drop what says nothing: nulls, and the creation time that a template never has."""
    if isinstance(value, dict):
        return {key: _stripped(item) for key, item in value.items() if item is not None and key != "creationTimestamp"}
    if isinstance(value, list):
        return [_stripped(item) for item in value]
    return value
