"""Adapter `eventbridge`: tells a bus, so that others may act: a driver, people on call, an audit log."""

from __future__ import annotations

import random
import time

from runbook_adapters.aws.clients import AwsSettings, clients_of
from runbook_adapters.aws.identity import identify
from runbook_adapters.eventbridge.bus import EventBridgeBus
from runbook_engine.errors import NoAdapter
from runbook_engine.model.configuration import SecretReference
from runbook_engine.ports import AdapterContext, AdapterSpec, Port, Served


class EventBridgeSettings(AwsSettings, frozen=True, kw_only=True):
    """Which bus: its name or ARN, or where to find it."""

    bus: str | SecretReference


def build(port: Port, settings: EventBridgeSettings, context: AdapterContext) -> Served:
    """Serve the bus; nothing is asked yet."""
    if port != "bus":
        raise NoAdapter(f"eventbridge does not serve {port}", "it serves bus")
    clients, given = clients_of(context, settings), settings.bus

    def name() -> str:
        return given if isinstance(given, str) else context.secret(given)

    bus = EventBridgeBus(clients, name, context.clock, sleep=time.sleep, jitter=random.random)
    return Served(writer=bus, probe=lambda: f"answers for {identify(clients)}; the bus is {name()}")


ADAPTER = AdapterSpec(name="eventbridge", provides=("bus",), settings=EventBridgeSettings, build=build)
