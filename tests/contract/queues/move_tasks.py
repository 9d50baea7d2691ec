"""Message move tasks for moto, which has none: what SQS does with them, between the adapter's clients and moto."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from runbook_engine.testing.clock import SimulatedClock
from tests.contract.functions.bed import Bed, Refusal

A_WHILE = timedelta(minutes=1)
KEPT = 10


class MoveTasks:
    """Starts and lists moves: one at a time, only of a dead-letter queue, and without a handle once it has ended."""

    def __init__(self, bed: Bed) -> None:
        self._client = bed.other("sqs")
        self._clock: SimulatedClock = bed.clock
        self._tasks: list[dict[str, Any]] = []
        self.started: list[Mapping[str, Any]] = []
        self.answers_are_lost = False
        bed.touching("sqs").handle("StartMessageMoveTask", self._start)
        bed.looking("sqs").handle("ListMessageMoveTasks", self._list)

    def finish(self, status: str = "COMPLETED", **told: Any) -> None:
        """Let the newest move end; its messages are where they came from."""
        task = self._tasks[-1]
        task.update({"Status": status, "ApproximateNumberOfMessagesMoved": 3, **told})
        task.pop("TaskHandle")
        self._clock.push(A_WHILE)

    def _start(self, body: Mapping[str, Any]) -> tuple[Refusal, dict[str, Any]]:
        refused = self._refused(body["SourceArn"])
        if refused:
            error = {"Code": "AWS.SimpleQueueService.UnsupportedOperation", "Message": refused}
            return Refusal(400), {"Error": error, "ResponseMetadata": {"HTTPStatusCode": 400}}
        self.started.append(body)
        handle = f"handle-{len(self.started)}"
        self._tasks.append(
            {
                "TaskHandle": handle,
                "Status": "RUNNING",
                "SourceArn": body["SourceArn"],
                "ApproximateNumberOfMessagesMoved": 0,
                "ApproximateNumberOfMessagesToMove": 3,
                "StartedTimestamp": _milliseconds(self._clock.now()),
            }
        )
        if self.answers_are_lost:
            return Refusal(500), {"Error": {"Code": "InternalError"}, "ResponseMetadata": {"HTTPStatusCode": 500}}
        return Refusal(200), {"TaskHandle": handle}

    def _refused(self, arn: str) -> str:
        if any(task["Status"] == "RUNNING" and task["SourceArn"] == arn for task in self._tasks):
            return "There is already a task running. Only one active task is allowed for a source queue arn."
        url = self._client.get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]
        sources = self._client.list_dead_letter_source_queues(QueueUrl=url).get("queueUrls")
        return "" if sources else "Source queue must be configured as a Dead Letter Queue."

    def _list(self, body: Mapping[str, Any]) -> tuple[Refusal, dict[str, Any]]:
        newest = [dict(task) for task in reversed(self._tasks) if task["SourceArn"] == body["SourceArn"]]
        return Refusal(200), {"Results": newest[: min(KEPT, body.get("MaxResults", 1))]}


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)
