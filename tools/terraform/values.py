"""What the pretended provider answers where a real one would have asked AWS: names as AWS would spell them.

With these a plan is applied on a machine without an account, and the policies in it can be read with the ARNs in place.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

ACCOUNT, REGION = "123456789012", "eu-west-1"

# By type: the ARN, with the type's own arguments in braces. {place} is REGION:ACCOUNT.
ARNS = {
    "aws_cloudwatch_event_archive": "arn:aws:events:{place}:archive/{name}",
    "aws_cloudwatch_event_bus": "arn:aws:events:{place}:event-bus/{name}",
    "aws_cloudwatch_event_rule": "arn:aws:events:{place}:rule/{event_bus_name}/{name}",
    "aws_cloudwatch_log_group": "arn:aws:logs:{place}:log-group:{name}",
    "aws_cloudwatch_metric_alarm": "arn:aws:cloudwatch:{place}:alarm:{alarm_name}",
    "aws_dynamodb_table": "arn:aws:dynamodb:{place}:table/{name}",
    "aws_iam_policy": "arn:aws:iam::{account}:policy/{name}",
    "aws_iam_role": "arn:aws:iam::{account}:role/{name}",
    "aws_kms_key": "arn:aws:kms:{place}:key/00000000-0000-0000-0000-000000000000",
    "aws_lambda_alias": "arn:aws:lambda:{place}:function:{function_name}:{name}",
    "aws_lambda_function": "arn:aws:lambda:{place}:function:{function_name}",
    "aws_s3_bucket": "arn:aws:s3:::{bucket}",
    "aws_scheduler_schedule": "arn:aws:scheduler:{place}:schedule/{group_name}/{name}",
    "aws_scheduler_schedule_group": "arn:aws:scheduler:{place}:schedule-group/{name}",
    "aws_sfn_state_machine": "arn:aws:states:{place}:stateMachine:{name}",
    "aws_sns_topic": "arn:aws:sns:{place}:{name}",
    "aws_sqs_queue": "arn:aws:sqs:{place}:{name}",
    "aws_ssm_parameter": "arn:aws:ssm:{place}:parameter{name}",
}
ANSWERS = {
    ("aws_apigatewayv2_api", "api_endpoint"): f"https://a1b2c3d4e5.execute-api.{REGION}.amazonaws.com",
    ("aws_apigatewayv2_api", "execution_arn"): f"arn:aws:execute-api:{REGION}:{ACCOUNT}:a1b2c3d4e5",
    ("aws_caller_identity", "account_id"): ACCOUNT,
    ("aws_partition", "dns_suffix"): "amazonaws.com",
    ("aws_partition", "partition"): "aws",
    ("aws_region", "name"): REGION,
    ("aws_region", "region"): REGION,
}


def text_value(kind: str, attribute: str, given: Mapping[str, Any]) -> str:
    """Return the text of an attribute that the provider would have computed."""
    if (kind, attribute) in ANSWERS:
        return ANSWERS[kind, attribute]
    if (kind, attribute) == ("aws_iam_policy_document", "json"):
        return policy_document(given)
    if attribute == "region":
        return REGION
    if attribute == "arn":
        arguments = {key: value for key, value in given.items() if isinstance(value, str)}
        spelled = ARNS.get(kind, "arn:aws:stub:{place}:{kind}").format_map(
            _Spelled(arguments, kind=kind, place=f"{REGION}:{ACCOUNT}", account=ACCOUNT)
        )
        return spelled.replace(":rule/default/", ":rule/")  # the default bus is not named in the ARNs of its rules
    if attribute in {"id", "name"}:
        return str(given.get("name") or f"stub-{kind}")
    return f"stub-{kind}-{attribute}"


class _Spelled(dict[str, str]):
    """Arguments for a template; one that was not given is spelled `default`, as AWS calls its default bus."""

    def __missing__(self, key: str) -> str:
        return "default"


def policy_document(given: Mapping[str, Any]) -> str:
    """Return the JSON that the real data source makes of its statements."""
    sources = [json.loads(text) for text in given.get("source_policy_documents") or ()]
    statements = [statement for source in sources for statement in _many(source.get("Statement", []))]
    statements += [_statement(block) for block in given.get("statement") or ()]
    return json.dumps({"Version": given.get("version") or "2012-10-17", "Statement": statements})


def _statement(block: Mapping[str, Any]) -> dict[str, Any]:
    statement: dict[str, Any] = {"Effect": block.get("effect") or "Allow"}
    if block.get("sid"):
        statement["Sid"] = block["sid"]
    names = {"actions": "Action", "not_actions": "NotAction", "resources": "Resource", "not_resources": "NotResource"}
    statement |= {name: sorted(block[key]) for key, name in names.items() if block.get(key)}
    for key, name in {"principals": "Principal", "not_principals": "NotPrincipal"}.items():
        if block.get(key):
            statement[name] = {each["type"]: sorted(each["identifiers"]) for each in block[key]}
    for each in block.get("condition") or ():
        statement.setdefault("Condition", {}).setdefault(each["test"], {})[each["variable"]] = each["values"]
    return statement


def _many(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
