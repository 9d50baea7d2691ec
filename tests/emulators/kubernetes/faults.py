"""Faults on demand: answers that are lost, refused or garbled, by method and path, a given number of times."""

import re
import threading
from dataclasses import dataclass, field

from tests.emulators.kubernetes.errors import ApiError
from tests.emulators.kubernetes.trees import Tree

THROTTLED = "Too many requests, please try again later.\n"


@dataclass
class Fault:
    """What goes wrong. With `after`, the request has its effect first; without an answer the connection is reset."""

    method: str
    path: str
    times: int = 1
    skip: int = 0  # requests that match but pass, before the first fault
    after: bool = False
    reset: bool = False
    delay: float = 0.0
    status: int = 0
    body: str | Tree = ""
    media: str = "text/plain; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)
    seen: int = 0

    def matches(self, method: str, target: str) -> bool:
        return self.method in ("", method) and re.search(self.path, target) is not None


class Faults:
    """The scripted faults, used up in the order they were added."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def take(self, method: str, target: str) -> Fault | None:
        """Return the fault for a request, if one is left."""
        with self._lock:
            for fault in self._faults:
                if not fault.times or not fault.matches(method, target):
                    continue
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                fault.seen += 1
                return fault
        return None

    def add(self, fault: Fault) -> Fault:
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def lost_before(self, method: str, path: str, times: int = 1, skip: int = 0) -> Fault:
        """The connection is reset and nothing happened."""
        return self.add(Fault(method, path, times, skip, reset=True))

    def lost_after(self, method: str, path: str, times: int = 1, skip: int = 0) -> Fault:
        """The effect happened, then the connection is reset."""
        return self.add(Fault(method, path, times, skip, after=True, reset=True))

    def throttle(self, method: str, path: str, times: int = 1, retry_after: int | None = 1, skip: int = 0) -> Fault:
        """429 of API priority and fairness: plain text, with Retry-After."""
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        return self.add(Fault(method, path, times, skip, status=429, body=THROTTLED, headers=headers))

    def throttle_json(self, method: str, path: str, times: int = 1, retry_after: int = 1, skip: int = 0) -> Fault:
        """429 as a Status, as a webhook or a storage layer answers it."""
        error = ApiError(429, "TooManyRequests", "please try again later", retryAfterSeconds=retry_after)
        headers = {"Retry-After": str(retry_after)}
        return self._status(method, path, times, skip, error, headers)

    def webhook_down(
        self, method: str, path: str, times: int = 1, name: str = "guard.example.com", skip: int = 0
    ) -> Fault:
        """500: an admission webhook cannot be called."""
        why = f'failed calling webhook "{name}": failed to call webhook: Post "https://{name}/": connection refused'
        text = f"Internal error occurred: {why}"
        return self._status(method, path, times, skip, ApiError(500, "InternalError", text, causes=[{"message": why}]))

    def denied(self, method: str, path: str, message: str, code: int = 422, times: int = 1, skip: int = 0) -> Fault:
        """A ValidatingAdmissionPolicy says no; its default code is 422."""
        return self._status(
            method, path, times, skip, ApiError(code, "Invalid" if code == 422 else "Forbidden", message)
        )

    def unavailable(self, method: str, path: str, times: int = 1, skip: int = 0) -> Fault:
        """503 as plain text, as a load balancer or a starting server answers."""
        return self.add(Fault(method, path, times, skip, status=503, body="service unavailable\n"))

    def timeout(self, method: str, path: str, times: int = 1, after: bool = False, skip: int = 0) -> Fault:
        """504: the server gave up waiting; with `after`, the write happened all the same."""
        text = "Timeout: request did not complete within the allotted timeout"
        return self._status(method, path, times, skip, ApiError(504, "Timeout", text), after=after)

    def unauthorized(self, method: str, path: str, times: int = 1, skip: int = 0) -> Fault:
        """401: an expired token."""
        return self._status(method, path, times, skip, ApiError(401, "Unauthorized", "Unauthorized"))

    def slow(self, method: str, path: str, seconds: float, times: int = 1, after: bool = False, skip: int = 0) -> Fault:
        """The request is served late; with `after`, its effect is in time and only the answer is late."""
        return self.add(Fault(method, path, times, skip, delay=seconds, after=after))

    def garbage(self, method: str, path: str, times: int = 1, after: bool = False, skip: int = 0) -> Fault:
        """200 with a body that claims to be JSON and is not."""
        body, media = '{"kind": "Deploym', "application/json"
        return self.add(Fault(method, path, times, skip, after, status=200, body=body, media=media))

    def html(self, method: str, path: str, times: int = 1, status: int = 502, skip: int = 0) -> Fault:
        """A proxy's page instead of an answer."""
        body, media = "<html><body>Bad Gateway</body></html>", "text/html"
        return self.add(Fault(method, path, times, skip, status=status, body=body, media=media))

    def _status(
        self,
        method: str,
        path: str,
        times: int,
        skip: int,
        error: ApiError,
        headers: dict[str, str] | None = None,
        after: bool = False,
    ) -> Fault:
        fault = Fault(method, path, times, skip, after, status=error.code, body=error.status(), headers=headers or {})
        fault.media = "application/json"
        return self.add(fault)
