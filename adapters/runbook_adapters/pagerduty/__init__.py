"""Adapter `pagerduty`: a receiver that is paged through the Events API v2.

All messages about one incident are one alert there: the first one triggers, the others add to it. A person who takes
the run over acknowledges it, and the end resolves it once nothing of the incident is open or went wrong. Delivering
twice is harmless: PagerDuty knows an alert by its key.
"""

from __future__ import annotations

import msgspec

from runbook_engine.errors import NoAdapter
from runbook_engine.model.configuration import SecretReference
from runbook_engine.ports import AdapterContext, AdapterSpec, Port, Served

BASE = "https://events.pagerduty.com"


class PagerDutySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Which service is paged: the routing key of its Events API v2 integration."""

    routing_key: SecretReference
    url: str = BASE  # https://events.eu.pagerduty.com for the European region


def build(port: Port, settings: PagerDutySettings, context: AdapterContext) -> Served:
    """Serve one receiver; nothing is asked yet."""
    from runbook_adapters.pagerduty.receiver import PATH, PagerDuty
    from runbook_adapters.web import Web, checked_address

    if port != "receiver":
        raise NoAdapter(f"pagerduty does not serve {port}", "it serves receiver")
    base = checked_address(settings.url, "pagerduty").removesuffix(PATH)
    writer = PagerDuty(Web(most_bytes=64 * 1024), base, lambda: context.secret(settings.routing_key), context.clock)
    return Served(writer=writer)


ADAPTER = AdapterSpec(name="pagerduty", provides=("receiver",), settings=PagerDutySettings, build=build)
