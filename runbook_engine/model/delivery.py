"""One delivery: what a host hands to the engine, and what a source reads from it.

A host authenticates, the engine parses: a `Request` is already known to come from its scope, and the scope
comes from the credential, never from the payload.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec

from runbook_engine.model.alert import Alert, Severity

MEBIBYTE = 1024 * 1024
JSON_TYPES = ("application/json", "application/*+json", "")  # "" = none named


class Request(msgspec.Struct, frozen=True):
    """One authenticated delivery; header names are lower case, the body is the raw bytes that were sent."""

    scope: str
    source: str
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime
    delivery_id: str = ""


class Rejected(msgspec.Struct, frozen=True):
    """One alert of a delivery that was dropped, and the sentence that says why."""

    index: int
    reason: str


class Parsed(msgspec.Struct, frozen=True):
    """What a delivery meant: the alerts that are valid, those that are not, and codes about the whole."""

    alerts: tuple[Alert, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    warnings: tuple[str, ...] = ()


class SourceSettings(msgspec.Struct, frozen=True):
    """What an installation may set about reading deliveries; the defaults are safe."""

    drop_labels: tuple[str, ...] = ("prometheus_replica", "replica")
    severities: Mapping[str, Severity] = msgspec.field(default_factory=dict)
    max_body_bytes: int = 6 * MEBIBYTE
    max_decoded_bytes: int = 20 * MEBIBYTE
    max_alerts: int = 10_000


class SourceSpec(msgspec.Struct, frozen=True):
    """One sender's format: its name, how to parse a request in it, and the media types it may arrive as."""

    name: str
    parse: Callable[[Request, SourceSettings], Parsed]
    content_types: tuple[str, ...] = JSON_TYPES
