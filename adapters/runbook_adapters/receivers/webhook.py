"""Telling a receiver by an HTTP POST of one JSON object."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import quote

import msgspec

from runbook_adapters.web import Answer, NoAnswer, Web
from runbook_engine.errors import Permanent, Retryable
from runbook_engine.model.observation import Message
from runbook_engine.ports import Clock

LONGEST_WAIT = timedelta(minutes=15)  # whatever the other side asks for
TRY_AGAIN = frozenset({408, 425, 429})


class Webhook:
    """Posts messages to one address."""

    def __init__(
        self, web: Web, address: Callable[[], str], headers: Callable[[], dict[str, str]], clock: Clock
    ) -> None:
        self._web = web
        self._address = address
        self._headers = headers
        self._clock = clock

    def send(self, receiver: str, message: Message) -> None:
        """Deliver one message. Raises Retryable, or Permanent when it would be refused again."""
        body = msgspec.json.encode({"receiver": receiver, **msgspec.to_builtins(message)})
        key = {"Content-Type": "application/json", "Idempotency-Key": quote(message.id, safe=":-_.")}
        try:
            answer = self._web.post(self._address(), body, headers={**key, **self._headers()})
        except NoAnswer as error:
            raise Retryable(f"receiver {receiver} was not reached: {error}") from error
        if 200 <= answer.status < 300:
            return
        said = f"receiver {receiver} answered HTTP {answer.status}" + (f": {answer.excerpt}" if answer.excerpt else "")
        if answer.status in TRY_AGAIN or answer.status >= 500:
            raise Retryable(said, after=_wait(answer, self._clock.now()))
        if 300 <= answer.status < 400:
            raise Permanent(f"receiver {receiver} redirects, which is not followed (set its url to the final address)")
        raise Permanent(f"{said} (correct the url or token of receiver {receiver} in engine.yaml)")


def _wait(answer: Answer, now: datetime) -> timedelta | None:
    """Return how long the other side asks us to wait, in either form that HTTP knows."""
    asked = answer.headers.get("retry-after", "").strip()
    if asked.isdigit() and len(asked) < 9:
        return min(timedelta(seconds=int(asked)), LONGEST_WAIT)
    try:
        until = parsedate_to_datetime(asked)
    except ValueError:
        return None
    aware = until if until.tzinfo else until.replace(tzinfo=UTC)
    return min(max(aware - now, timedelta(0)), LONGEST_WAIT)
