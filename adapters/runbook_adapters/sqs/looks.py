"""Looks: what SQS answers about one queue, each question once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runbook_adapters.aws.clients import Clients
from runbook_adapters.aws.looks import looking_for
from runbook_adapters.aws.problems import part
from runbook_engine.errors import InvalidTarget
from runbook_engine.model.target import Target

NOT_FOUND = (
    "AWS.SimpleQueueService.NonExistentQueue",
    "QueueDoesNotExist",
    "ResourceNotFoundException",
    "AWS.SimpleQueueService.QueueDeletedRecently",
)
ATTRIBUTES = ("QueueArn", "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
MOST_MOVES = 10  # that SQS tells of
_NAME = re.compile(r"[A-Za-z0-9_-]{1,75}(\.fifo)?|[A-Za-z0-9_-]{1,80}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Looks:
    """Asks about queues; each method raises InvalidTarget for what does not exist, and Unreadable."""

    clients: Clients

    def url(self, target: Target) -> str:
        """Return the address of a queue."""
        if target.kind != "queue" or not _NAME.fullmatch(target.name):
            raise InvalidTarget(f"{target} names no queue (write its name: letters, digits, _ and -, maybe .fifo)")
        return str(self._ask("get_queue_url", target, "", "QueueUrl", QueueName=target.name)["QueueUrl"])

    def attributes(self, target: Target, url: str) -> Mapping[str, str]:
        """Return the ARN of a queue and its counts."""
        asked = {"QueueUrl": url, "AttributeNames": list(ATTRIBUTES)}
        found: Mapping[str, str] = self._ask("get_queue_attributes", target, "", "Attributes", **asked)["Attributes"]
        with looking_for(str(target), _unknown(target)):
            return {name: part(found, name) for name in ATTRIBUTES}

    def tags(self, target: Target, url: str) -> Mapping[str, str]:
        """Return the tags of a queue."""
        return dict(self._ask("list_queue_tags", target, "the tags of ", QueueUrl=url).get("Tags") or {})

    def sources(self, target: Target, url: str) -> tuple[str, ...]:
        """Return the names of the queues whose dead letters come here, in order."""
        with looking_for(f"the sources of {target}", _unknown(target), *NOT_FOUND):
            paginator = self.clients.looking("sqs").get_paginator("list_dead_letter_source_queues")
            found = [each for page in paginator.paginate(QueueUrl=url) for each in part(page, "queueUrls")]
        return tuple(sorted(each.rpartition("/")[2] for each in found))

    def moves(self, target: Target, arn: str) -> Sequence[Mapping[str, Any]]:
        """Return the newest redrives of a dead-letter queue."""
        answer = self._ask("list_message_move_tasks", target, "the redrives of ", SourceArn=arn, MaxResults=MOST_MOVES)
        return list(answer.get("Results") or ())

    def _ask(self, operation: str, target: Target, what: str, always: str = "", **arguments: Any) -> Mapping[str, Any]:
        """Ask once; `always` is what every answer of SQS has."""
        with looking_for(f"{what}{target}", _unknown(target), *NOT_FOUND):
            answer: Mapping[str, Any] = getattr(self.clients.looking("sqs"), operation)(**arguments)
            if always:
                part(answer, always)
            return answer


def _unknown(target: Target) -> InvalidTarget:
    return InvalidTarget(f"{target} does not exist (check the name, the account and the region)")
