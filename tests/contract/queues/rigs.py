"""A dead-letter queue with three messages, over moto and simulated."""

from __future__ import annotations

import json
from datetime import timedelta

from runbook_adapters.sqs import ADAPTER
from runbook_engine.model.target import Target
from runbook_engine.ports import QueueReader, QueueWriter
from runbook_engine.testing import SimulatedWorld
from tests.contract.functions.bed import Bed
from tests.contract.queues.move_tasks import MoveTasks

A_WHILE = timedelta(minutes=1)


class SqsRig:
    """The adapter `sqs` over moto."""

    def __init__(self, bed: Bed) -> None:
        self.bed = bed
        self.client = bed.other("sqs")
        self.tasks = MoveTasks(bed)
        self.touching = bed.touching("sqs")
        self.looking = bed.looking("sqs")
        self._create()
        served = bed.serve(ADAPTER, "queues")
        self.reader: QueueReader = served.reader
        self.writer: QueueWriter = served.writer
        self.target = Target("queue", "", "", "jobs-dead")
        self.plain = Target("queue", "", "", "jobs")

    def settle(self) -> None:
        """Let the newest move end."""
        self.tasks.finish()

    def _create(self) -> None:
        tags = {"app.kubernetes.io/name": "shop"}
        dead = self.client.create_queue(QueueName="jobs-dead", tags=tags)["QueueUrl"]
        self.arn = self.client.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"][
            "QueueArn"
        ]
        policy = json.dumps({"deadLetterTargetArn": self.arn, "maxReceiveCount": 3})
        self.client.create_queue(QueueName="jobs", Attributes={"RedrivePolicy": policy})
        for number in range(3):
            self.client.send_message(QueueUrl=dead, MessageBody=f"job {number}")


class SimulatedQueuesRig:
    """The queues of a simulated world."""

    def __init__(self) -> None:
        self._simulated = SimulatedWorld()
        self.target = self._simulated.add_queue("jobs-dead", messages=3, sources=("jobs",))
        self.plain = self._simulated.add_queue("jobs")
        self.reader: QueueReader = self._simulated.queues
        self.writer: QueueWriter = self._simulated.queues

    def settle(self) -> None:
        """Push the clock until every move has ended."""
        self._simulated.clock.push(A_WHILE)
