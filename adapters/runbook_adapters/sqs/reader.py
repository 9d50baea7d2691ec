"""Reading queues: how many messages wait, whose dead letters they are, and what was moved back lately."""

from __future__ import annotations

import msgspec

from runbook_adapters.sqs.looks import Looks
from runbook_adapters.sqs.moves import move_of
from runbook_engine.model.serverless import Move, Queue
from runbook_engine.model.target import Target

SERVICE = ("app.kubernetes.io/name", "service")


class SqsReader:
    """Looks at queues."""

    def __init__(self, looks: Looks) -> None:
        self._looks = looks

    def queue(self, target: Target) -> Queue:
        """Return the queue as it is now. Raises InvalidTarget, Unreadable."""
        url = self._looks.url(target)
        attributes = self._looks.attributes(target, url)
        tags = self._looks.tags(target, url)
        sources = self._looks.sources(target, url)
        return Queue(
            target=msgspec.structs.replace(target, uid=attributes["QueueArn"]),
            messages=int(attributes["ApproximateNumberOfMessages"]),
            in_flight=int(attributes["ApproximateNumberOfMessagesNotVisible"]),
            sources=sources,
            moves=self._moves(target, attributes["QueueArn"]) if sources else (),
            service=next((tags[key] for key in SERVICE if tags.get(key)), ""),
        )

    def _moves(self, target: Target, arn: str) -> tuple[Move, ...]:
        found = (move_of(task) for task in self._looks.moves(target, arn))
        return tuple(sorted(found, key=lambda move: move.started_at, reverse=True))
