"""Signed links: the question of one message, answered by whoever received it. A link shows; only a form acts.

The signature binds the execution, the exact change that is asked for, how long the question stands, and who was
sent the link. It is no credential of a person: where a team names its members, one of them must still say who he is.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

import msgspec

from runbook_engine.entrypoints.settings import InvalidSettings, Settings
from runbook_engine.errors import Busy, Permanent, Retryable, RunbookError, Unauthenticated
from runbook_engine.model.approval_address import is_approval_address
from runbook_engine.model.configuration import Configuration
from runbook_engine.model.observation import Message
from runbook_engine.ports import Notifier

SHORTEST_KEY = 32
FIELDS = ("for", "hash", "until", "sig")
VERSION = "approval-link-1"  # of what is signed
SIGNATURE = re.compile(r"sig(?:=|%3[Dd]|\\u003[Dd])[0-9a-f]+")


@dataclass(frozen=True, slots=True)
class Invitation:
    """What a genuine link says: which question it answers, until when, and who was sent it."""

    execution_id: str
    hash: str
    until: datetime
    receiver: str

    @property
    def bearer(self) -> str:
        """Who answers through it, as the audit trail names them."""
        return f"the link sent to {self.receiver}"


@dataclass(frozen=True, slots=True)
class ApprovalLinks:
    """Makes links and reads them."""

    base: str  # where the pages are, as in https://host/approvals
    key: bytes = field(repr=False)

    def url(self, invitation: Invitation) -> str:
        """Return the link of an invitation."""
        query = urlencode({**_fields(invitation), "sig": self._sign(invitation)})
        return f"{self.base}/{quote(invitation.execution_id, safe='')}?{query}"

    def read(self, execution_id: str, query: Mapping[str, Sequence[str]]) -> Invitation:
        """Return what a link says. Raises Unauthenticated, in the same words whatever is wrong with it."""
        given = {name: values[0] for name, values in query.items() if name in FIELDS and len(values) == 1}
        if set(given) != set(FIELDS):
            raise Unauthenticated("this link is not valid")
        try:
            until = datetime.fromtimestamp(int(given["until"]), UTC)
        except (ValueError, OverflowError, OSError) as error:
            raise Unauthenticated("this link is not valid") from error
        invitation = Invitation(execution_id, given["hash"], until, given["for"])
        if not hmac.compare_digest(self._sign(invitation).encode(), _bytes_of(given["sig"])):
            raise Unauthenticated("this link is not valid")
        return invitation

    def _sign(self, invitation: Invitation) -> str:
        signed = "".join(f"{len(part)}:{part}" for part in (VERSION, *_parts(invitation)))
        return hmac.new(self.key, _bytes_of(signed), hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class LinkingNotifier:
    """Tells receivers, and gives every question the link through which it is answered, signed with today's key."""

    notifier: Notifier
    links: Callable[[], ApprovalLinks]

    def send(self, receiver: str, message: Message) -> str:
        """Deliver one message. Raises what the notifier raises; without a link a question is asked all the same."""
        if not message.asks or message.until is None:
            return self.notifier.send(receiver, message)
        try:
            return self.notifier.send(receiver, self._linked(receiver, message, message.until))
        except Retryable as error:
            later = Busy if isinstance(error, Busy) else Retryable
            raise later(_unsigned(error), after=error.after) from error
        except Permanent as error:
            raise Permanent(_unsigned(error)) from error

    def _linked(self, receiver: str, message: Message, until: datetime) -> Message:
        invitation = Invitation(message.execution_id, message.asks, until.replace(microsecond=0), receiver)
        try:
            url = self.links().url(invitation)
        except RunbookError as error:
            text = f"{message.text} (there is no link to answer by: {error})"
            return msgspec.structs.replace(message, text=text)
        return msgspec.structs.replace(message, links={**message.links, "approve": url})


def links_of(configuration: Configuration, settings: Settings) -> Callable[[], ApprovalLinks] | None:
    """Return what makes the links that engine.yaml sets up, with the key as it is then; None = it sets up none.

    It raises InvalidSettings, NoAdapter, Unreadable.
    """
    chosen = configuration.approvals
    if chosen is None:
        return None
    secret = settings.keeping(configuration).secret
    return lambda: approval_links(chosen.url, secret(chosen.key), local=True)


def approval_links(base: str, key: str, *, local: bool = False) -> ApprovalLinks:
    """Return the maker of links; a `local` host may do without TLS where only its own machine can listen.

    Raises InvalidSettings when the address or the key cannot be used.
    """
    if not is_approval_address(base, local=local):
        raise InvalidSettings(f"the address of the approval pages is not one: {base} (write https://host/path)")
    if len(key) < SHORTEST_KEY:
        raise InvalidSettings(
            f"the key that signs approval links is shorter than {SHORTEST_KEY} characters "
            "(make one with: openssl rand -hex 32)"
        )
    return ApprovalLinks(base.rstrip("/"), key.encode())


def _unsigned(error: RunbookError) -> str:
    """Return an error's sentence for the record: a service may repeat what it was told, and a link lets one answer."""
    return SIGNATURE.sub("sig=...", str(error))


def _bytes_of(text: str) -> bytes:
    return text.encode(errors="surrogatepass")  # half a character fits no signature, and is no traceback


def _fields(invitation: Invitation) -> Mapping[str, str]:
    return {
        "for": invitation.receiver,
        "hash": invitation.hash,
        "until": str(int(invitation.until.timestamp())),
    }


def _parts(invitation: Invitation) -> tuple[str, ...]:
    return (invitation.execution_id, *_fields(invitation).values())
