"""Telling a channel through a bot: the first event of a run posts, the next ones bring that message up to date.

An update notifies nobody, so a question and an end are said once more in its thread; a question, and an end that is
not fixed, are shown in the channel as well. Where the first message cannot be reached any more, whatever the reason,
a new one is posted: nothing that Slack says of an update may swallow a page. A storm is no news of one run, and is
posted by itself.
"""

from __future__ import annotations

from typing import Any

from runbook_adapters.slack.api import NOT_BLOCKS, PASSING, SlackApi, SlackRefusal
from runbook_adapters.slack.blocks import blocks_of, reply_blocks_of, summary_of
from runbook_adapters.web import NoAnswer
from runbook_engine.errors import Retryable
from runbook_engine.model.observation import Message

STORM = "storm"
SAID_AGAIN = frozenset(("approval", "blocked", "notFixed", "ended"))
LITERAL = {"parse": "none", "link_names": False}
QUIET = {**LITERAL, "unfurl_links": False, "unfurl_media": False}


class SlackReceiver:
    """Posts to one channel."""

    def __init__(self, api: SlackApi, channel: str) -> None:
        self._api = api
        self._channel = channel

    def send(self, receiver: str, message: Message) -> str:
        """Deliver one message; return the channel and the time by which Slack knows it. Raises Retryable, Permanent."""
        try:
            return self._tell(message)
        except SlackRefusal as error:
            raise self._api.failure(error, receiver) from error
        except NoAnswer as error:
            raise Retryable(f"receiver {receiver} was not reached: {error}") from error
        except Retryable as error:
            raise Retryable(f"receiver {receiver} was not told: {error}", after=error.after) from error

    def _tell(self, message: Message) -> str:
        if message.event == STORM:
            self._post(message)
            return message.reference
        channel, _, ts = message.reference.partition(":")
        if not (channel and ts):
            return self._post(message)
        try:
            self._bring_up_to_date(channel, ts, message)
        except SlackRefusal as error:
            if error.code in PASSING:
                raise
            return self._post(message)
        return message.reference

    def _bring_up_to_date(self, channel: str, ts: str, message: Message) -> None:
        if not message.overtaken:
            self._api.call("chat.update", {"channel": channel, "ts": ts, **_whole(message), **LITERAL})
        if message.overtaken or message.event in SAID_AGAIN:
            self._reply(channel, ts, message)

    def _post(self, message: Message) -> str:
        try:
            posted = self._api.call("chat.postMessage", {"channel": self._channel, **_whole(message), **QUIET})
        except SlackRefusal as error:
            if error.code not in NOT_BLOCKS:
                raise
            text = {"text": summary_of(message)}
            posted = self._api.call("chat.postMessage", {"channel": self._channel, **text, **QUIET})
        return f"{posted.channel}:{posted.ts}" if posted.channel and posted.ts else ""

    def _reply(self, channel: str, ts: str, message: Message) -> None:
        arguments = {"channel": channel, "thread_ts": ts, "reply_broadcast": _is_urgent(message)}
        news = {"text": summary_of(message), "blocks": reply_blocks_of(message)}
        self._api.call("chat.postMessage", {**arguments, **news, **QUIET})


def _whole(message: Message) -> dict[str, Any]:
    return {"text": summary_of(message), "blocks": blocks_of(message)}


def _is_urgent(message: Message) -> bool:
    ended_well = message.event == "ended" and message.status in ("succeeded", "cancelled")
    return message.event in SAID_AGAIN and not ended_well
