"""Records of SNS and SQS. A queue may hold a topic's message: three layers, of which the platform vouches for the
outermost alone, so a message of a queue comes from that queue whatever topic it names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runbook_engine.errors import InvalidAlert
from runbook_engine.sources.envelope.delivered import (
    Envelope,
    Origin,
    PlatformDelivery,
    account_of,
    encode_text,
    unknown_event,
)
from runbook_engine.sources.strict_json import decode_json
from runbook_engine.sources.values import map_of, text_of

NOTIFICATION = "Notification"
CONFIRMATIONS = ("SubscriptionConfirmation", "UnsubscribeConfirmation")


def from_topic(records: Sequence[object]) -> Envelope:
    """Unwrap records of SNS."""
    deliveries = [_of_topic(map_of(record)) for record in records]
    return Envelope(kind="sns", deliveries=tuple(deliveries))


def from_queue(records: Sequence[object]) -> Envelope:
    """Unwrap records of SQS; each is answered for by its id."""
    deliveries: list[PlatformDelivery] = []
    ignored: list[str] = []
    for record in map(map_of, records):
        text = _text_in_queue(record)
        if text is None:
            ignored.append(
                f"message {text_of(record['messageId'])[:100]!r} asks to confirm a subscription: nothing is fetched "
                "(confirm it with the token, as the topic's owner)"
            )
            continue
        deliveries.append(_of_queue(record, text))
    return Envelope(kind="sqs", deliveries=tuple(deliveries), ignored=tuple(ignored))


def _of_topic(record: Mapping[str, Any]) -> PlatformDelivery:
    message = map_of(record.get("Sns"))
    topic, text, message_id = (text_of(message.get(key)) for key in ("TopicArn", "Message", "MessageId"))
    if record.get("EventSource") != "aws:sns" or not topic or not message_id:
        raise unknown_event("a record of the event is no message of an SNS topic")
    return PlatformDelivery(id=message_id, origin=Origin("topic", topic, account_of(topic)), content=text)


def _of_queue(record: Mapping[str, Any], text: str) -> PlatformDelivery:
    queue = record["eventSourceARN"]
    received = text_of(map_of(record.get("attributes")).get("ApproximateReceiveCount"))
    return PlatformDelivery(
        id=record["messageId"],
        origin=Origin("queue", queue, account_of(queue)),
        content=text,
        attempt=int(received) if received.isdecimal() and len(received) < 10 else 1,
    )


def _text_in_queue(record: Mapping[str, Any]) -> str | None:
    """Return the innermost text of a queue's message; None when it is a topic's own business."""
    named = all(text_of(record.get(key)) for key in ("messageId", "eventSourceARN"))
    if record.get("eventSource") != "aws:sqs" or not named or not isinstance(record.get("body"), str):
        raise unknown_event("a record of the event is no message of an SQS queue")
    text: str = record["body"]
    message = _message_in(text)
    if message.get("Type") in CONFIRMATIONS:
        return None
    if message.get("Type") == NOTIFICATION and isinstance(message.get("Message"), str):
        return str(message["Message"])
    return text


def _message_in(text: str) -> Mapping[str, Any]:
    """Return the topic's message that a text is; what is none, or is broken, is for its source to judge."""
    if '"TopicArn"' not in text:
        return {}
    try:
        message = map_of(decode_json(encode_text(text)))
    except InvalidAlert:
        return {}
    return message if "TopicArn" in message and "MessageId" in message else {}
