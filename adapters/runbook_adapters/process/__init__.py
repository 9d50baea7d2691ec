"""Adapter `process`: a gunicorn master (27 or newer) on this machine as a deployment.

Replicas are workers. Scale, rolling restart and rollback rewrite the master's configuration file and send HUP;
gunicorn before 27 resets connections when it reloads. For people, pipelines and the demo there are
`create_deployment`, `start_master`, `release`, `mark_healthy` and `stop_master`.
"""

from __future__ import annotations

from datetime import timedelta

import msgspec

from runbook_adapters.process.deployment import Deployment, Server
from runbook_adapters.process.lifecycle import create_deployment, mark_healthy, release, start_master, stop_master
from runbook_adapters.process.reader import HistoryReader, LogFileReader, ProcessReader
from runbook_adapters.process.writer import ProcessWriter
from runbook_engine.errors import NoAdapter
from runbook_engine.ports import AdapterContext, AdapterSpec, Port, Served

__all__ = [
    "ADAPTER",
    "Deployment",
    "ProcessSettings",
    "Server",
    "create_deployment",
    "mark_healthy",
    "release",
    "start_master",
    "stop_master",
]


class ProcessSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Where the deployments are: `folder` holds one folder a deployment."""

    folder: str
    rollout_deadline: float = 60.0  # seconds after which an unfinished rollout counts as failed


def build(port: Port, settings: ProcessSettings, context: AdapterContext) -> Served:
    """Serve one port over the deployments in a folder."""
    root = (context.base / settings.folder).resolve()
    match port:
        case "cluster":
            deadline = timedelta(seconds=settings.rollout_deadline)
            return Served(
                reader=ProcessReader(root, context.clock, deadline), writer=ProcessWriter(root, context.clock)
            )
        case "changes":
            return Served(reader=HistoryReader(root))
        case "logs":
            return Served(reader=LogFileReader(root))
        case _:
            raise NoAdapter(f"process does not serve {port}", "it serves cluster, changes and logs")


ADAPTER = AdapterSpec(name="process", provides=("cluster", "changes", "logs"), settings=ProcessSettings, build=build)
