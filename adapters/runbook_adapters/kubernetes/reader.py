"""Looking at workloads. What a guard asks about and may not be read is Unreadable, never as if it were not there."""

from __future__ import annotations

import msgspec

from runbook_adapters.kubernetes.autoscalers import describe, find_autoscaler
from runbook_adapters.kubernetes.gitops import gitops_owner
from runbook_adapters.kubernetes.objects import (
    count_of,
    ignored_because,
    is_deleting,
    metadata_of,
    path_to,
    service_of,
    uid_of,
    workload_path,
)
from runbook_adapters.kubernetes.problems import NotFound
from runbook_adapters.kubernetes.quota import quota_left
from runbook_adapters.kubernetes.revisions import (
    history_of,
    numbered,
)
from runbook_adapters.kubernetes.rollout import (
    Standing,
    has_downtime,
    has_manual_updates,
    held_back,
    is_observed,
)
from runbook_adapters.kubernetes.templates import restarted_at, template_of
from runbook_adapters.kubernetes.transport import Items, Json, Transport
from runbook_adapters.kubernetes.trouble import standing_with_pods
from runbook_engine.errors import InvalidTarget
from runbook_engine.model.observation import Workload
from runbook_engine.model.target import Target
from runbook_engine.ports import Clock


class KubernetesReader:
    """Reads deployments, statefulsets and daemonsets, and what surrounds them."""

    def __init__(self, transport: Transport, clock: Clock) -> None:
        self._transport = transport
        self._clock = clock

    def workload(self, target: Target) -> Workload:
        """Return a workload with its history, its autoscaler and its namespace. Raises InvalidTarget, Unreadable."""
        found = get_workload(self._transport, target)
        namespace = self._transport.get(path_to("namespace", "", target.namespace))
        history = history_of(self._transport, target.kind, found)
        standing = self._standing(target.kind, found)
        autoscaler = find_autoscaler(self._transport, target)
        return msgspec.structs.replace(
            self._seen(target, found, standing),
            revision=history.revision,
            revisions=history.revisions(found),
            autoscaler=describe(autoscaler, standing.replicas) if autoscaler is not None else None,
            deleting=is_deleting(found) or (namespace.get("status") or {}).get("phase") == "Terminating",
            ignored=ignored_because(found, namespace),
            quota_left=quota_left(self._quotas(target.namespace), template_of(found)),
        )

    def glance(self, target: Target) -> Workload:
        """Return a workload in one look, with a few more while it does not move. Raises InvalidTarget, Unreadable."""
        found = get_workload(self._transport, target)
        return self._seen(target, found, self._standing(target.kind, found))

    def _seen(self, target: Target, found: Json, standing: Standing) -> Workload:
        metadata, spec = metadata_of(found), found.get("spec") or {}
        return Workload(
            target=msgspec.structs.replace(target, uid=uid_of(found)),
            replicas=standing.replicas,
            ready=standing.ready,
            updated=standing.updated,
            generation=count_of(metadata, "generation"),
            observed_generation=count_of(found.get("status") or {}, "observedGeneration"),
            service=service_of(found),
            paused=bool(spec.get("paused")),
            revision=numbered(found) if is_observed(found) else 0,
            restarted_at=restarted_at(template_of(found)),
            rollout=standing.rollout,
            rollout_reason=standing.reason,
            failure_mark=standing.mark,
            partition=held_back(found),
            manual_updates=has_manual_updates(found),
            downtime=has_downtime(target.kind, found, standing.replicas),
            deleting=is_deleting(found),
            gitops=gitops_owner(found),
            ignored=ignored_because(found),
        )

    def _standing(self, kind: str, found: Json) -> Standing:
        return standing_with_pods(self._transport, kind, found, self._clock.now())

    def _quotas(self, namespace: str) -> Items:
        return self._transport.list(path_to("resourcequota", namespace))[0]


def get_workload(transport: Transport, target: Target) -> Json:
    """Return a workload as the API holds it. Raises InvalidTarget when it does not exist, Unreadable."""
    try:
        return transport.get(workload_path(target))
    except NotFound as error:
        raise InvalidTarget(
            f"{target} does not exist (check the name and the namespace; it may have been deleted)"
        ) from error
