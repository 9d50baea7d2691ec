"""The targets of rules: how an event gets to each kind, and what a failure to do so means."""

import itertools
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tests.emulators.aws.transform import target_input

RETRIED = {"THROTTLING", "INTERNAL_ERROR", "CONNECTION_FAILURE"}
GONE = ("NotFound", "DoesNotExist", "NonExistentQueue", "NonExistent")
Client = Callable[[str], Any]


class NotDelivered(Exception):
    """A target did not take the event. The code is EventBridge's own."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code

    @property
    def retried(self) -> bool:
        """Whether EventBridge tries again: what is missing or forbidden does not come by waiting."""
        return self.code in RETRIED


class Targets:
    """Everything that a rule of ours may name as its target."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._serial = itertools.count(1)
        self._logged = 0

    def send(self, target: Mapping[str, Any], event: Mapping[str, Any], rule_arn: str) -> None:
        """Give the event to the target; raises NotDelivered."""
        service = target["Arn"].split(":")[2]
        body = target_input(target, event, rule_arn)
        if service in ("lambda", "states"):
            _require_json(body)
        try:
            self._send(service, target, event, body)
        except ClientError as problem:
            raise NotDelivered(_code(problem), str(problem)) from problem
        except BotoCoreError as problem:
            raise NotDelivered("CONNECTION_FAILURE", str(problem)) from problem

    def _send(self, service: str, target: Mapping[str, Any], event: Mapping[str, Any], body: str) -> None:
        arn = target["Arn"]
        match service:
            case "lambda":
                self._client("lambda").invoke(FunctionName=arn, InvocationType="Event", Payload=body)
            case "states":
                name = f"{event['id']}_{next(self._serial):012d}"
                self._client("stepfunctions").start_execution(stateMachineArn=arn, name=name, input=body)
            case "sns":
                self._client("sns").publish(TopicArn=arn, Message=body)
            case "sqs":
                group = target.get("SqsParameters", {})
                self._client("sqs").send_message(QueueUrl=self.queue_url(arn), MessageBody=body, **group)
            case "logs":
                self._log(arn.split(":log-group:")[1].removesuffix(":*"), event, body)
            case "events":
                self._pass_on(arn, event)
            case _:
                raise NotDelivered("SDK_CLIENT_ERROR", f"the test bed knows no targets of {service}: {arn}")

    def _pass_on(self, bus: str, event: Mapping[str, Any]) -> None:
        """Put the event on another bus, as it was; it gets an id of its own there."""
        entry = {
            "Source": event["source"],
            "DetailType": event["detail-type"],
            "Detail": json.dumps(event["detail"]),
            "Resources": event["resources"],
            "Time": event["time"],
            "EventBusName": bus,
        }
        answer = self._client("events").put_events(Entries=[entry])
        for failed in answer["Entries"]:
            if "ErrorCode" in failed:
                code = "THROTTLING" if "Throttl" in failed["ErrorCode"] else "INTERNAL_ERROR"
                raise NotDelivered(code, failed["ErrorMessage"])

    def queue_url(self, arn: str) -> str:
        """Return the address of a queue."""
        return str(self._client("sqs").get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"])

    def _log(self, group: str, event: Mapping[str, Any], body: str) -> None:
        """Put the event into a stream of its own. The log is in real time: CloudWatch drops what is two weeks old."""
        stream = f"{event['id']}-{next(self._serial)}"
        logs = self._client("logs")
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        self._logged = max(self._logged + 1, time.time_ns() // 1_000_000)
        entry = {"timestamp": self._logged, "message": body}
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[entry])


def _require_json(body: str) -> None:
    try:
        json.loads(body)
    except ValueError as problem:
        raise NotDelivered("INVALID_JSON", f"the input of the target is not JSON: {body}") from problem


def _code(problem: ClientError) -> str:
    """Return EventBridge's word for what a service answered."""
    code = problem.response["Error"]["Code"]
    status = problem.response["ResponseMetadata"]["HTTPStatusCode"]
    if status == 429 or "Throttl" in code or "TooManyRequests" in code:
        return "THROTTLING"
    if status >= 500:
        return "INTERNAL_ERROR"
    if "AccessDenied" in code:
        return "NO_PERMISSIONS"
    return "NO_RESOURCE" if any(word in code for word in GONE) else "INVALID_PARAMETER"
