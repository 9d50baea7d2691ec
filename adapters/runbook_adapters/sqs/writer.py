"""Touching queues: dead letters are moved back to the queues that they came from, once at a time."""

from __future__ import annotations

from collections.abc import Set

from runbook_adapters.aws.clients import Clients
from runbook_adapters.aws.problems import touching
from runbook_adapters.aws.touching import Receipt, before_touching, send
from runbook_adapters.sqs.looks import NOT_FOUND, Looks
from runbook_adapters.sqs.moves import id_of
from runbook_engine.errors import Conflict, EffectUnknown, InvalidTarget, Permanent, Unreadable
from runbook_engine.model.target import Target

FASTEST = 500  # messages a second that SQS moves at most
ACTIVE = ("RUNNING", "CANCELLING")
ALREADY = ("already", "active task")  # in what SQS says of a second redrive; there is no code of its own


class SqsWriter:
    """Touches queues."""

    def __init__(self, looks: Looks, clients: Clients) -> None:
        self._looks = looks
        self._clients = clients

    def redrive(self, target: Target, *, per_second: int | None = None) -> Receipt:
        """Begin to move a dead-letter queue's messages back to where they came from. Receipt: `move`, its id."""
        if per_second is not None and not 1 <= per_second <= FASTEST:
            raise Permanent(f"cannot redrive {target} at {per_second} messages a second (1 to {FASTEST})")
        with before_touching():
            url = self._looks.url(target)
            arn = self._looks.attributes(target, url)["QueueArn"]
            has_sources = bool(self._looks.sources(target, url))
            before = self._looks.moves(target, arn) if has_sources else ()
        if target.uid and arn != target.uid:
            raise Conflict(f"{target} is another queue than the one that was looked at; nothing was moved")
        if not has_sources:
            raise Permanent(
                f"cannot redrive {target}: no queue sends its dead letters there (name the dead-letter queue itself)"
            )
        if any(task.get("Status") in ACTIVE for task in before):
            raise Conflict(f"messages of {target} are being moved already; no second redrive was begun")
        return self._begin(target, arn, frozenset(map(id_of, before)), per_second)

    def _begin(self, target: Target, arn: str, before: Set[str], per_second: int | None) -> Receipt:
        rate = {} if per_second is None else {"MaxNumberOfMessagesPerSecond": per_second}

        def ask() -> Receipt:
            with touching(f"cannot redrive {target}", lambda code, reason: _meaning(code, reason, target)):
                self._clients.touching("sqs").start_message_move_task(SourceArn=arn, **rate)
            return {}

        return send(ask, lambda: self._newest(target, arn, before)) or self._listed(target, arn, before)

    def _listed(self, target: Target, arn: str, before: Set[str]) -> Receipt:
        """Return the redrive that SQS has just accepted. Raises EffectUnknown: only its list says what it is called."""
        says = f"a redrive of {target} was begun"
        try:
            found = self._newest(target, arn, before)
        except (InvalidTarget, Unreadable) as error:
            raise EffectUnknown(f"{says}, and cannot be looked at: {error}") from error
        if found is None:
            raise EffectUnknown(f"{says}, and SQS does not list it yet")
        return found

    def _newest(self, target: Target, arn: str, before: Set[str]) -> Receipt | None:
        """Return the redrive that was not there before: there is one at a time, whoever began it."""
        begun = {id_of(task) for task in self._looks.moves(target, arn)} - before
        return {"move": max(begun, key=int)} if begun else None


def _meaning(code: str, reason: str, target: Target) -> Exception | None:
    if code in NOT_FOUND:
        return Permanent(f"cannot redrive {target}: it is gone (check the name, the account and the region)")
    if any(word in reason.lower() for word in ALREADY):
        return Conflict(f"messages of {target} are being moved already; no second redrive was begun")
    return None
