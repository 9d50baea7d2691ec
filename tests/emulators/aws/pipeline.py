"""The whole pipeline as Terraform makes it: table, bus, rules with dead letter queues, driver, topic, log, archive."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runbook_adapters.dynamodb.schema import TABLE, TIME_TO_LIVE
from tests.emulators.aws.functions import Function
from tests.emulators.aws.place import REGION, arn
from tests.emulators.aws.queues import Queue

SOURCE = "runbook-engine"
FUNCTIONS = {"ingest": "alert-ingest", "drive": "runbook-action", "approve": "approve", "sweep": "sweep"}
QUEUES = ("messages", "driver_dlq", "oncall_dlq", "audit_dlq", "ingest_dlq")
ROUTES = {
    "POST /hooks/{scope}": "ingest",
    "PUT /hooks/{scope}": "ingest",
    "GET /approvals/{execution_id}": "approve",
    "POST /approvals/{execution_id}": "approve",
}
NOT_REPLAYED = [{"exists": False}]
ONCALL = {
    "InputPathsMap": {"name": "$.detail.name", "severity": "$.detail.severity", "scope": "$.detail.scope"},
    "InputTemplate": '"<severity> <name> (<scope>) came in and no runbook took it."',
}


@dataclass(frozen=True)
class Pipeline:
    """What was deployed, by name."""

    name: str
    table: str
    bus: str
    bus_arn: str
    machine_arn: str
    topic_arn: str
    audit_group: str
    archive: str
    link_key: str
    queues: Mapping[str, Queue]
    functions: Mapping[str, Function]
    environment: Mapping[str, str]


class Deployment:
    """Makes a pipeline in a test bed."""

    def __init__(self, aws: Any, name: str) -> None:
        self._aws = aws
        self._name = name
        self._bus = name
        self._audit = f"/aws/events/{name}-audit"

    def create(self, definition: str, functions: Mapping[str, Function]) -> Pipeline:
        """Make everything, in the order in which one part names another."""
        client = self._aws.client
        client("dynamodb").create_table(TableName=self._name, **TABLE)
        client("dynamodb").update_time_to_live(TableName=self._name, **TIME_TO_LIVE)
        bus_arn = client("events").create_event_bus(Name=self._bus)["EventBusArn"]
        queues = {name: self._aws.queue(f"{self._name}-{name.replace('_', '-')}") for name in QUEUES}
        topic_arn = client("sns").create_topic(Name=f"{self._name}-oncall")["TopicArn"]
        client("sns").subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=queues["messages"].arn)
        client("logs").create_log_group(logGroupName=self._audit)
        machine_arn = self._machine(definition, functions)
        self._rules(queues, machine_arn, topic_arn)
        if "ingest" in functions:
            self._alarms(functions["ingest"], queues["ingest_dlq"])
        archive = f"{self._name}-archive"
        pattern = json.dumps({"source": [SOURCE]})
        client("events").create_archive(ArchiveName=archive, EventSourceArn=bus_arn, EventPattern=pattern)
        for key, role in ROUTES.items():
            if role in functions:
                self._aws.route(key, functions[role].name)
        link_key = f"/{self._name}/link-key"
        client("ssm").put_parameter(Name=link_key, Value="k" * 64, Type="SecureString")
        return Pipeline(
            name=self._name,
            table=self._name,
            bus=self._bus,
            bus_arn=bus_arn,
            machine_arn=machine_arn,
            topic_arn=topic_arn,
            audit_group=self._audit,
            archive=archive,
            link_key=link_key,
            queues=queues,
            functions=functions,
            environment={
                "AWS_REGION": REGION,
                "RUNBOOK_TABLE": self._name,
                "RUNBOOK_BUS": self._bus,
                "RUNBOOK_TOPIC_ONCALL": topic_arn,
                "RUNBOOK_APPROVE_URL": "https://a1.execute-api.eu-west-1.amazonaws.com/approvals",
                "RUNBOOK_LINK_KEY": link_key,
            },
        )

    def _machine(self, definition: str, functions: Mapping[str, Function]) -> str:
        """Make the driver."""
        drive = (
            functions["drive"].arn if "drive" in functions else arn("lambda", f"function:{self._name}-runbook-action")
        )
        answer = self._aws.client("stepfunctions").create_state_machine(
            name=f"{self._name}-driver",
            definition=definition.replace("${drive_function_arn}", drive),
            roleArn=arn("iam", "role/driver").replace(REGION, ""),
        )
        return str(answer["stateMachineArn"])

    def _rules(self, queues: Mapping[str, Queue], machine_arn: str, topic_arn: str) -> None:
        due = {"source": [SOURCE], "detail-type": ["Execution Due"], "replay-name": NOT_REPLAYED}
        unhandled = {"handled": [False], "severity": ["critical", "high"], "status": ["firing"]}
        oncall = {
            "source": [SOURCE],
            "detail-type": ["Alert Received"],
            "detail": unhandled,
            "replay-name": NOT_REPLAYED,
        }
        audit = {"source": [SOURCE], "replay-name": NOT_REPLAYED}
        role = arn("iam", "role/events").replace(REGION, "")
        driver = {"Arn": machine_arn, "RoleArn": role, "InputPath": "$.detail"}
        self._rule("driver", self._bus, due, driver, queues["driver_dlq"], 300)
        self._rule(
            "oncall", self._bus, oncall, {"Arn": topic_arn, "InputTransformer": ONCALL}, queues["oncall_dlq"], 3600
        )
        group = {"Arn": arn("logs", f"log-group:{self._audit}")}
        self._rule("audit", self._bus, audit, group, queues["audit_dlq"], 86_400)

    def _alarms(self, ingest: Function, dead_letter: Queue) -> None:
        pattern = {
            "source": ["aws.cloudwatch"],
            "detail-type": ["CloudWatch Alarm State Change"],
            "replay-name": NOT_REPLAYED,
        }
        self._rule("alarms", "default", pattern, {"Arn": ingest.arn}, dead_letter, 900)

    def _rule(
        self, part: str, bus: str, pattern: Mapping[str, Any], target: Mapping[str, Any], dead_letter: Queue, age: int
    ) -> None:
        name = f"{self._name}-{part}"
        events = self._aws.client("events")
        events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps(pattern))
        kept = {"DeadLetterConfig": {"Arn": dead_letter.arn}, "RetryPolicy": {"MaximumEventAgeInSeconds": age}}
        events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": part, **target, **kept}])
