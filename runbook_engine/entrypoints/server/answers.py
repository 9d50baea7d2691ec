"""Answers: JSON bodies, and which status code an error is. Never a redirect, never 429, never an echo of input."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from flask import Response, request
from werkzeug.exceptions import HTTPException

from runbook_engine.entrypoints.server.bodies import read_body
from runbook_engine.errors import (
    Conflict,
    Forbidden,
    InvalidAlert,
    InvalidTarget,
    Overloaded,
    RunbookError,
    StalePlan,
    Unauthenticated,
    UnknownExecution,
    UnknownIncident,
)

ALERT_CODES: Mapping[str, int] = {
    "too_large": 413,
    "unsupported_media_type": 415,
    "unauthorized": 401,
    "replay": 401,
    "overloaded": 503,
}
CODES: Mapping[type[Exception], tuple[int, str, str]] = {  # status, code, and a sentence where theirs is an echo
    Unauthenticated: (401, "unauthorized", ""),
    Forbidden: (403, "forbidden", ""),
    UnknownExecution: (404, "not_found", "there is no such execution"),
    UnknownIncident: (404, "not_found", "there is no such incident"),
    StalePlan: (409, "stale_plan", ""),
    Conflict: (409, "conflict", ""),
    InvalidTarget: (400, "invalid_target", ""),
}
RETRY_AFTER = 5  # seconds
LARGEST_WISH = 16 * 1024  # bytes of a person's request

Wish = TypeVar("Wish")


class InvalidRequest(RunbookError):
    """What a person or a script asked for is malformed; `status` is the code of the answer."""

    def __init__(self, message: str, status: int = 400) -> None:
        self.status = status
        super().__init__(message)


def answer(content: Any, status: int = 200) -> Response:
    """Return an answer as JSON."""
    return Response(msgspec.json.encode(content), status, content_type="application/json")


def answer_error(error: Exception) -> Response:
    """Return what an error is to a caller. What they cannot help is 503, which every sender that retries accepts."""
    if isinstance(error, InvalidAlert):
        return _refusal(ALERT_CODES.get(error.code, 400), error.code, error.message)
    if isinstance(error, InvalidRequest):
        return _refusal(error.status, "invalid_request", str(error))
    for kind, (status, code, sentence) in CODES.items():
        if isinstance(error, kind):
            return _refusal(status, code, sentence or str(error))
    if isinstance(error, Overloaded):
        return _refusal(503, "overloaded", "not taken, send it again later", math.ceil(error.after.total_seconds()))
    return _refusal(503, "unavailable", "not taken, send it again later; the server's log says why", RETRY_AFTER)


def answer_http_error(error: HTTPException) -> Response:
    """Return what HTTP itself refuses."""
    status = error.code if error.code is not None and error.code >= 400 else 404
    code = {413: "too_large", 415: "unsupported_media_type", 404: "not_found"}.get(status, "invalid_request")
    response = _refusal(status, code, error.name)
    if allowed := getattr(error, "valid_methods", None):
        response.headers["Allow"] = ", ".join(sorted(allowed))
    return response


def read_wish(kind: type[Wish]) -> Wish:
    """Return a person's request body. Raises InvalidRequest; it must say that it is JSON."""
    if request.mimetype != "application/json":
        raise InvalidRequest("the Content-Type must be application/json", 415)
    request.max_content_length = LARGEST_WISH + 1
    body = read_body()
    if len(body) > LARGEST_WISH:
        raise InvalidRequest(f"the body is larger than {LARGEST_WISH} bytes", 413)
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        wanted = ", ".join(field.encode_name for field in msgspec.structs.fields(kind))  # type: ignore[arg-type]  # structs
        raise InvalidRequest(f"the body is not an object with the keys {wanted}") from error


def _refusal(status: int, code: str, message: str, retry_after: int = 0) -> Response:
    response = answer({"error": {"code": code, "message": message}}, status)
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if status == 503:
        response.headers["Retry-After"] = str(max(1, retry_after or RETRY_AFTER))
    return response
