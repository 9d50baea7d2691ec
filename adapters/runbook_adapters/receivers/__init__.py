"""Adapter `webhook`: a receiver that is told by an HTTP request with one JSON document: our own, or a template's.

The address comes from engine.yaml, never from an alert. Delivering twice is harmless for a receiver that looks at
`Idempotency-Key`, which is the message's id.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from runbook_engine.errors import NoAdapter
from runbook_engine.model.configuration import SecretReference
from runbook_engine.ports import AdapterContext, AdapterSpec, Port, Served

HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
CREDENTIAL: Final = re.compile(r"auth|cookie|key|token|secret|password", re.IGNORECASE)
NOT_OURS: Final = frozenset(("content-length", "content-type", "host", "idempotency-key", "transfer-encoding"))


class WebhookSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where and what to send: an address, or where to find one that is itself a secret; a bearer token; a template."""

    url: str | SecretReference
    token: SecretReference | None = None
    template: str | dict[str, Any] = ""  # a shipped one, a file *.json beside engine.yaml, or the document itself
    values: Mapping[str, str] = {}  # what a template names as {{ values.NAME }}
    method: Literal["POST", "PUT", "PATCH"] = "POST"
    headers: Mapping[str, str | SecretReference] = {}
    expect: tuple[int, ...] = ()  # statuses that count as told; none = any from 200 to 299


def build(port: Port, settings: WebhookSettings, context: AdapterContext) -> Served:
    """Serve one receiver."""
    from runbook_adapters.receivers.templates import load_template
    from runbook_adapters.receivers.webhook import Webhook, Wire, sendable
    from runbook_adapters.web import Web, bearer, checked_address

    if port != "receiver":
        raise NoAdapter(f"webhook does not serve {port}", "it serves receiver")
    url, token = settings.url, settings.token
    if isinstance(url, str):
        checked_address(url, "webhook")
    _demand_headers(settings)

    def address() -> str:
        found = url if isinstance(url, str) else context.secret(url)
        checked_address(found, "webhook")
        return found

    def headers() -> dict[str, str]:
        given = {
            name: sendable(name, value if isinstance(value, str) else context.secret(value))
            for name, value in settings.headers.items()
        }
        return {**given, **(bearer(context.secret(token)) if token else {})}

    wire = Wire(
        Web(most_bytes=64 * 1024),
        address,
        headers,
        settings.method,
        frozenset(settings.expect),
        plain=frozenset(name for name, value in settings.headers.items() if isinstance(value, str)),
        address_is_secret=not isinstance(url, str),
    )
    template = load_template(settings.template, context.base, settings.values) if settings.template else None
    return Served(writer=Webhook(wire, template, context.clock))


def _demand_headers(settings: WebhookSettings) -> None:
    """Raise NoAdapter for a header that is none, is not the installation's to set, or holds a credential as it is."""
    for name, value in settings.headers.items():
        if not HEADER.fullmatch(name) or name.lower() in NOT_OURS:
            raise NoAdapter(f"adapter webhook: the header {name!r} cannot be set", "remove it")
        if isinstance(value, str) and CREDENTIAL.search(name):
            hint = f"write {name}: {{env: NAME}} instead, the variable holds the whole value"
            raise NoAdapter(f"adapter webhook: the header {name} holds a credential", hint)
        if name.lower() == "authorization" and settings.token is not None:
            raise NoAdapter("adapter webhook: token and the header Authorization say two things", "keep one of them")


ADAPTER = AdapterSpec(name="webhook", provides=("receiver",), settings=WebhookSettings, build=build)
