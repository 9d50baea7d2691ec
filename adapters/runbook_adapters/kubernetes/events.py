"""Events: what the cluster says happened to an object and to what belongs to it, newest first.

Events of pods that are gone matter most, so pods are told by the names that their controllers give them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

from runbook_adapters.kubernetes.calls import is_name
from runbook_adapters.kubernetes.objects import KINDS, WORKLOADS, metadata_of, name_of, parse_time, path_to, uid_of
from runbook_adapters.kubernetes.problems import NotFound
from runbook_adapters.kubernetes.reader import get_workload
from runbook_adapters.kubernetes.revisions import replica_sets
from runbook_adapters.kubernetes.transport import Json, Transport
from runbook_adapters.kubernetes.wording import SHORT, one_line
from runbook_engine.errors import InvalidTarget, Unreadable
from runbook_engine.model.observation import ClusterEvent
from runbook_engine.model.target import Target

ENDING = "[a-z0-9]{5}"  # what the API server ends a generated name with
MOST_EVENTS = 200
Concerns = Callable[[Json], bool]


class KubernetesEventReader:
    """Shows the events of a workload with its pods, of a pod, or of a node."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def events(self, target: Target, since: datetime) -> tuple[ClusterEvent, ...]:
        """Return the events of a target and of its pods since then, newest first. Raises Unreadable."""
        if target.kind not in KINDS or not target.name:
            raise Unreadable(f"a cluster has no events of {target} (ask for a workload, a pod or a node)")
        try:
            items = self._about(target)
        except (InvalidTarget, NotFound) as error:
            raise Unreadable(f"the events of {target} cannot be read: {error}") from error
        found = [event for item in items if (event := event_of(item)) is not None and event.at >= since]
        return tuple(sorted(found, key=lambda event: event.at, reverse=True)[:MOST_EVENTS])

    def _about(self, target: Target) -> list[Json]:
        if target.kind in WORKLOADS:
            concerns = self._concerns(target)
            path = path_to("event", target.namespace)
            return self._transport.list(
                path, keep=lambda item: item if concerns(item.get("involvedObject") or {}) else None
            )[0]
        if not is_name(target.name):
            raise InvalidTarget(f"{target.name!r} is no name that an object can have")
        selector = f"involvedObject.kind={KINDS[target.kind].kind},involvedObject.name={target.name}"
        items, _ = self._transport.list(path_to("event", target.namespace), {"fieldSelector": selector})
        return items

    def _concerns(self, target: Target) -> Concerns:
        """Return what says whether an object is the workload, one of its ReplicaSets, or one of their pods."""
        workload = get_workload(self._transport, target)
        sets = replica_sets(self._transport, workload) if target.kind == "deployment" else []
        names = [re.escape(name_of(item)) for item in sets] or [re.escape(target.name)]
        ending = "[0-9]+" if target.kind == "statefulset" else ENDING
        pods = re.compile(f"(?:{'|'.join(names)})-{ending}")
        uids = {uid_of(workload), *(uid_of(item) for item in sets)}

        def concerns(involved: Json) -> bool:
            if involved.get("uid") in uids:
                return True
            return involved.get("kind") == "Pod" and pods.fullmatch(str(involved.get("name") or "")) is not None

        return concerns


def event_of(item: Json) -> ClusterEvent | None:
    """Return what an event says happened, None when it does not say when."""
    series = item.get("series") or {}
    times = (series.get("lastObservedTime"), item.get("lastTimestamp"), item.get("eventTime"))
    at = next((found for text in times if (found := parse_time(text)) is not None), None)
    at = at or parse_time(metadata_of(item).get("creationTimestamp"))
    if at is None:
        return None
    involved = item.get("involvedObject") or {}
    return ClusterEvent(
        at=at,
        about=f"{str(involved.get('kind') or 'object').lower()}/{involved.get('name') or ''}",
        reason=one_line(item.get("reason") or "", SHORT),
        message=one_line(item.get("message") or ""),
        count=int(series.get("count") or item.get("count") or 1),
        warning=item.get("type") == "Warning",
    )
