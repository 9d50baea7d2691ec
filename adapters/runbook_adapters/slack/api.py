"""Slack's Web API: one call, and what each of its refusals means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from runbook_adapters.patience import is_passing, wait_asked
from runbook_adapters.web import Answer, NoAnswer, Web, bearer
from runbook_engine.errors import Permanent, Retryable, Unreadable
from runbook_engine.model.decoding import from_json
from runbook_engine.ports import Clock

PASSING = frozenset(
    (
        *("ratelimited", "rate_limited", "message_limit_exceeded", "internal_error", "fatal_error"),
        *("service_unavailable", "request_timeout", "team_added_to_org"),
    )
)
NOT_BLOCKS = frozenset(("invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long"))  # the text alone will do
TOKEN = "set token to the bot token of an app that is installed, as in xoxb-..."
CHANNEL = "set channel to its id, as in C024BE91L, and invite the bot"
SCOPE = "give the app the scope chat:write and install it again"
REMEDIES: Mapping[str, str] = {
    "account_inactive": TOKEN,
    "channel_not_found": CHANNEL,
    "ekm_access_denied": "ask an administrator of the workspace",
    "invalid_auth": TOKEN,
    "is_archived": "unarchive the channel, or name another",
    "missing_scope": SCOPE,
    "no_permission": SCOPE,
    "not_allowed_token_type": TOKEN,
    "not_authed": TOKEN,
    "not_in_channel": "invite the bot with /invite in that channel",
    "org_login_required": "ask an administrator of the workspace",
    "restricted_action": "let the bot post there, in the settings of the channel",
    "token_expired": TOKEN,
    "token_revoked": TOKEN,
}
ELSE = "see the error of that name in Slack's documentation of the method"


class SlackReply(msgspec.Struct, frozen=True, kw_only=True):
    """What Slack answers, as far as it matters here."""

    ok: bool
    error: str = ""
    channel: str = ""
    ts: str = ""
    user: str = ""
    team: str = ""


class SlackRefusal(Exception):
    """Slack said no; `code` is its own word for why."""

    def __init__(self, code: str, answer: Answer) -> None:
        self.code = code
        self.answer = answer
        super().__init__(code)


class SlackApi:
    """Calls with one token."""

    def __init__(self, web: Web, base: str, token: Callable[[], str], clock: Clock) -> None:
        self._web = web
        self._base = base
        self._token = token
        self._clock = clock

    def call(self, method: str, arguments: Mapping[str, Any]) -> SlackReply:
        """Call one method. Raises SlackRefusal, NoAnswer, and Retryable when Slack itself has trouble."""
        headers = {"Content-Type": "application/json; charset=utf-8", **bearer(self._token())}
        answer = self._web.post(f"{self._base}/{method}", msgspec.json.encode(arguments), headers=headers)
        if is_passing(answer):
            raise Retryable(f"Slack answered HTTP {answer.status}", after=wait_asked(answer, self._clock.now()))
        if answer.status != 200:
            raise SlackRefusal(f"HTTP {answer.status}", answer)
        try:
            reply = from_json(answer.body, SlackReply)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise NoAnswer("what answered is not Slack's API") from error
        if not reply.ok:
            raise SlackRefusal(reply.error or "nothing", answer)
        return reply

    def failure(self, refusal: SlackRefusal, receiver: str) -> Retryable | Permanent:
        """Return what a refusal is to the engine."""
        if refusal.code in PASSING:
            after = wait_asked(refusal.answer, self._clock.now())
            return Retryable(f"receiver {receiver} was not told: Slack says {refusal.code}", after=after)
        remedy = REMEDIES.get(refusal.code, ELSE)
        return Permanent(f"receiver {receiver} was not told: Slack says {_word(refusal.code)} ({remedy})")

    def probe(self) -> str:
        """Say as whom it posts. Raises Unreadable, NoAdapter."""
        try:
            reply = self.call("auth.test", {})
        except SlackRefusal as error:
            remedy = REMEDIES.get(error.code, ELSE)
            raise Unreadable(f"Slack says {_word(error.code)} ({remedy})") from error
        except (NoAnswer, Retryable) as error:
            raise Unreadable(f"Slack was not reached: {error}") from error
        return f"posts as {_word(reply.user)} in the workspace {_word(reply.team)}, nothing was sent"


def _word(text: str) -> str:
    return "".join(character for character in text if character.isprintable())[:100]
