"""Telling a receiver by an HTTP request with one JSON document."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

import msgspec

from runbook_adapters.patience import is_passing, wait_asked
from runbook_adapters.receivers.templates import Template
from runbook_adapters.web import Answer, NoAnswer, Web, parts_of, without
from runbook_engine.errors import Permanent, Retryable
from runbook_engine.model.observation import Message
from runbook_engine.ports import Clock


@dataclass(frozen=True, slots=True)
class Wire:
    """How one address is asked, and which answers mean that it was told."""

    web: Web
    address: Callable[[], str]
    headers: Callable[[], dict[str, str]]
    method: str = "POST"
    expect: frozenset[int] = frozenset()
    plain: frozenset[str] = frozenset()  # the headers that are no secrets
    address_is_secret: bool = False

    def send(self, body: bytes, message_id: str) -> Answer:
        """Send once. Raises NoAnswer."""
        ours = {"Content-Type": "application/json", "Idempotency-Key": quote(message_id, safe=":-_.")}
        address, theirs = self.address(), self.headers()
        answer = self.web.send(self.method, address, body, headers={**ours, **theirs})
        secrets = [value for name, value in theirs.items() if name not in self.plain]
        return without((*secrets, *(parts_of(address) if self.address_is_secret else ())), answer)

    def told(self, answer: Answer) -> bool:
        """Whether the other side says that it was told."""
        return answer.status in self.expect if self.expect else 200 <= answer.status < 300


class Webhook:
    """Sends messages to one address."""

    def __init__(self, wire: Wire, template: Template | None, clock: Clock) -> None:
        self._wire = wire
        self._template = template
        self._clock = clock

    def send(self, receiver: str, message: Message) -> str:
        """Deliver one message, which has no reference. Raises Retryable, or Permanent when it is refused for good."""
        if self._template is not None:
            body = self._template.render(receiver, message)
        else:
            body = msgspec.json.encode({"receiver": receiver, **msgspec.to_builtins(message)})
        try:
            answer = self._wire.send(body, message.id)
        except NoAnswer as error:
            raise Retryable(f"receiver {receiver} was not reached: {error}") from error
        if self._wire.told(answer):
            return ""
        raise self._failure(receiver, answer)

    def _failure(self, receiver: str, answer: Answer) -> Retryable | Permanent:
        said = f"receiver {receiver} answered HTTP {answer.status}" + (f": {answer.excerpt}" if answer.excerpt else "")
        if is_passing(answer):
            return Retryable(said, after=wait_asked(answer, self._clock.now()))
        if 300 <= answer.status < 400:
            return Permanent(f"receiver {receiver} redirects, which is not followed (set its url to the final address)")
        if self._template is not None:
            remedy = f"correct the url, headers or template of receiver {receiver} in engine.yaml"
            return Permanent(f"{said} ({remedy})")
        return Permanent(f"{said} (correct the url or token of receiver {receiver} in engine.yaml)")


def sendable(name: str, value: str) -> str:
    """Return a header's value. Raises NoAnswer when no header can hold it."""
    if not (value.isascii() and value.isprintable()):
        raise NoAnswer(f"the header {name} holds a line break or another character that no header can hold")
    return value
