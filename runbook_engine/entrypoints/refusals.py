"""Refusals: which status code an error is, in every host. Never a redirect, never 429, never an echo of input."""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

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


class InvalidRequest(RunbookError):
    """What a person or a script asked for is malformed; `status` is the code of the answer."""

    def __init__(self, message: str, status: int = 400) -> None:
        self.status = status
        super().__init__(message)


class Refusal(msgspec.Struct, frozen=True):
    """What a caller is answered instead of what it asked for."""

    status: int
    code: str
    message: str
    retry_after: int = 0  # seconds

    @property
    def body(self) -> bytes:
        """The answer as JSON."""
        return msgspec.json.encode({"error": {"code": self.code, "message": self.message}})

    @property
    def headers(self) -> dict[str, str]:
        """What the caller's library must be told."""
        if self.status == 401:
            return {"WWW-Authenticate": "Bearer"}
        return {"Retry-After": str(max(1, self.retry_after or RETRY_AFTER))} if self.status == 503 else {}


def refusal_of(error: Exception) -> Refusal:
    """Return what an error is to a caller. What they cannot help is 503, which every sender that retries accepts."""
    if isinstance(error, InvalidAlert):
        return Refusal(ALERT_CODES.get(error.code, 400), error.code, error.message)
    if isinstance(error, InvalidRequest):
        return Refusal(error.status, "invalid_request", str(error))
    for kind, (status, code, sentence) in CODES.items():
        if isinstance(error, kind):
            return Refusal(status, code, sentence or str(error))
    if isinstance(error, Overloaded):
        return Refusal(503, "overloaded", "not taken, send it again later", math.ceil(error.after.total_seconds()))
    return Refusal(503, "unavailable", "not taken, send it again later; the server's log says why", RETRY_AFTER)
