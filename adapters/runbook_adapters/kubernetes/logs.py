"""Logs: the last lines that the containers of a workload's pods wrote, those of pods that are not ready first."""

from __future__ import annotations

from collections.abc import Iterable

from runbook_adapters.kubernetes.objects import WORKLOADS, metadata_of, name_of, owned_by, path_to, uid_of
from runbook_adapters.kubernetes.problems import NotFound, Rejected, Unavailable
from runbook_adapters.kubernetes.reader import get_workload
from runbook_adapters.kubernetes.revisions import is_ready, pods_of, replica_sets
from runbook_adapters.kubernetes.transport import Items, Json, Transport
from runbook_engine.errors import InvalidTarget, Unreadable
from runbook_engine.model.observation import LogExcerpt
from runbook_engine.model.target import Target

MOST_PODS = 10
MOST_LINES = 1000
MOST_BYTES = 256 * 1024  # of one log


class KubernetesLogReader:
    """Shows the end of the logs of a workload, or of one pod."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def logs(self, target: Target, lines: int, *, previous: bool = False) -> tuple[LogExcerpt, ...]:
        """Return the last lines of each container; `previous`: of the containers before, where one was restarted."""
        wanted = max(1, min(lines, MOST_LINES))
        pods = sorted(_pods(self._transport, target), key=_affected)[:MOST_PODS]
        silent: set[str] = set()
        return tuple(
            self._excerpt(pod, container, wanted, previous, silent)
            for pod in pods
            for container in _containers(pod, restarted=previous)
        )

    def _excerpt(self, pod: Json, container: str, lines: int, previous: bool, silent: set[str]) -> LogExcerpt:
        told = self._told(pod, container, lines, previous, silent)
        return LogExcerpt(name=f"{name_of(pod)}/{container}", lines=told, previous=previous)

    def _told(self, pod: Json, container: str, lines: int, previous: bool, silent: set[str]) -> tuple[str, ...]:
        """A log comes from the node itself, so of a node that is `silent` no second one is waited for."""
        node = (pod.get("spec") or {}).get("nodeName") or ""
        if node in silent:
            return (f"[no log: node {node} does not answer]",)
        path = path_to("pod", metadata_of(pod).get("namespace", ""), name_of(pod), "log")
        query = {"container": container, "tailLines": str(lines), **({"previous": "true"} if previous else {})}
        try:
            return _newest(self._transport.text(path, query), lines)
        except (NotFound, Rejected) as error:
            return (f"[no log: {error.message}]",)
        except Unavailable as error:
            silent |= {node} - {""}
            return (f"[no log: {error.message}]",)


def _pods(transport: Transport, target: Target) -> Items:
    """Return the pods of a workload, or the pod itself. Raises Unreadable: evidence has no invalid targets."""
    try:
        if target.kind == "pod":
            return [transport.get(path_to("pod", target.namespace, target.name))]
        if target.kind in WORKLOADS:
            return _workload_pods(transport, target.kind, get_workload(transport, target))
    except (InvalidTarget, NotFound) as error:
        raise Unreadable(f"the logs of {target} cannot be read: {error}") from error
    raise Unreadable(f"{target} has no logs in its cluster (ask for a workload or a pod)")


def _workload_pods(transport: Transport, kind: str, workload: Json) -> Items:
    pods = pods_of(transport, workload)
    if kind != "deployment":
        return owned_by(pods, uid_of(workload))
    return [pod for item in replica_sets(transport, workload) for pod in owned_by(pods, uid_of(item))]


def _newest(text: str, lines: int) -> tuple[str, ...]:
    encoded = text.encode()
    if len(encoded) > MOST_BYTES:
        text = encoded[-MOST_BYTES:].decode(errors="ignore").partition("\n")[2]
    return tuple(text.splitlines()[-lines:])


def _affected(pod: Json) -> tuple[bool, int, str]:
    """Order pods: those that are not ready first, then those that restarted most."""
    restarts = max((int(status.get("restartCount") or 0) for status in _statuses(pod)), default=0)
    return (is_ready(pod), -restarts, name_of(pod))


def _containers(pod: Json, *, restarted: bool) -> Iterable[str]:
    if restarted:
        return [str(status.get("name")) for status in _statuses(pod) if int(status.get("restartCount") or 0) > 0]
    spec = pod.get("spec") or {}
    unwell = {status.get("name") for status in _statuses(pod) if not status.get("ready")}
    before = [each for each in spec.get("initContainers") or [] if _is_sidecar(each) or each.get("name") in unwell]
    return [str(container.get("name")) for container in [*before, *(spec.get("containers") or [])]]


def _is_sidecar(container: Json) -> bool:
    return bool(container.get("restartPolicy") == "Always")


def _statuses(pod: Json) -> Items:
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
