"""Requests: a delivery whose scope is known, as the engine takes it in."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from runbook_engine.model.configuration import Scope
from runbook_engine.model.delivery import Request
from runbook_engine.sources.envelope.delivered import HttpDelivery, PlatformDelivery


def to_request(
    delivery: HttpDelivery | PlatformDelivery,
    scope: Scope,
    *,
    received_at: datetime,
    without: Collection[str] = (),
    fresh_within: timedelta | None = None,
) -> Request:
    """Return the request, its headers without credentials and without those named. Raises InvalidAlert."""
    body = delivery.read()
    if isinstance(delivery, HttpDelivery):
        told = delivery.headers.plain(without)
        method = delivery.method
        return Request(scope.name, scope.source, told, body, received_at, method=method, fresh_within=fresh_within)
    return Request(
        scope.name, scope.source, {}, body, received_at, delivery_id=delivery.id, origin=str(delivery.origin)
    )
