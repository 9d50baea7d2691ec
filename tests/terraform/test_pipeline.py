"""The applied pipeline: nothing is lost, nothing acts late or twice, and nobody may more than they need."""

import importlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, get_args

import pytest
from msgspec.structs import replace

from runbook_adapters.dynamodb.schema import TABLE, TIME_TO_LIVE
from runbook_engine.engine import parse_request
from runbook_engine.entrypoints.aws_lambda.host import NAMESPACE
from runbook_engine.entrypoints.aws_lambda.state_machine import definition
from runbook_engine.loading.files import load_valid_files
from runbook_engine.model.bus import BUS_SOURCE, BusEventKind
from runbook_engine.model.delivery import Request
from runbook_engine.registry import Registry
from tests.terraform.state import CONFIGURATIONS, ROOT, Applied

pytestmark = pytest.mark.xdist_group("applied")  # the others would wait until it is applied

ALARM = ROOT / "tests/data/alerts/cloudwatch-events-alarm.json"
ALARMED = datetime(2026, 5, 11, 7, 40, 17, tzinfo=UTC)
NO_REPLAYS = [{"exists": False}]
JOURNAL = {
    "dynamodb:BatchGetItem",
    "dynamodb:DeleteItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:UpdateItem",
}
EVERYONE = {
    *JOURNAL,
    "events:PutEvents",
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "s3:GetObject",
    "ssm:GetParameter",
}
NETWORK = {
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
}
QUEUE = {"sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"}
# By role: what it may do beyond what every function may.
GRANTED = {
    "runbook-engine-alert-ingest": EVERYONE | QUEUE | {"sqs:SendMessage", "states:SendTaskSuccess"},
    "runbook-engine-approve": EVERYONE | {"states:SendTaskSuccess"},
    "runbook-engine-runbook-action": EVERYONE | NETWORK | {"sns:Publish", "ssm:PutParameter", "states:SendTaskSuccess"},
    "runbook-engine-sweep": EVERYONE | {"sqs:SendMessage"},
    "runbook-engine-bus-driver": {"states:StartExecution"},
    "runbook-engine-schedule": {"kms:Decrypt", "kms:GenerateDataKey", "lambda:InvokeFunction", "sqs:SendMessage"},
    "runbook-engine-driver": {
        "lambda:InvokeFunction",
        "logs:CreateLogDelivery",
        "logs:DeleteLogDelivery",
        "logs:DescribeLogGroups",
        "logs:DescribeResourcePolicies",
        "logs:GetLogDelivery",
        "logs:ListLogDeliveries",
        "logs:PutResourcePolicy",
        "logs:UpdateLogDelivery",
    },
}


def targets(pipeline: Applied) -> list[Mapping[str, Any]]:
    """Return the targets of every rule and schedule."""
    schedules = [target for each in pipeline.of("aws_scheduler_schedule").values() for target in each["target"]]
    return [*pipeline.of("aws_cloudwatch_event_target").values(), *schedules]


def rule_of(pipeline: Applied, name: str) -> Mapping[str, Any]:
    """Return the rule of a name."""
    (found,) = [rule for rule in pipeline.of("aws_cloudwatch_event_rule").values() if rule["name"] == name]
    return found


def acts(target: Mapping[str, Any]) -> bool:
    """Whether a target does more than write down what it hears."""
    return ":logs:" not in target["arn"]


def test_every_target_keeps_what_it_cannot_deliver(pipeline: Applied) -> None:
    """An event that is lost without a trace is an incident that nobody hears of."""
    queues = {queue["arn"] for queue in pipeline.of("aws_sqs_queue").values()}

    assert [] == [
        target["arn"]
        for target in targets(pipeline)
        if [letters["arn"] for letters in target["dead_letter_config"] if letters["arn"] in queues] == []
    ]


def test_every_target_that_acts_has_a_bounded_age(pipeline: Applied) -> None:
    """A remediation that is a day late is a second incident."""
    ages = {
        target["arn"]: [policy["maximum_event_age_in_seconds"] for policy in target["retry_policy"]]
        for target in targets(pipeline)
        if acts(target)
    }

    assert {} == {arn: age for arn, age in ages.items() if len(age) != 1 or not 60 <= age[0] <= 900}


def test_every_rule_that_acts_leaves_replays_out(pipeline: Applied) -> None:
    """Replaying the archive must not remediate yesterday's incidents."""
    rules = {rule["name"]: rule for rule in pipeline.of("aws_cloudwatch_event_rule").values()}
    acting = {target["rule"] for target in pipeline.of("aws_cloudwatch_event_target").values() if acts(target)}

    assert acting == {
        name for name in acting if json.loads(rules[name]["event_pattern"]).get("replay-name") == NO_REPLAYS
    }
    assert {"runbook-engine-audit"} == set(rules) - acting


def test_rules_of_the_bus_match_what_the_engine_says(pipeline: Applied) -> None:
    """A rule for a misspelt event is a rule that never fires."""
    patterns = [
        json.loads(rule["event_pattern"])
        for rule in pipeline.of("aws_cloudwatch_event_rule").values()
        if rule["event_bus_name"] == "runbook-engine"
    ]
    kinds = {kind for pattern in patterns for kind in pattern.get("detail-type", ())}

    assert [[BUS_SOURCE]] * 3 == [pattern["source"] for pattern in patterns]
    assert kinds <= set(get_args(BusEventKind))


@pytest.mark.parametrize(("graded", "severity"), [(True, "high"), (False, "unknown")], ids=["by a scope", "by nobody"])
def test_alarm_without_a_severity_wakes_somebody(pipeline: Applied, graded: bool, severity: str) -> None:
    """An alarm of CloudWatch has none of its own, and an alert that nobody hears of is worse than one too many."""
    registry = Registry()
    configuration = load_valid_files([], registry, CONFIGURATIONS / "examples/engine.yaml").bundle.configuration
    if not graded:
        configuration = replace(
            configuration, scopes=tuple(replace(each, severities={}) for each in configuration.scopes)
        )
    request = Request("alarms", "cloudwatch", {}, ALARM.read_bytes(), ALARMED, origin="events:aws.cloudwatch")

    (alert,) = parse_request(request, configuration, registry).alerts

    assert severity == alert.severity
    assert severity in json.loads(rule_of(pipeline, "runbook-engine-oncall")["event_pattern"])["detail"]["severity"]


def test_every_queue_admits_the_rules_that_use_it(pipeline: Applied) -> None:
    """A dead-letter queue that refuses its sender loses the event for good."""
    rules = {rule["name"]: rule["arn"] for rule in pipeline.of("aws_cloudwatch_event_rule").values()}
    wanted = {
        (letters["arn"], rules[target["rule"]])
        for target in pipeline.of("aws_cloudwatch_event_target").values()
        for letters in target["dead_letter_config"]
    }
    admitted = {
        (queue, source)
        for _, statement in pipeline.statements("aws_sqs_queue_policy")
        if statement["Effect"] == "Allow"
        for queue in statement["Resource"]
        for source in statement["Condition"]["ArnEquals"]["aws:SourceArn"]
    }

    assert set() == wanted - admitted


@pytest.mark.parametrize(
    ("kind", "attribute"),
    [
        ("aws_sqs_queue_policy", "policy"),
        ("aws_sns_topic_policy", "policy"),
        ("aws_iam_role", "assume_role_policy"),
        ("aws_kms_key", "policy"),
    ],
    ids=["queues", "topic", "roles", "key"],
)
def test_service_is_admitted_only_for_this_account_or_source(pipeline: Applied, kind: str, attribute: str) -> None:
    """A service acts for anybody who asks it, so it is told for whom it may."""
    unbound = [
        address
        for address, statement in pipeline.statements(kind, attribute)
        if statement["Effect"] == "Allow"
        and "Service" in statement["Principal"]
        and not {"aws:SourceArn", "aws:SourceAccount", "kms:EncryptionContext:aws:logs:arn"}
        & {key for conditions in statement.get("Condition", {}).values() for key in conditions}
    ]

    assert [] == unbound


def test_function_is_called_only_by_what_is_named(pipeline: Applied) -> None:
    """Each permission names one rule, topic or route."""
    permissions = pipeline.of("aws_lambda_permission").values()

    assert [] == [each["statement_id"] for each in permissions if not each["source_arn"].startswith("arn:aws:")]


def test_nobody_may_more_than_is_listed(pipeline: Applied) -> None:
    """Every new right of a role is seen in review, here."""
    granted: dict[str, set[str]] = {}
    role_of = {address: values["role"] for address, values in pipeline.of("aws_iam_role_policy").items()}
    for address, statement in pipeline.statements("aws_iam_role_policy"):
        if statement["Effect"] == "Allow":
            granted.setdefault(role_of[address], set()).update(statement["Action"])

    assert granted == GRANTED


def test_whoever_asks_for_a_token_may_read_it(pipeline: Applied) -> None:
    """Where a team has members its answer needs a token, so the approval pages read what the webhooks read."""
    role_of = {address: values["role"] for address, values in pipeline.of("aws_iam_role_policy").items()}
    read = {
        role_of[address].removeprefix("runbook-engine-"): {
            arn.partition(":parameter")[2] for arn in statement["Resource"]
        }
        for address, statement in pipeline.statements("aws_iam_role_policy")
        if statement.get("Sid") == "Parameters"
    }
    tokens = {"/runbook-engine/scopes/payments", "/runbook-engine/scopes/orders"}

    assert tokens == read["alert-ingest"]
    assert tokens | {"/runbook-engine/link-key"} == read["approve"]


def test_no_right_is_for_every_resource_but_those_that_take_none(pipeline: Applied) -> None:
    """Log delivery and network interfaces have no names to be granted by."""
    wild = {
        statement.get("Sid", address)
        for address, statement in pipeline.statements("aws_iam_role_policy")
        if "*" in statement["Resource"] and statement["Effect"] == "Allow"
    }

    assert {"LogDelivery", "NetworkInterfaces"} == wild


def test_table_is_the_one_that_the_adapter_knows(pipeline: Applied) -> None:
    """Two definitions of one table drift apart; this is where it is noticed."""
    table = pipeline.one("aws_dynamodb_table")
    indexes = [
        {
            "IndexName": index["name"],
            "KeySchema": [
                {"AttributeName": key["attribute_name"], "KeyType": key["key_type"]} for key in index["key_schema"]
            ],
            "Projection": {"ProjectionType": index["projection_type"]},
        }
        for index in table["global_secondary_index"]
    ]
    attributes = [{"AttributeName": each["name"], "AttributeType": each["type"]} for each in table["attribute"]]
    (expiry,) = table["ttl"]

    made = {
        "BillingMode": table["billing_mode"],
        "KeySchema": [
            {"AttributeName": table["hash_key"], "KeyType": "HASH"},
            {"AttributeName": table["range_key"], "KeyType": "RANGE"},
        ],
        "AttributeDefinitions": sorted(attributes, key=str),
        "GlobalSecondaryIndexes": sorted(indexes, key=str),
    }

    known = {key: sorted(value, key=str) if key in {"AttributeDefinitions", "GlobalSecondaryIndexes"} else value
             for key, value in TABLE.items()}  # fmt: skip
    assert known == made
    assert {"TimeToLiveSpecification": {"AttributeName": expiry["attribute_name"], "Enabled": expiry["enabled"]}} == (
        TIME_TO_LIVE
    )


def test_state_machine_is_the_one_that_the_engine_renders(pipeline: Applied) -> None:
    """The file in the module is generated: python -m runbook_engine.entrypoints.aws_lambda.state_machine."""
    file = CONFIGURATIONS / "modules/runbook_engine/driver.asl.json"
    (function,) = [
        function["arn"]
        for function in pipeline.of("aws_lambda_function").values()
        if function["function_name"] == "runbook-engine-runbook-action"
    ]

    assert definition() == json.loads(file.read_text(encoding="utf-8"))
    assert definition(function) == json.loads(pipeline.one("aws_sfn_state_machine")["definition"])


def test_functions_are_those_of_the_zip(pipeline: Applied) -> None:
    """A handler that is not there is found at the first alert, or here."""
    functions = {each["function_name"]: each["handler"] for each in pipeline.of("aws_lambda_function").values()}
    found = {name: getattr(importlib.import_module(handler.rpartition(".")[0]), handler.rpartition(".")[2], None)
             for name, handler in functions.items()}  # fmt: skip

    assert {"alert-ingest", "runbook-action", "approve", "sweep"} == {
        name.removeprefix("runbook-engine-") for name in found
    }
    assert [] == [name for name, handler in found.items() if not callable(handler)]


def test_functions_are_told_where_everything_is(pipeline: Applied) -> None:
    """Every function opens the same installation."""
    (environment,) = {
        tuple(sorted(values["variables"].items()))
        for each in pipeline.of("aws_lambda_function").values()
        for values in each["environment"]
    }

    assert {
        "RUNBOOK_APPROVE_URL": "https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/approvals",
        "RUNBOOK_BUNDLE": "s3://runbook-engine-bundles-123456789012/bundles/9f86d081884c7d65.msgpack",
        "RUNBOOK_BUNDLE_DIGEST": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "RUNBOOK_BUS": "runbook-engine",
        "RUNBOOK_LINK_KEY": "/runbook-engine/link-key",
        "RUNBOOK_TABLE": "runbook-engine",
        "RUNBOOK_TOPIC_ONCALL": "arn:aws:sns:eu-west-1:123456789012:runbook-engine-oncall",
        "RUNBOOK_TOPIC_PAYMENTS": "arn:aws:sns:eu-west-1:123456789012:payments-oncall",
    } == dict(environment)


def test_only_the_function_that_talks_to_the_cluster_is_in_a_vpc(pipeline: Applied) -> None:
    """The front door needs no network of ours, and starts faster without."""
    inside = [each["function_name"] for each in pipeline.of("aws_lambda_function").values() if each["vpc_config"]]
    rules = pipeline.of("aws_vpc_security_group_egress_rule").values()

    assert ["runbook-engine-runbook-action"] == inside
    assert {("tcp", 443, 443)} == {(rule["ip_protocol"], rule["from_port"], rule["to_port"]) for rule in rules}


def test_every_queue_and_function_is_watched(pipeline: Applied) -> None:
    """A dead letter that nobody sees is a lost event with extra steps."""
    alarms = pipeline.of("aws_cloudwatch_metric_alarm").values()
    watched = {(alarm["metric_name"], value) for alarm in alarms for value in (alarm["dimensions"] or {}).values()}
    queues = {queue["name"] for queue in pipeline.of("aws_sqs_queue").values()}
    functions = {function["function_name"] for function in pipeline.of("aws_lambda_function").values()}

    assert queues == {name for metric, name in watched if metric == "ApproximateNumberOfMessagesVisible"}
    assert functions == {name for metric, name in watched if metric == "Errors"}
    assert functions == {name for metric, name in watched if metric == "Throttles"}
    assert ("ApproximateAgeOfOldestMessage", "alerts") in watched
    assert ("AsyncEventAge", "runbook-engine-alert-ingest") in watched


def test_deliveries_that_are_refused_are_counted(pipeline: Applied) -> None:
    """A token that was changed on one side only, and an event that nobody takes, are found without reading logs."""
    counted = {
        alarm["dimensions"]["outcome"]: (alarm["threshold"], alarm["period"], alarm["treat_missing_data"])
        for alarm in pipeline.of("aws_cloudwatch_metric_alarm").values()
        if (alarm["namespace"], alarm["metric_name"]) == (NAMESPACE, "Deliveries")
    }

    assert {"unauthorized": (9, 300, "notBreaching"), "unusable": (0, 300, "notBreaching")} == counted


def test_every_alarm_tells_people_and_never_the_engine(pipeline: Applied) -> None:
    """An engine that remediates its own alarms has nobody to watch it."""
    alarms = pipeline.of("aws_cloudwatch_metric_alarm").values()
    topic = pipeline.one("aws_sns_topic")["arn"]
    rule = json.loads(rule_of(pipeline, "runbook-engine-alarms")["event_pattern"])
    (left_out,) = rule["detail"]["alarmName"]

    assert {(topic,)} == {tuple(alarm["alarm_actions"]) for alarm in alarms}
    assert [] == [
        alarm["alarm_name"]
        for alarm in alarms
        if not alarm["alarm_name"].startswith(left_out["anything-but"]["prefix"])
    ]


def test_silence_of_the_sweep_is_an_alarm(pipeline: Applied) -> None:
    """No data is the worst news."""
    (dead_man,) = [
        alarm
        for alarm in pipeline.of("aws_cloudwatch_metric_alarm").values()
        if alarm["treat_missing_data"] == "breaching"
    ]

    assert ("Invocations", {"FunctionName": "runbook-engine-sweep"}, "LessThanThreshold", 1, 300) == (
        dead_man["metric_name"],
        dead_man["dimensions"],
        dead_man["comparison_operator"],
        dead_man["threshold"],
        dead_man["period"] * dead_man["evaluation_periods"],
    )


def test_everything_at_rest_is_encrypted_with_the_key(pipeline: Applied) -> None:
    """One key, and its policy, decide who reads what alerts and runbooks say."""
    key = pipeline.one("aws_kms_key")["arn"]
    used = {
        *(each["kms_key_id"] for each in pipeline.of("aws_cloudwatch_log_group").values()),
        *(each["kms_master_key_id"] for each in pipeline.of("aws_sqs_queue").values()),
        *(each["kms_master_key_id"] for each in pipeline.of("aws_sns_topic").values()),
        *(each["kms_key_arn"] for each in pipeline.of("aws_lambda_function").values()),
        pipeline.one("aws_dynamodb_table")["server_side_encryption"][0]["kms_key_arn"],
    }

    assert {key} == used
