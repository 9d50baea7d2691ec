"""Where asynchronous invocations end that failed for the last time: a destination, a dead letter queue, or nowhere."""

import json
from typing import Any

from tests.emulators.aws.functions import Function, Invocation
from tests.emulators.aws.invoking import failure_record
from tests.emulators.aws.targets import Client


class DeadLetters:
    """Sends records of failures to queues, topics and functions."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def send(self, function: Function, invocation: Invocation) -> None:
        """Tell what the function asks to be told: a destination gets the record, a dead letter queue the event."""
        if function.on_failure is not None:
            self._deliver(function.on_failure, json.dumps(failure_record(function, invocation)), {})
        if function.dead_letter is not None:
            error = invocation.error or {}
            attributes = {
                "RequestID": invocation.request_id,
                "ErrorCode": "200",
                "ErrorMessage": str(error.get("errorMessage", ""))[:1024],
            }
            self._deliver(function.dead_letter, json.dumps(invocation.event), attributes)

    def _deliver(self, target: str, body: str, attributes: dict[str, str]) -> None:
        named: dict[str, Any] = {
            name: {"DataType": "String", "StringValue": value} for name, value in attributes.items() if value
        }
        service, name = target.split(":")[2], target.rpartition(":")[2]
        if service == "sqs":
            sqs = self._client("sqs")
            url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
            sqs.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=named)
        elif service == "sns":
            self._client("sns").publish(TopicArn=target, Message=body, MessageAttributes=named)
        else:
            self._client("lambda").invoke(FunctionName=target, InvocationType="Event", Payload=body)
