"""Replies: what a function returns so that the platform does what it should: answer, retry, or forget."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runbook_engine.errors import Overloaded
from runbook_engine.sources.envelope.delivered import Envelope

JSON = {"content-type": "application/json"}
MOST_NAMED = 3


def http_reply(envelope: Envelope, status: int, body: str, headers: Mapping[str, str] = JSON) -> dict[str, Any]:
    """Return an answer for whoever posted."""
    reply: dict[str, Any] = {"statusCode": status, "body": body, "isBase64Encoded": False}
    if envelope.several_headers:
        return reply | {"multiValueHeaders": {name: [value] for name, value in headers.items()}}
    return reply | {"headers": dict(headers)}


def settle(envelope: Envelope, failed: Mapping[str, str]) -> dict[str, Any] | None:
    """Return which messages must come again; `failed` says why, by the id of the delivery.

    A queue is told by message, in order where it keeps one. Raises Overloaded for every other origin, because the
    platform retries what ends with an error and keeps what still fails for people to see.
    """
    if envelope.kind == "sqs":
        return {"batchItemFailures": [{"itemIdentifier": message} for message in _unsettled(envelope, failed)]}
    if failed:
        named = "; ".join(f"{name}: {why}" for name, why in list(failed.items())[:MOST_NAMED])
        raise Overloaded(f"{len(failed)} of {len(envelope.deliveries)} not taken ({named})")
    return None


def _unsettled(envelope: Envelope, failed: Mapping[str, str]) -> list[str]:
    ids = [delivery.id for delivery in envelope.brought]
    if not envelope.in_order:
        return [message for message in ids if message in failed]
    first = next((index for index, message in enumerate(ids) if message in failed), len(ids))
    return ids[first:]
