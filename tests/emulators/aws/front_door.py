"""API Gateway's HTTP API: finds the route, wraps the request, unwraps the reply, answers for functions that fail."""

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.emulators.aws import events
from tests.emulators.aws.functions import Invocation

LARGEST_BODY = 10 * 1024 * 1024
JSON = {"content-type": "application/json"}
Invoke = Callable[[str, Mapping[str, Any]], Invocation]


@dataclass(frozen=True)
class HttpReply:
    """What the client of the API is answered. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """Return the body as text."""
        return self.body.decode()

    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body)


class FrontDoor:
    """The routes of one HTTP API."""

    def __init__(self, invoke: Invoke) -> None:
        self._invoke = invoke
        self._routes: dict[str, str] = {}

    def route(self, key: str, function: str) -> None:
        """Lead requests of a route, such as `POST /hooks/{scope}` or `$default`, to a function."""
        self._routes[key] = function

    def request(self, method: str, path: str, headers: events.Pairs, body: events.Body, **more: Any) -> HttpReply:
        """Make one request."""
        found = self._find(method, path)
        if found is None:
            return message(404, "Not Found")
        key, parameters = found
        event = events.http_api(method, path, headers, body, route=key, parameters=parameters, **more)
        if len(event.get("body", "")) > LARGEST_BODY:
            return message(413, "Request Entity Too Large")
        invocation = self._invoke(self._routes[key], event)
        if invocation.error is None:
            return reply_of(invocation.reply)
        if invocation.error.get("errorType") == "Sandbox.Timedout":
            return message(503, "Service Unavailable")
        return message(500, "Internal Server Error")

    def _find(self, method: str, path: str) -> tuple[str, dict[str, str]] | None:
        """Return the most specific route that fits, with what its parameters are."""
        fitting = [(key, fit) for key in self._routes if (fit := parameters_of(key, method, path)) is not None]
        return min(fitting, key=lambda pair: (pair[0] == "$default", "+}" in pair[0], len(pair[1])), default=None)


def parameters_of(key: str, method: str, path: str) -> dict[str, str] | None:
    """Return the parameters when a route fits."""
    if key == "$default":
        return {}
    wanted, _, template = key.partition(" ")
    if wanted not in (method, "ANY"):
        return None
    pattern = re.sub(r"\\\{(\w+)\\\+\\\}", r"(?P<\1>.+)", re.escape(template))
    pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", pattern)
    fit = re.fullmatch(pattern, path)
    return None if fit is None else fit.groupdict()


def reply_of(reply: Any) -> HttpReply:
    """Return a function's reply as format 2.0 reads it: without a status code, the whole of it is the body."""
    if not isinstance(reply, dict) or "statusCode" not in reply:
        return HttpReply(200, JSON, json.dumps(reply).encode())
    text = reply.get("body") or ""
    body = base64.b64decode(text) if reply.get("isBase64Encoded") else text.encode()
    headers = {name.lower(): str(value) for name, value in (reply.get("headers") or {}).items()}
    if cookies := reply.get("cookies"):
        headers["set-cookie"] = ", ".join(cookies)
    return HttpReply(int(reply["statusCode"]), {"content-type": "text/plain; charset=utf-8"} | headers, body)


def message(status: int, text: str) -> HttpReply:
    """Return an answer of the gateway itself."""
    return HttpReply(status, JSON, json.dumps({"message": text}).encode())
