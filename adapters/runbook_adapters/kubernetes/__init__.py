"""Adapter `kubernetes`: one cluster through its own API, as raw JSON.

One choice under `adapters.cluster` serves a cluster whole: its workloads, their settings, nodes and pods, jobs,
events, changes and logs. What it is built of is imported in `build`, so that an installation without a cluster
pays nothing.
"""

from __future__ import annotations

from runbook_adapters.kubernetes.settings import KubernetesSettings
from runbook_adapters.kubernetes.watched import watched
from runbook_engine.ports import AdapterContext, AdapterSpec, Port, Served

__all__ = ["ADAPTER", "KubernetesSettings"]


def build(port: Port, settings: KubernetesSettings, context: AdapterContext) -> Served:
    """Serve one port of one cluster; nothing is sent yet."""
    from runbook_adapters.kubernetes.cluster import serve

    return serve(port, settings, context)


ADAPTER = AdapterSpec(
    name="kubernetes",
    provides=("cluster", "settings", "nodes", "jobs", "events", "changes", "logs"),
    settings=KubernetesSettings,
    build=build,
    watches=watched,
)
