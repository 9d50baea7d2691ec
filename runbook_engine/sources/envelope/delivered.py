"""What came out of an envelope: deliveries that were posted, or that the platform brought, and who brought them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from runbook_engine.errors import InvalidAlert
from runbook_engine.model.delivery import Headers

EnvelopeKind = Literal["alb", "http_api", "function_url", "rest", "sns", "sqs", "events", "logs", "alarm", "task"]
OriginKind = Literal["topic", "queue", "events", "alarm", "logs", "task"]
POSTED: frozenset[EnvelopeKind] = frozenset(("alb", "http_api", "function_url", "rest"))
FIFO = ".fifo"


class Origin(msgspec.Struct, frozen=True):
    """Who of the platform brought a delivery: the ARN of a topic, queue or alarm, an event's source, a log group."""

    kind: OriginKind
    name: str
    account: str = ""

    def __str__(self) -> str:
        """Return the origin as engine.yaml names it, with its kind before it."""
        named = self.name.startswith("arn:") or not self.account
        return f"{self.kind} {self.name}" if named else f"{self.kind} {self.name}@{self.account}"


class HttpDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """One request that somebody posted; nothing of it is known to be true yet."""

    id: str  # the platform's name of the request; empty when it gives none
    method: str
    path: str
    scope: str  # the route's parameter, else the one segment behind /hooks/; empty = none
    headers: Headers
    content: str | None
    encoded: bool  # the platform says that the content is base64
    parameters: Mapping[str, str] = {}
    query: Mapping[str, tuple[str, ...]] = {}
    source_ip: str = ""

    def read(self) -> bytes:
        """Return the raw body. Raises InvalidAlert when it is not what the platform says it is."""
        if self.encoded:
            return decode_base64(self.content or "")
        return encode_text(self.content or "")


class PlatformDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """One message that the platform brought, and from where."""

    id: str
    origin: Origin
    content: str | bytes
    attempt: int = 1
    replayed: bool = False  # out of an archive: it is told, and nobody acts on it

    def read(self) -> bytes:
        """Return the innermost message. Raises InvalidAlert when it is no text."""
        return self.content if isinstance(self.content, bytes) else encode_text(self.content)


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """One event of a function, unwrapped. `ignored` says in sentences what needs nothing done."""

    kind: EnvelopeKind
    deliveries: tuple[HttpDelivery | PlatformDelivery, ...] = ()
    ignored: tuple[str, ...] = ()
    several_headers: bool = False  # the balancer sends, and wants back, a list of values for every header

    @property
    def is_http(self) -> bool:
        """Whether somebody waits for an answer."""
        return self.kind in POSTED

    @property
    def posted(self) -> HttpDelivery | None:
        """The one request, when it was posted."""
        return next((delivery for delivery in self.deliveries if isinstance(delivery, HttpDelivery)), None)

    @property
    def brought(self) -> tuple[PlatformDelivery, ...]:
        """The messages that the platform brought, in order."""
        return tuple(delivery for delivery in self.deliveries if isinstance(delivery, PlatformDelivery))

    @property
    def in_order(self) -> bool:
        """Whether nothing may be taken after the first that cannot be."""
        return self.kind == "sqs" and any(delivery.origin.name.endswith(FIFO) for delivery in self.brought)


def unknown_event(says: str) -> InvalidAlert:
    """Return the error for an event that is none of those known; it never holds what stood in the event."""
    return InvalidAlert("unknown_event", says)


def decode_base64(text: str) -> bytes:
    """Return the bytes, or raise InvalidAlert: what is not strictly base64 was not encoded by the platform."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidAlert("bad_encoding", "the body is said to be base64 and is not") from error


def encode_text(text: str) -> bytes:
    """Return the text as UTF-8, or raise InvalidAlert: half of a surrogate pair is no character."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise InvalidAlert("bad_encoding", "the body holds what is no character") from error


def encode_json(event: Mapping[str, Any]) -> bytes:
    """Return an event as the JSON that it was, or raise InvalidAlert."""
    try:
        return msgspec.json.encode(event)
    except (TypeError, ValueError, RecursionError, OverflowError) as error:
        raise InvalidAlert("invalid_json", "the event cannot be written as JSON") from error


def account_of(arn: str) -> str:
    """Return the account in an ARN; empty when there is none."""
    parts = arn.split(":", 5)
    return parts[4] if len(parts) == 6 and parts[0] == "arn" else ""
