"""What the rollout watcher reads of a cluster, as grants: it lists and watches workloads, wherever it is told to."""

from __future__ import annotations

from runbook_adapters.kubernetes.settings import KubernetesSettings
from runbook_engine.model.grant import EVERYWHERE, Grant

READS = {
    "deployments": ("list", "watch"),
    "statefulsets": ("get", "list", "watch"),  # their revisions have to be asked for
    "daemonsets": ("get", "list", "watch"),
    "controllerrevisions": ("list",),
}


def watched(settings: KubernetesSettings) -> tuple[Grant, ...]:
    """Return what watching needs with these settings; nothing when nobody watches."""
    if not settings.watch:
        return ()
    return tuple(
        Grant(namespace=namespace, group="apps", resource=resource, verb=verb, because="watching for changes")
        for namespace in settings.namespaces or (EVERYWHERE,)
        for resource, verbs in READS.items()
        for verb in verbs
    )
