"""Answers: what the server says, as JSON."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from flask import Response, request
from werkzeug.exceptions import HTTPException

from runbook_engine.entrypoints.refusals import InvalidRequest, Refusal
from runbook_engine.entrypoints.server.bodies import read_body
from runbook_engine.model.decoding import from_json

LARGEST_WISH = 16 * 1024  # bytes of a person's request

Wish = TypeVar("Wish")


def answer(content: Any, status: int = 200) -> Response:
    """Return an answer as JSON."""
    return Response(msgspec.json.encode(content), status, content_type="application/json")


def answer_refusal(refusal: Refusal) -> Response:
    """Return what a program is told instead of what it asked for."""
    return Response(refusal.body, refusal.status, refusal.headers, content_type="application/json")


def refusal_of_http(error: HTTPException) -> Refusal:
    """Return what HTTP itself refuses."""
    status = error.code if error.code is not None and error.code >= 400 else 404
    code = {413: "too_large", 415: "unsupported_media_type", 404: "not_found"}.get(status, "invalid_request")
    return Refusal(status, code, error.name)


def read_wish(kind: type[Wish]) -> Wish:
    """Return a person's request body. Raises InvalidRequest; it must say that it is JSON."""
    if request.mimetype != "application/json":
        raise InvalidRequest("the Content-Type must be application/json", 415)
    request.max_content_length = LARGEST_WISH + 1
    body = read_body()
    if len(body) > LARGEST_WISH:
        raise InvalidRequest(f"the body is larger than {LARGEST_WISH} bytes", 413)
    try:
        return from_json(body, kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        wanted = ", ".join(field.encode_name for field in msgspec.structs.fields(kind))  # type: ignore[arg-type]  # structs
        raise InvalidRequest(f"the body is not an object with the keys {wanted}") from error
