"""Approving over a signed link, in a function: the page of one request that API Gateway or a balancer hands over."""

from __future__ import annotations

from typing import Any

from runbook_engine.entrypoints.approvals import HEADERS, ApprovalPages, Visit
from runbook_engine.entrypoints.aws_lambda.host import Host
from runbook_engine.entrypoints.refusals import InvalidRequest
from runbook_engine.sources.envelope import HttpDelivery, http_reply, unwrap


def answer_link(event: object, host: Host) -> Any:
    """Return the page for one request. Raises InvalidAlert when it is no request at all."""
    envelope = unwrap(event)
    delivery = envelope.deliveries[0] if envelope.deliveries else None
    if not isinstance(delivery, HttpDelivery):
        raise InvalidRequest("approvals are answered over HTTP")
    pages = ApprovalPages(
        engine=host.engine,
        links=host.links,
        keys=host.keys,
        clock=host.clock,
        log=host.log,
        wake=lambda execution_id: host.waker.wake([execution_id]),
    )
    execution_id = delivery.parameters.get("execution_id", "")
    status, page = pages.page(Visit(delivery.method, execution_id, delivery.query, delivery.read))
    return http_reply(envelope, status, page, HEADERS)
