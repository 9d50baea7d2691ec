"""Telling a channel through an incoming webhook: each event is a message of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from runbook_adapters.patience import is_passing, wait_asked
from runbook_adapters.slack.api import NOT_BLOCKS
from runbook_adapters.slack.blocks import blocks_of, summary_of
from runbook_adapters.web import Answer, NoAnswer, Web, parts_of, without
from runbook_engine.errors import Permanent, Retryable
from runbook_engine.model.observation import Message
from runbook_engine.ports import Clock

TAKEN = "ok"  # the whole of what Slack answers then: a page that a proxy shows to everybody is no receipt


class SlackHook:
    """Posts to the channel that a webhook was made for."""

    def __init__(self, web: Web, address: Callable[[], str], clock: Clock) -> None:
        self._web = web
        self._address = address
        self._clock = clock

    def send(self, receiver: str, message: Message) -> str:
        """Deliver one message, which Slack gives no reference to. Raises Retryable, Permanent."""
        text = {"text": summary_of(message)}
        try:
            answer = self._post({**text, "blocks": blocks_of(message)})
            if answer.excerpt in NOT_BLOCKS:
                answer = self._post(text)
        except NoAnswer as error:
            raise Retryable(f"receiver {receiver} was not reached: {error}") from error
        if answer.status == 200:
            if answer.excerpt != TAKEN:
                raise Retryable(f"receiver {receiver} was not reached: what answered is not a webhook of Slack")
            return ""
        if is_passing(answer):
            said = f"receiver {receiver} was not told: Slack answered HTTP {answer.status}"
            raise Retryable(said, after=wait_asked(answer, self._clock.now()))
        why = answer.excerpt or f"HTTP {answer.status}"
        remedy = "set webhookUrl to an incoming webhook that is active and whose channel exists"
        raise Permanent(f"receiver {receiver} was not told: Slack says {why} ({remedy})")

    def _post(self, content: Mapping[str, Any]) -> Answer:
        body = msgspec.json.encode(content)
        address = self._address()
        answer = self._web.post(address, body, headers={"Content-Type": "application/json"})
        return answer if answer.status == 200 else without(parts_of(address), answer)
