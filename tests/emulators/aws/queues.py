"""Queues: made with their dead letter queues, emptied by tests, drained into functions as event source mappings do."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.emulators.aws import events
from tests.emulators.aws.functions import Invocation
from tests.emulators.aws.place import arn
from tests.emulators.aws.targets import Client

Invoke = Callable[[str, Mapping[str, Any]], Invocation]
IN_FLIGHT = 600  # real seconds: longer than a test


@dataclass(frozen=True)
class Queue:
    """A queue by all its names."""

    name: str
    url: str
    arn: str


@dataclass(frozen=True)
class Message:
    """A message, taken off its queue."""

    id: str
    body: str
    attributes: Mapping[str, str]

    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body)


class Queues:
    """The queues of the account."""

    def __init__(self, client: Client, invoke: Invoke) -> None:
        self._client = client
        self._invoke = invoke

    def create(self, name: str, dead_letter: Queue | None = None, receives: int = 3) -> Queue:
        """Make a queue; what was received so often and not deleted moves to its dead letter queue."""
        attributes = {"VisibilityTimeout": str(IN_FLIGHT)}
        if name.endswith(".fifo"):
            attributes |= {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
        if dead_letter is not None:
            policy = {"deadLetterTargetArn": dead_letter.arn, "maxReceiveCount": receives}
            attributes["RedrivePolicy"] = json.dumps(policy)
        url = self._client("sqs").create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        return Queue(name, url, arn("sqs", name))

    def take(self, queue: Queue | str) -> list[Message]:
        """Take everything off a queue that can be received."""
        taken = self._receive(_url(queue))
        for each in taken:
            self._client("sqs").delete_message(QueueUrl=_url(queue), ReceiptHandle=each["ReceiptHandle"])
        return [
            Message(
                each["MessageId"],
                each["Body"],
                {name: value["StringValue"] for name, value in each.get("MessageAttributes", {}).items()},
            )
            for each in taken
        ]

    def drain(
        self, queue: Queue | str, function: str, batch: int, report: bool, attempts: int
    ) -> tuple[Invocation, ...]:
        """Give every message to a function, in batches, until none is left or each was tried so often."""
        done: list[Invocation] = []
        for _ in range(attempts):
            received = self._receive(_url(queue))
            for begin in range(0, len(received), batch):
                done.append(self._hand_over(_url(queue), function, received[begin : begin + batch], report))
        return tuple(done)

    def _hand_over(self, url: str, function: str, messages: list[dict[str, Any]], report: bool) -> Invocation:
        """Invoke with one batch; delete what succeeded, and make the rest visible again."""
        queue = arn("sqs", url.rpartition("/")[2])
        records = [
            events.sqs_record(
                queue,
                each["MessageId"],
                each["Body"],
                int(each["Attributes"]["ApproximateReceiveCount"]),
                each["Attributes"].get("MessageGroupId", ""),
            )
            for each in messages
        ]
        invocation = self._invoke(function, {"Records": records})
        failed = failures(invocation, [each["MessageId"] for each in messages], report)
        for each in messages:
            handle = {"QueueUrl": url, "ReceiptHandle": each["ReceiptHandle"]}
            if each["MessageId"] in failed:
                self._client("sqs").change_message_visibility(VisibilityTimeout=0, **handle)
            else:
                self._client("sqs").delete_message(**handle)
        return invocation

    def _receive(self, url: str) -> list[dict[str, Any]]:
        """Receive all that is visible; it stays in flight."""
        received: list[dict[str, Any]] = []
        while True:
            answer = self._client("sqs").receive_message(
                QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"], MessageAttributeNames=["All"]
            )
            if not answer.get("Messages"):
                return received
            received += answer["Messages"]


def failures(invocation: Invocation, ids: list[str], report: bool) -> set[str]:
    """Return the messages that failed. A report that cannot be read, or names a stranger, fails the whole batch."""
    if invocation.error is not None:
        return set(ids)
    if not report or not invocation.reply:
        return set()
    if not isinstance(invocation.reply, dict):
        return set(ids)
    items = invocation.reply.get("batchItemFailures") or []
    if not isinstance(items, list):
        return set(ids)
    named = [item.get("itemIdentifier") if isinstance(item, dict) else None for item in items]
    return {name for name in ids if name in named} if all(name in ids for name in named) else set(ids)


def _url(queue: Queue | str) -> str:
    return queue if isinstance(queue, str) else queue.url
