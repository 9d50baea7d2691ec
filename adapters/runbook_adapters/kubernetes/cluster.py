"""One cluster behind its ports: the readers and writers that share one transport."""

from __future__ import annotations

import os

from runbook_adapters.kubernetes.changes import KubernetesChangeReader
from runbook_adapters.kubernetes.events import KubernetesEventReader
from runbook_adapters.kubernetes.logs import KubernetesLogReader
from runbook_adapters.kubernetes.reader import KubernetesReader
from runbook_adapters.kubernetes.setting_ports import KubernetesSettingReader, KubernetesSettingWriter
from runbook_adapters.kubernetes.settings import KubernetesSettings, connect
from runbook_adapters.kubernetes.transport import Transport
from runbook_adapters.kubernetes.writer import KubernetesWriter
from runbook_engine.errors import NoAdapter
from runbook_engine.ports import AdapterContext, Port, Served

TRANSPORT = "kubernetes transport"  # what the ports of one choice share


def serve(port: Port, settings: KubernetesSettings, context: AdapterContext) -> Served:
    """Return what serves a port of the cluster that the settings describe. Raises NoAdapter."""
    transport = _transport(settings, context)
    match port:
        case "cluster":
            clock = context.clock
            return Served(
                reader=KubernetesReader(transport, clock),
                writer=KubernetesWriter(transport, clock),
                probe=lambda: probe(transport),
            )
        case "settings":
            return Served(reader=KubernetesSettingReader(transport), writer=KubernetesSettingWriter(transport))
        case "nodes":
            return _nodes(transport, context)
        case "jobs":
            return _jobs(transport, context)
        case "events":
            return Served(reader=KubernetesEventReader(transport))
        case "changes":
            return _changes(transport, settings, context)
        case "logs":
            return Served(reader=KubernetesLogReader(transport))
        case _:
            raise NoAdapter(
                f"kubernetes does not serve {port}",
                "it serves cluster, settings, nodes, jobs, events, changes and logs",
            )


def probe(transport: Transport) -> str:
    """Return that the API server answers and knows who we are. Raises Unreadable."""
    resources = transport.get("/api/v1").get("resources") or []
    return f"answers, and knows who asks ({len(resources)} resources in its core)"


def _transport(settings: KubernetesSettings, context: AdapterContext) -> Transport:
    found = context.shared.get(TRANSPORT)
    if not isinstance(found, Transport):
        found = context.shared[TRANSPORT] = connect(settings, context, may_guess=context.looks_only)
    return found


def _changes(transport: Transport, settings: KubernetesSettings, context: AdapterContext) -> Served:
    from runbook_adapters.kubernetes.watcher import RolloutWatcher

    watcher = RolloutWatcher(transport, context.place, context.clock, settings.namespaces) if settings.watch else None
    return Served(reader=KubernetesChangeReader(transport), watcher=watcher)


def _nodes(transport: Transport, context: AdapterContext) -> Served:
    from runbook_adapters.kubernetes.eviction import KubernetesNodeWriter
    from runbook_adapters.kubernetes.nodes import KubernetesNodeReader
    from runbook_adapters.kubernetes.pods import Ourselves

    place, ourselves = context.place, Ourselves.told_by(os.environ)
    return Served(
        reader=KubernetesNodeReader(transport, place, ourselves=ourselves),
        writer=KubernetesNodeWriter(transport, place, context.clock, ourselves=ourselves),
    )


def _jobs(transport: Transport, context: AdapterContext) -> Served:
    from runbook_adapters.kubernetes.jobs import KubernetesJobReader, KubernetesJobWriter

    templates = context.configuration.jobs
    return Served(reader=KubernetesJobReader(transport, templates), writer=KubernetesJobWriter(transport, templates))
