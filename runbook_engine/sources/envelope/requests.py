"""Requests: a delivery whose scope is known, as the engine takes it in."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from runbook_engine.model.configuration import Scope
from runbook_engine.model.delivery import Request
from runbook_engine.sources.envelope.delivered import HttpDelivery, PlatformDelivery


def to_request(
    delivery: HttpDelivery | PlatformDelivery, scope: Scope, *, received_at: datetime, without: Collection[str] = ()
) -> Request:
    """Return the request, its headers without credentials and without those named. Raises InvalidAlert."""
    body = delivery.read()
    if isinstance(delivery, HttpDelivery):
        return Request(scope.name, scope.source, delivery.headers.plain(without), body, received_at)
    return Request(
        scope.name, scope.source, {}, body, received_at, delivery_id=delivery.id, origin=str(delivery.origin)
    )
