"""Paging: one event to the Events API v2, and what its answers mean."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from runbook_adapters.pagerduty.events import body_of, key_of, wish_of
from runbook_adapters.patience import is_passing, wait_asked
from runbook_adapters.web import Answer, NoAnswer, Web, without
from runbook_engine.errors import Permanent, Retryable
from runbook_engine.model.decoding import from_json
from runbook_engine.model.observation import Message
from runbook_engine.ports import Clock

PATH = "/v2/enqueue"


class PagerDutyReply(msgspec.Struct, frozen=True, kw_only=True):
    """What PagerDuty answers, as far as it matters here."""

    status: str = ""
    message: str = ""
    errors: tuple[str, ...] = ()
    dedup_key: str = ""


class PagerDuty:
    """Pages through one integration."""

    def __init__(self, web: Web, base: str, routing_key: Callable[[], str], clock: Clock) -> None:
        self._web = web
        self._base = base
        self._routing_key = routing_key
        self._clock = clock

    def send(self, receiver: str, message: Message) -> str:
        """Deliver one message; return the key of its alert. Raises Retryable, or Permanent when it is refused."""
        wish = wish_of(message)
        if wish is None:
            return message.reference
        key = self._routing_key()
        body = body_of(message, wish, key)
        try:
            told = self._web.post(f"{self._base}{PATH}", body, headers={"Content-Type": "application/json"})
        except NoAnswer as error:
            raise Retryable(f"receiver {receiver} was not reached: {error}") from error
        answer = without((key,), told)
        if 200 <= answer.status < 300:
            if not _is_taken(answer):
                raise Retryable(f"receiver {receiver} was not reached: what answered is not PagerDuty")
            return key_of(message)
        if is_passing(answer):
            said = f"receiver {receiver} was not told: PagerDuty answered HTTP {answer.status}"
            raise Retryable(said, after=wait_asked(answer, self._clock.now()))
        remedy = "set routingKey to the integration key of an Events API v2 integration, of this url's region"
        raise Permanent(f"receiver {receiver} was not told: PagerDuty says {_why(answer)} ({remedy})")


def _is_taken(answer: Answer) -> bool:
    """Whether PagerDuty itself says so: a page that a proxy shows to everybody is no receipt."""
    try:
        return from_json(answer.body, PagerDutyReply).status == "success"
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False


def _why(answer: Answer) -> str:
    try:
        reply = from_json(answer.body, PagerDutyReply)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return f"HTTP {answer.status}"
    said = "; ".join(part for part in (reply.message, *reply.errors) if part) or f"HTTP {answer.status}"
    return "".join(character for character in said if character.isprintable())[:300]
