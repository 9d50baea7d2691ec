"""The wire: one HTTP request to this machine, with a time limit."""

from __future__ import annotations

from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException

TIME_LIMIT = 2.0  # seconds


def ask(
    port: int, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> tuple[int, bytes]:
    """Return status and body; status 0 when nobody answers."""
    connection = HTTPConnection("127.0.0.1", port, timeout=TIME_LIMIT)
    try:
        connection.request(method, path, body or None, dict(headers or {}))
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, HTTPException):
        return 0, b""
    finally:
        connection.close()


def answers(port: int, path: str) -> bool:
    """Whether a GET is answered with 200."""
    return ask(port, "GET", path)[0] == 200
