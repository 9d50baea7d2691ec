"""Unwrap: which of the platform's shapes an event has. The order is fixed, the first that fits is meant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runbook_engine.sources.envelope.delivered import Envelope, unknown_event
from runbook_engine.sources.envelope.events import from_alarm, from_bus, from_logs, from_task
from runbook_engine.sources.envelope.posted import from_balancer, from_http_api, from_rest_api
from runbook_engine.sources.envelope.records import from_queue, from_topic
from runbook_engine.sources.values import map_of

TASK_KEYS = ("taskToken", "token", "execution", "execution_id")


def unwrap(event: object) -> Envelope:
    """Return what an event of a function holds. Raises InvalidAlert when it is no event that is known."""
    if not isinstance(event, dict):
        raise unknown_event("the event is no object")
    return _posted(event) or _recorded(event) or _announced(event)


def _posted(event: Mapping[str, Any]) -> Envelope | None:
    context = map_of(event.get("requestContext"))
    if "elb" in context:
        return from_balancer(event)
    if event.get("version") == "2.0" and "http" in context:
        return from_http_api(event)
    if "httpMethod" in event and "requestContext" in event:
        return from_rest_api(event)
    return None


def _recorded(event: Mapping[str, Any]) -> Envelope | None:
    records = event.get("Records")
    if not isinstance(records, list) or not records:
        return None
    first = map_of(records[0])
    if first.get("EventSource") == "aws:sns":
        return from_topic(records)
    if first.get("eventSource") == "aws:sqs":
        return from_queue(records)
    return None


def _announced(event: Mapping[str, Any]) -> Envelope:
    logs = map_of(event.get("awslogs")).get("data")
    if isinstance(logs, str):
        return from_logs(logs)
    if isinstance(event.get("detail-type"), str) and isinstance(event.get("source"), str):
        return from_bus(event)
    if isinstance(event.get("alarmData"), dict):
        return from_alarm(event)
    if "CodePipeline.job" in event:
        raise unknown_event(
            "a CodePipeline job asks to act for the pipeline, with its credentials: it is refused, and nothing of it "
            "is kept (send the pipeline's events through an EventBridge rule)"
        )
    if isinstance(event.get("op"), str) and any(isinstance(event.get(key), str) for key in TASK_KEYS):
        return from_task(event)
    raise unknown_event(
        "the event is none of those that are taken: a request of API Gateway, a function URL or a load balancer, "
        "records of SNS or SQS, an event of EventBridge, an alarm, a log subscription"
    )
