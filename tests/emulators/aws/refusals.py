"""Errors of AWS on the wire: each protocol has its own form, and each service its own word for "too many"."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

THROTTLES = {
    "lambda": ("TooManyRequestsException", 429),
    "s3": ("SlowDown", 503),
    "sns": ("Throttled", 429),
    "sts": ("Throttling", 400),
    "cloudwatch": ("Throttling", 400),
}


REQUEST_ID = {"x-amzn-requestid": "00000000-0000-4000-8000-000000000000"}


class Refusal(NamedTuple):
    """An answer that is an error."""

    status: int
    headers: dict[str, str]
    body: bytes


def throttle_of(service: str) -> tuple[str, int]:
    """Return the code and the status with which a service refuses a call too many."""
    return THROTTLES.get(service, ("ThrottlingException", 400))


def refusal(service: str, headers: Mapping[str, Any], code: str, status: int, message: str) -> Refusal:
    """Return an error in the protocol that the request speaks."""
    answer = _refusal(service, headers, code, status, message)
    return answer._replace(headers=answer.headers | REQUEST_ID)


def _refusal(service: str, headers: Mapping[str, Any], code: str, status: int, message: str) -> Refusal:
    media = _text(headers, "Content-Type")
    if _text(headers, "Smithy-Protocol") == "rpc-v2-cbor":
        document = _cbor({"__type": code, "message": message})
        return Refusal(status, {"smithy-protocol": "rpc-v2-cbor", "content-type": "application/cbor"}, document)
    if service == "s3":
        xml = f"<Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error>"
        return Refusal(status, {"content-type": "application/xml"}, xml.encode())
    if media.startswith("application/x-www-form-urlencoded"):
        fault = "Sender" if status < 500 else "Receiver"
        xml = f"<Type>{fault}</Type><Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
        document = f"<ErrorResponse><Error>{xml}</Error><RequestId>r</RequestId></ErrorResponse>".encode()
        return Refusal(status, {"content-type": "text/xml"}, document)
    document = json.dumps({"__type": code, "message": message}).encode()
    return Refusal(status, {"content-type": media or "application/json", "x-amzn-errortype": code}, document)


def _text(headers: Mapping[str, Any], name: str) -> str:
    """Return a header as text: botocore keeps some as bytes."""
    value = headers.get(name, "")
    return value.decode() if isinstance(value, bytes) else value


def _cbor(pairs: Mapping[str, str]) -> bytes:
    """Return a map of texts in CBOR (RFC 8949: major types 5 and 3)."""

    def text(value: str) -> bytes:
        encoded = value.encode()
        return b"\x79" + len(encoded).to_bytes(2) + encoded

    return bytes([0xA0 | len(pairs)]) + b"".join(text(key) + text(value) for key, value in pairs.items())
