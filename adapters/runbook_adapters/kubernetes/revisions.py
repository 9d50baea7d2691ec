"""Revisions: the releases of a workload that its cluster still keeps, as ReplicaSets or ControllerRevisions.

A revision that is returned to gets a new number. Of a ReplicaSet the cluster remembers the former ones; of a
ControllerRevision we write them down ourselves, on the workload.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from runbook_adapters.kubernetes.objects import (
    annotations_of,
    labels_of,
    metadata_of,
    name_of,
    owned_by,
    parse_time,
    path_to,
    selector_of,
    uid_of,
)
from runbook_adapters.kubernetes.templates import POD_HASH, images_of, is_same_release, is_same_template, template_of
from runbook_adapters.kubernetes.transport import Items, Json, Transport
from runbook_adapters.kubernetes.wording import one_line
from runbook_engine.model.observation import Revision

REVISION = "deployment.kubernetes.io/revision"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"
CHANGE_CAUSE = "kubernetes.io/change-cause"
CONTROLLER_HASH = "controller-revision-hash"
HEALTHY = "runbook-engine/healthy-revisions"
RETURNED = "runbook-engine/returned-revisions"


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """One release that the cluster keeps. `hash` is what the pods of it are labelled with."""

    name: str
    number: int
    template: Json
    hash: str
    formerly: tuple[int, ...] = ()
    released_at: datetime | None = None
    summary: str = ""
    available: int = 0
    patch: Json = {}  # of a ControllerRevision: what brings it back
    cause: str = ""

    def bears(self, number: int) -> bool:
        """Whether this is the revision of that number, now or formerly."""
        return number == self.number or number in self.formerly


class History(msgspec.Struct, frozen=True, kw_only=True):
    """Every kept release, newest first, and which of them the workload wants now."""

    kept: tuple[Kept, ...]
    current: Kept | None  # None: the controller has not made it yet

    @property
    def revision(self) -> int:
        """The number of what is wanted now; before its controller has numbered it, the number that it will get."""
        return self.current.number if self.current is not None else self.next_number(None)

    def next_number(self, returned: Kept | None) -> int:
        """Return the number that a new release gets, or one that is returned to: the newest keeps its own."""
        others = 1 + max((kept.number for kept in self.kept if kept is not returned), default=0)
        return max(others, returned.number) if returned is not None else others

    def find(self, number: int) -> Kept | None:
        """Return the kept release of that number."""
        exact = next((kept for kept in self.kept if kept.number == number), None)
        return exact or next((kept for kept in self.kept if kept.bears(number)), None)

    def revisions(self, workload: Json) -> tuple[Revision, ...]:
        """Return the current release and those that differ from it, newest first."""
        live, known = template_of(workload), _names(annotations_of(workload).get(HEALTHY))
        return tuple(
            Revision(
                number=kept.number,
                formerly=kept.formerly,
                released_at=kept.released_at,
                healthy=True if kept.available > 0 or kept.name in known else None,
                summary=kept.summary,
            )
            for kept in self.kept
            if kept is self.current or not is_same_release(kept.template, live)
        )


def replica_sets(transport: Transport, deployment: Json) -> Items:
    """Return the ReplicaSets of a deployment. Raises Unreadable."""
    return _owned(transport, "replicaset", deployment)


def controller_revisions(transport: Transport, workload: Json) -> Items:
    """Return the ControllerRevisions of a statefulset or a daemonset. Raises Unreadable."""
    return _owned(transport, "controllerrevision", workload)


def pods_of(transport: Transport, workload: Json) -> Items:
    """Return the pods that a workload's selector takes, those of others too. Raises Unreadable."""
    query = {"labelSelector": selector_of(workload.get("spec") or {})}
    items, _ = transport.list(path_to("pod", metadata_of(workload).get("namespace", "")), query)
    return items


def deployment_history(deployment: Json, sets: Items) -> History:
    """Return the history of a deployment from its ReplicaSets."""
    kept = [_of_replica_set(item, number) for item in sets if (number := numbered(item)) > 0]
    return _history(deployment, kept)


def controller_history(workload: Json, revisions: Items, pods: Items) -> History:
    """Return the history of a statefulset or daemonset from its ControllerRevisions, and the pods that run them."""
    returned = _returned(workload)
    ready = [pod for pod in owned_by(pods, uid_of(workload)) if is_ready(pod)]
    kept = [
        _of_controller_revision(item, returned, sum(_runs(pod, name_of(item)) for pod in ready)) for item in revisions
    ]
    return _history(workload, kept)


def history_of(transport: Transport, kind: str, workload: Json) -> History:
    """Return the history of a workload. Raises Unreadable."""
    if kind == "deployment":
        return deployment_history(workload, replica_sets(transport, workload))
    revisions = controller_revisions(transport, workload)
    return controller_history(workload, revisions, pods_of(transport, workload) if len(revisions) > 1 else [])


def returned_note(workload: Json, kept: Kept, history: History) -> str:
    """Return the note that remembers the number of a release that is being returned to."""
    names = {known.name for known in history.kept}
    noted = {name: numbers for name, numbers in _returned(workload).items() if name in names}
    noted[kept.name] = sorted({*noted.get(kept.name, ()), kept.number})[-10:]
    return msgspec.json.encode(noted, order="sorted").decode()


def is_ready(pod: Json) -> bool:
    """Whether a pod serves, and is not on its way out."""
    if metadata_of(pod).get("deletionTimestamp"):
        return False
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(found.get("type") == "Ready" and found.get("status") == "True" for found in conditions)


def _owned(transport: Transport, kind: str, workload: Json) -> Items:
    query = {"labelSelector": selector_of(workload.get("spec") or {})}
    items, _ = transport.list(path_to(kind, metadata_of(workload).get("namespace", "")), query)
    return owned_by(items, uid_of(workload))


def _history(workload: Json, kept: Sequence[Kept]) -> History:
    newest_first = tuple(sorted(kept, key=lambda found: -found.number))
    live = template_of(workload)
    current = next((found for found in newest_first if is_same_template(found.template, live)), None)
    return History(kept=newest_first, current=current)


def _of_replica_set(item: Json, number: int) -> Kept:
    template, cause = template_of(item), annotations_of(item).get(CHANGE_CAUSE, "")
    former = annotations_of(item).get(REVISION_HISTORY, "").split(",")
    return Kept(
        name=name_of(item),
        number=number,
        template=template,
        hash=labels_of(item).get(POD_HASH, ""),
        formerly=tuple(sorted(int(text) for text in former if text.isascii() and text.strip().isdigit())),
        released_at=parse_time(metadata_of(item).get("creationTimestamp")),
        summary=one_line(cause or ", ".join(images_of(template))),
        available=int((item.get("status") or {}).get("availableReplicas") or 0),
        cause=cause,
    )


def _of_controller_revision(item: Json, returned: Mapping[str, Sequence[int]], available: int) -> Kept:
    patch, number = item.get("data") or {}, int(item.get("revision") or 0)
    template, cause = template_of(patch), annotations_of(item).get(CHANGE_CAUSE, "")
    return Kept(
        name=name_of(item),
        number=number,
        template=template,
        hash=_controller_hash(item),
        formerly=tuple(former for former in returned.get(name_of(item), ()) if former != number),
        released_at=parse_time(metadata_of(item).get("creationTimestamp")),
        summary=one_line(cause or ", ".join(images_of(template))),
        available=available,
        patch=patch,
        cause=cause,
    )


def numbered(item: Json) -> int:
    """Return the number that the controller has written onto a ReplicaSet, or onto the deployment; 0 = none."""
    text = annotations_of(item).get(REVISION, "")
    return int(text) if text.isascii() and text.isdigit() else 0


def _controller_hash(item: Json) -> str:
    return labels_of(item).get(CONTROLLER_HASH) or name_of(item)


def _runs(pod: Json, name: str) -> bool:
    """Whether a pod runs a ControllerRevision: statefulsets label it with its name, daemonsets with its last part."""
    label = labels_of(pod).get(CONTROLLER_HASH, "")
    return bool(label) and (label == name or name.endswith(f"-{label}"))


def _names(text: str | None) -> frozenset[str]:
    try:
        return frozenset(msgspec.json.decode(text or "[]", type=list[str]))
    except msgspec.MsgspecError:
        return frozenset()  # somebody's own writing: nothing is known to have been healthy


def _returned(workload: Json) -> dict[str, list[int]]:
    try:
        return msgspec.json.decode(annotations_of(workload).get(RETURNED) or "{}", type=dict[str, list[int]])
    except msgspec.MsgspecError:
        return {}
