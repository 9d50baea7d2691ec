"""Simulated requests: sent to nobody, remembered, and ended as a test says; one token is taken once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from runbook_engine.errors import Conflict, InvalidTarget, Permanent
from runbook_engine.model.configuration import RequestTemplate
from runbook_engine.model.plan import Value
from runbook_engine.model.request import ANSWER_ID, RequestState, fill_address, fill_body
from runbook_engine.ports import Clock
from runbook_engine.testing.faults import Faults

End = Literal["succeeded", "failed"]


@dataclass(frozen=True, slots=True)
class SentRequest:
    """One request as the other side would see it."""

    id: str
    at: datetime
    name: str
    url: str
    body: bytes
    token: str


class SimulatedRequests:
    """Reader and writer of requests."""

    def __init__(self, clock: Clock, faults: Faults) -> None:
        self._clock = clock
        self._faults = faults
        self._templates: dict[str, RequestTemplate] = {}
        self.sent: list[SentRequest] = []
        self.run_time = timedelta(seconds=10)  # how long one is under way whose status is asked
        self.ends: dict[str, End] = {}  # by name; one that is not named succeeds

    def allow(self, template: RequestTemplate) -> None:
        """Let runbooks send a request."""
        self._templates[template.name] = template

    def template(self, name: str) -> RequestTemplate:
        """Return a pinned request. Raises InvalidTarget."""
        if name not in self._templates:
            known = ", ".join(self._templates) or "none is named"
            raise InvalidTarget(f"unknown request {name!r}; known are {known} (add it under requests in engine.yaml)")
        return self._templates[name]

    def state(self, name: str, arguments: Mapping[str, str], answer_id: str) -> RequestState:
        """Return how far the newest such request is."""
        self._faults.look("requests.state")
        template = self.template(name)
        if template.status is not None:
            fill_address(template.status.url, {**_values(arguments), ANSWER_ID: answer_id})
        newest = next((each for each in reversed(self.sent) if each.name == name), None)
        if newest is None or self._clock.now() - newest.at < self.run_time:
            return RequestState(status="running", reason="under way")
        if self.ends.get(name, "succeeded") == "failed":
            return RequestState(status="failed", reason="it was told to fail")
        return RequestState(status="done", reason="done")

    def send(self, name: str, arguments: Mapping[str, str], *, digest: str, token: str) -> Mapping[str, Value]:
        """Send a request; one with a token that was taken already changes nothing."""
        return self._faults.touch("requests.send", name, token, lambda: self._send(name, arguments, digest, token))

    def _send(self, name: str, arguments: Mapping[str, str], digest: str, token: str) -> Mapping[str, Value]:
        try:
            template = self.template(name)
        except InvalidTarget as error:
            raise Permanent(str(error)) from error
        if template.digest != digest:
            raise Conflict(f"request {name} is another one now than the one that was approved")
        values = _values(arguments)
        url, body = fill_address(template.url, values), fill_body(template.body, values) if template.body else b""
        earlier = next((each for each in self.sent if template.repeat == "token" and each.token == token), None)
        if earlier is not None:
            return {"id": earlier.id, "unchanged": True}
        request = SentRequest(f"request-{len(self.sent) + 1}", self._clock.now(), name, url, body, token)
        self.sent.append(request)
        if template.status is None and self.ends.get(name) == "failed":
            raise Permanent(f"request {name} was refused: it was told to fail")
        return {"id": request.id}


def _values(arguments: Mapping[str, str]) -> dict[str, str]:
    return {f"parameters.{name}": value for name, value in arguments.items()}
