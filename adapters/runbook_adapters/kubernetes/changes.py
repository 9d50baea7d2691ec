"""Changes: what somebody did to an object lately, told from the ReplicaSets it has left and from its managed fields.

Managed fields name who wrote a field last and when, one entry for each writer: what the same writer did before that
is forgotten, which is why the ReplicaSets are asked as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from runbook_adapters.kubernetes.objects import (
    KINDS,
    WORKLOADS,
    managers_of,
    metadata_of,
    parse_time,
    path_to,
)
from runbook_adapters.kubernetes.problems import NotFound
from runbook_adapters.kubernetes.releases import said_difference
from runbook_adapters.kubernetes.revisions import Kept, history_of
from runbook_adapters.kubernetes.templates import RESTARTED_AT, is_same_release, restarted_at, template_of
from runbook_adapters.kubernetes.transport import FIELD_MANAGER, Json, Transport
from runbook_adapters.kubernetes.wording import one_line
from runbook_engine.errors import InvalidTarget, Unreadable
from runbook_engine.model.observation import ChangeEvent
from runbook_engine.model.target import Target

# These write what the cluster itself works out; a change by them is the echo of one by somebody else.
CONTROLLERS = ("kube-controller-manager", "kube-scheduler", "kubelet", "kube-apiserver")
SAME_MOMENT = timedelta(seconds=30)  # between a change of the template and the ReplicaSet that follows from it
A_SECOND = timedelta(seconds=1)  # what times of the API are rounded to
RESTART_MARK = ("spec", "template", "metadata", "annotations", RESTARTED_AT)
QUIET = frozenset({"managedFields", "resourceVersion", "generation", "creationTimestamp", "uid"})


class KubernetesChangeReader:
    """Tells who changed an object, and what."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def changes(self, target: Target, since: datetime) -> tuple[ChangeEvent, ...]:
        """Return the changes of a workload, a node, a pod or a configmap since then, newest first."""
        found = self._get(target)
        writes = list(_writes(found, since))
        if target.kind not in WORKLOADS:
            return _newest_first(writes)
        kept = history_of(self._transport, target.kind, found).kept
        releases = [event for event in _releases(kept, found) if event.at >= since]
        told = [write for write in writes if not _is_told(write, releases)]
        return _newest_first([*releases, *told])

    def _get(self, target: Target) -> Json:
        if target.kind not in KINDS or not target.name:
            raise Unreadable(f"a cluster keeps no history of {target} (ask for a workload, a node or a configmap)")
        try:
            return self._transport.get(path_to(target.kind, target.namespace, target.name))
        except (NotFound, InvalidTarget) as error:
            raise Unreadable(f"the changes of {target} cannot be read: {error}") from error


def _releases(kept: Sequence[Kept], workload: Json) -> Iterable[ChangeEvent]:
    """Tell of every kept release when it came, and how it differs from the one before."""
    for release in kept:
        if release.released_at is None:
            continue
        older = [other for other in kept if _first(other) < _first(release)]
        before = max(older, default=None, key=_first)
        who = _who_released(workload, release.released_at, before, release)
        yield ChangeEvent(
            at=release.released_at,
            who=who or "somebody",
            what=_difference(before, release),
            ours=who == FIELD_MANAGER,
            revision=_first(release),
        )


def _first(release: Kept) -> int:
    return min((release.number, *release.formerly))


def _difference(before: Kept | None, release: Kept) -> str:
    if before is None:
        return release.summary or "released"
    said = said_difference(before.template, release.template) or "released"
    return f"{said} ({one_line(release.cause)})" if release.cause else said


def _who_released(workload: Json, at: datetime, before: Kept | None, release: Kept) -> str:
    """Return who wrote the template just before; of several in that second, not us: our own are left out of account."""
    is_restart = before is not None and is_same_release(before.template, release.template)
    if is_restart and restarted_at(release.template) == restarted_at(template_of(workload)):
        return next((found.name for found in managers_of(workload, RESTART_MARK)), "")
    near = [
        (found.at, found.name != FIELD_MANAGER, found.name)
        for found in managers_of(workload, ("spec", "template"))
        if found.name not in CONTROLLERS and found.at is not None and -A_SECOND <= at - found.at <= SAME_MOMENT
    ]
    return max(near)[2] if near else ""


def _writes(found: Json, since: datetime) -> Iterable[ChangeEvent]:
    for entry in metadata_of(found).get("managedFields") or []:
        who, at = str(entry.get("manager") or "somebody"), parse_time(entry.get("time"))
        if at is None or at < since or who in CONTROLLERS or entry.get("subresource") == "status":
            continue
        fields = _fields(entry.get("fieldsV1") or {})
        if fields:
            yield ChangeEvent(at=at, who=who, what=one_line(f"wrote {', '.join(fields)}"), ours=who == FIELD_MANAGER)


def _fields(tree: Mapping[str, object]) -> Sequence[str]:
    """Return the fields that a writer holds, two levels down: spec.replicas, spec.template, data."""
    found = []
    for top, below in tree.items():
        name = top.removeprefix("f:")
        if name in ("metadata", "status", "."):
            continue
        inner = [key.removeprefix("f:") for key in below if key != "."] if isinstance(below, dict) else []
        found += [f"{name}.{field}" for field in inner if field not in QUIET] or [name]
    return found


def _is_told(write: ChangeEvent, releases: Sequence[ChangeEvent]) -> bool:
    """Whether a release tells the same more exactly."""
    if "spec.template" not in write.what:
        return False
    return any(write.who == release.who and abs(write.at - release.at) <= SAME_MOMENT for release in releases)


def _newest_first(events: Iterable[ChangeEvent]) -> tuple[ChangeEvent, ...]:
    return tuple(sorted(events, key=lambda event: event.at, reverse=True))
