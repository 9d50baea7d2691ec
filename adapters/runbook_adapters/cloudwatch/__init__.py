"""Adapter `cloudwatch`: metrics of Amazon CloudWatch and logs of functions."""

from __future__ import annotations

from runbook_adapters.cloudwatch.settings import CloudWatchSettings
from runbook_engine.errors import NoAdapter
from runbook_engine.ports import AdapterContext, AdapterSpec, Port, Served

__all__ = ["ADAPTER", "CloudWatchSettings"]


def build(port: Port, settings: CloudWatchSettings, context: AdapterContext) -> Served:
    """Serve the metrics or the logs of one account and region; nothing is sent yet."""
    from runbook_adapters.aws.clients import clients_of
    from runbook_adapters.cloudwatch.alarms import alarms_in_force
    from runbook_adapters.cloudwatch.logs import CloudWatchLogReader
    from runbook_adapters.cloudwatch.metrics import CloudWatchMetricReader

    clients = clients_of(context, settings.access)
    match port:
        case "metrics":
            return Served(reader=CloudWatchMetricReader(clients, context.clock), probe=lambda: alarms_in_force(clients))
        case "logs":
            return Served(reader=CloudWatchLogReader(clients, context.clock, settings.log_groups))
        case _:
            raise NoAdapter(f"cloudwatch does not serve {port}", "it serves metrics and logs")


ADAPTER = AdapterSpec(
    name="cloudwatch", provides=("metrics", "logs"), settings=CloudWatchSettings, build=build, vendor="aws"
)
