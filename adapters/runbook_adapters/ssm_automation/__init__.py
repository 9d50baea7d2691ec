"""Adapter `ssmAutomation`: pinned automation documents of AWS Systems Manager, the escape hatch."""

from __future__ import annotations

from runbook_adapters.aws.clients import AwsSettings
from runbook_engine.errors import NoAdapter
from runbook_engine.ports import AdapterContext, AdapterSpec, Port, Served

__all__ = ["ADAPTER"]


def build(port: Port, settings: AwsSettings, context: AdapterContext) -> Served:
    """Serve the automations of engine.yaml in one account and region; nothing is sent yet."""
    from runbook_adapters.aws.clients import clients_of
    from runbook_adapters.ssm_automation.reader import SsmAutomationReader
    from runbook_adapters.ssm_automation.writer import SsmAutomationWriter

    if port != "automations":
        raise NoAdapter(f"ssmAutomation does not serve {port}", "it serves automations")
    clients, templates = clients_of(context, settings), context.configuration.automations
    reader = SsmAutomationReader(templates, clients)
    return Served(reader=reader, writer=SsmAutomationWriter(templates, clients), probe=reader.probe)


ADAPTER = AdapterSpec(name="ssmAutomation", provides=("automations",), settings=AwsSettings, build=build, vendor="aws")
