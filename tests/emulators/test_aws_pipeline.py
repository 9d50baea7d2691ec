"""The pipeline of the test bed: each part is connected to the next as the design says."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.emulators.aws import Aws, Context, Pipeline, events

DRIVER = json.dumps(
    {
        "StartAt": "Drive",
        "States": {
            "Drive": {
                "Type": "Task",
                "Resource": "arn:aws:states:::lambda:invoke",
                "Parameters": {
                    "FunctionName": "${drive_function_arn}",
                    "Payload": {"execution_id.$": "$.execution_id", "driver.$": "$$.Execution.Id"},
                },
                "OutputPath": "$.Payload",
                "Next": "Route",
            },
            "Route": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.op", "StringEquals": "wait", "Next": "Sleep"}],
                "Default": "Done",
            },
            "Sleep": {"Type": "Wait", "SecondsPath": "$.seconds", "Next": "Drive"},
            "Done": {"Type": "Succeed"},
        },
    }
)


@pytest.fixture
def aws() -> Iterator[Aws]:
    """Return an account."""
    with Aws() as bed:
        yield bed


@pytest.fixture
def pipeline(aws: Aws) -> Pipeline:
    """Return a pipeline whose ingest writes to the table and announces, and whose drive waits once."""

    def ingest(event: Any, context: Context) -> dict[str, Any]:
        alert = json.loads(event["body"]) if "body" in event else event["detail"]
        item = {"pk": {"S": alert["name"]}, "sk": {"S": "ALERT"}}
        aws.client("dynamodb").put_item(TableName="runbook-engine", Item=item)
        details = {
            "Alert Received": {"version": 1, "scope": "team", "status": "firing", **alert},
            "Execution Due": {"version": 1, "execution_id": f"x-{alert['name']}"},
        }
        entries = [
            {
                "Source": "runbook-engine",
                "DetailType": kind,
                "Detail": json.dumps(detail),
                "EventBusName": "runbook-engine",
            }
            for kind, detail in details.items()
        ]
        aws.client("events").put_events(Entries=entries)
        return {"statusCode": 202, "body": "{}"}

    def drive(event: Any, context: Context) -> dict[str, Any]:
        first = aws.clock.now() == aws.clock.start
        return {"op": "wait" if first else "done", "seconds": 600, "execution_id": event["execution_id"]}

    return aws.deploy(DRIVER, {"ingest": ingest, "drive": drive}, timeouts={"drive": 60})


def send(aws: Aws, **alert: Any) -> int:
    """Post an alert; return the status of the answer."""
    return aws.http("POST", "/hooks/team", body=alert).status


def test_alert_runs_through_the_whole_pipeline(aws: Aws, pipeline: Pipeline) -> None:
    """Webhook, table, bus, driver with its wait, function: and everything is audited."""
    status = send(aws, name="hot", severity="high", handled=True)
    aws.wait_idle()

    assert 202 == status
    key = {"pk": {"S": "hot"}, "sk": {"S": "ALERT"}}
    assert key == aws.client("dynamodb").get_item(TableName=pipeline.table, Key=key)["Item"]
    (execution,) = aws.executions()
    assert ("SUCCEEDED", {"version": 1, "execution_id": "x-hot"}) == (execution.status, execution.input)
    assert ("Drive", "Route", "Sleep", "Drive", "Route", "Done") == execution.states
    assert execution.arn == pipeline.functions["drive"].invocations[0].event["driver"]
    assert timedelta(minutes=10) == aws.clock.now() - aws.clock.start
    assert ["Alert Received", "Execution Due"] == [each["detail-type"] for each in aws.audit(pipeline)]
    assert [] == aws.messages(pipeline.queues["messages"])


@pytest.mark.parametrize(
    ("alert", "told"),
    [
        pytest.param({"severity": "critical", "handled": False}, True, id="urgent and nobody's"),
        pytest.param({"severity": "critical", "handled": True}, False, id="taken by a runbook"),
        pytest.param({"severity": "low", "handled": False}, False, id="not urgent"),
        pytest.param({"severity": "high", "handled": False, "status": "resolved"}, False, id="over"),
    ],
)
def test_oncall_is_told_of_what_no_runbook_took(
    aws: Aws, pipeline: Pipeline, alert: dict[str, Any], told: bool
) -> None:
    """One sentence, through the topic."""
    send(aws, name="hot", **alert)
    aws.wait_idle()

    messages = [message.json()["Message"] for message in aws.messages(pipeline.queues["messages"])]
    assert (['"critical hot (team) came in and no runbook took it."'] if told else []) == messages


def test_old_requests_to_drive_are_dead_letters(aws: Aws, pipeline: Pipeline) -> None:
    """After five minutes a remediation may be wrong: nobody starts it, somebody finds it."""
    aws.faults.throttle("stepfunctions", "StartExecution", times=1000)

    send(aws, name="hot", severity="high", handled=True)
    aws.wait_idle()

    assert () == aws.executions()
    (letter,) = aws.messages(pipeline.queues["driver_dlq"])
    assert "MaximumEventAgeInSeconds" == letter.attributes["EXHAUSTED_RETRY_CONDITION"]
    assert aws.clock.now() - aws.clock.start <= timedelta(minutes=5)


def test_replay_acts_on_nothing(aws: Aws, pipeline: Pipeline) -> None:
    """The archive holds every event of ours, and no rule takes one of them again."""
    send(aws, name="hot", severity="critical", handled=False)
    aws.wait_idle()
    before = (len(aws.executions()), len(aws.audit(pipeline)), len(aws.bus.deliveries))

    aws.bus.replay(pipeline.archive)
    aws.wait_idle()

    assert before == (len(aws.executions()), len(aws.audit(pipeline)), len(aws.bus.deliveries))
    assert 2 == aws.client("events").describe_archive(ArchiveName=pipeline.archive)["EventCount"]


def test_alarm_of_the_account_reaches_ingest(aws: Aws, pipeline: Pipeline) -> None:
    """Over the default bus, where CloudWatch puts it."""
    alarm = events.alarm_change("arn:aws:cloudwatch:eu-west-1:123456789012:alarm:hot", "ALARM")
    detail = {"name": "hot", "severity": "high", "handled": True, **alarm["detail"]}
    entry = {"Source": alarm["source"], "DetailType": alarm["detail-type"], "Detail": json.dumps(detail)}

    aws.client("events").put_events(Entries=[entry])
    aws.wait_idle()

    (invocation,) = pipeline.functions["ingest"].invocations
    assert ("CloudWatch Alarm State Change", True) == (invocation.event["detail-type"], invocation.asynchronous)


def test_environment_names_what_was_deployed(aws: Aws, pipeline: Pipeline) -> None:
    """The functions find the table, the bus, the topic and the key of the links by these."""
    names = pipeline.environment

    assert "ACTIVE" == aws.client("dynamodb").describe_table(TableName=names["RUNBOOK_TABLE"])["Table"]["TableStatus"]
    assert pipeline.bus_arn == aws.client("events").describe_event_bus(Name=names["RUNBOOK_BUS"])["Arn"]
    assert aws.client("sns").get_topic_attributes(TopicArn=names["RUNBOOK_TOPIC_ONCALL"])["Attributes"]
    key = aws.client("ssm").get_parameter(Name=names["RUNBOOK_LINK_KEY"], WithDecryption=True)["Parameter"]
    assert "SecureString" == key["Type"]
    ttl = aws.client("dynamodb").describe_time_to_live(TableName=names["RUNBOOK_TABLE"])["TimeToLiveDescription"]
    assert "ENABLED" == ttl["TimeToLiveStatus"]
