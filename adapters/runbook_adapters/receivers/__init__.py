"""Adapter `webhook`: a receiver that is told by an HTTP POST of one JSON object.

The address comes from engine.yaml, never from an alert. Delivering twice is harmless for a receiver that looks at
`Idempotency-Key`, which is the message's id.
"""

from __future__ import annotations

import msgspec

from runbook_engine.errors import NoAdapter
from runbook_engine.model.configuration import SecretReference
from runbook_engine.ports import AdapterContext, AdapterSpec, Port, Served


class WebhookSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where to POST: an address, or where to find one that is itself a secret; and a bearer token."""

    url: str | SecretReference
    token: SecretReference | None = None


def build(port: Port, settings: WebhookSettings, context: AdapterContext) -> Served:
    """Serve one receiver."""
    from runbook_adapters.receivers.webhook import Webhook
    from runbook_adapters.web import Web, bearer, checked_address

    if port != "receiver":
        raise NoAdapter(f"webhook does not serve {port}", "it serves receiver")
    url, token = settings.url, settings.token
    if isinstance(url, str):
        checked_address(url, "webhook")

    def address() -> str:
        found = url if isinstance(url, str) else context.secret(url)
        checked_address(found, "webhook")
        return found

    def headers() -> dict[str, str]:
        return bearer(context.secret(token)) if token else {}

    return Served(writer=Webhook(Web(most_bytes=64 * 1024), address, headers, context.clock))


ADAPTER = AdapterSpec(name="webhook", provides=("receiver",), settings=WebhookSettings, build=build)
