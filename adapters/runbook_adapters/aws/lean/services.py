"""Services that the lean client speaks to, and the calls that it knows of each; any other call is boto3's.

All of them take JSON over POST. Their answers are what the service sends; what JSON has no word for is turned into it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

Shape = dict[str, Any]


class Pages(NamedTuple):
    """How one call asks for more of what it began to tell."""

    result: str
    token: str
    size: str


class Service(NamedTuple):
    """One service. `host` is its endpoint's first label and what its signatures are for."""

    host: str
    endpoint_variable: str  # AWS_ENDPOINT_URL_ and this
    target: str
    version: str  # of the JSON protocol
    operations: Mapping[str, str]  # by boto3's name of them
    shape: Callable[[Shape], Shape]
    errors: frozenset[str] = frozenset()  # that have a class of their own in `client.exceptions`
    pages: Mapping[str, Pages] = {}
    checked: bool = False  # its answers bear a checksum
    first_wait: float = 0.05  # seconds


def written(value: object) -> Any:
    """Return what JSON has no word for as the services write it. Raises TypeError."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime):
        return value.timestamp() if value.microsecond else int(value.timestamp())
    raise TypeError(f"no service takes a {type(value).__name__}")


ENCODER = json.JSONEncoder(default=written)


def _plain(shape: Shape) -> Shape:
    return {name: value for name, value in shape.items() if value is not None}


def _attributes(shape: Shape) -> Shape:
    """Return one object of an answer of DynamoDB. A binary value is the only text or list under `B` or `BS`."""
    if len(shape) == 1:
        ((kind, value),) = shape.items()
        if kind == "B" and isinstance(value, str):
            return {"B": base64.b64decode(value, validate=True)}
        if kind == "BS" and isinstance(value, list):
            return {"BS": [base64.b64decode(each, validate=True) for each in value]}
    return _plain(shape)


def _dated(shape: Shape) -> Shape:
    modified = shape.get("LastModifiedDate")
    if isinstance(modified, int | float):
        shape["LastModifiedDate"] = datetime.fromtimestamp(modified, UTC)
    return _plain(shape)


SERVICES: Mapping[str, Service] = {
    "dynamodb": Service(
        host="dynamodb",
        endpoint_variable="DYNAMODB",
        target="DynamoDB_20120810",
        version="1.0",
        operations={
            "batch_get_item": "BatchGetItem",
            "query": "Query",
            "transact_write_items": "TransactWriteItems",
        },
        shape=_attributes,
        checked=True,
        first_wait=0.025,
    ),
    "events": Service(
        host="events",
        endpoint_variable="EVENTBRIDGE",
        target="AWSEvents",
        version="1.1",
        operations={"put_events": "PutEvents"},
        shape=_plain,
    ),
    "ssm": Service(
        host="ssm",
        endpoint_variable="SSM",
        target="AmazonSSM",
        version="1.1",
        operations={
            "get_parameter": "GetParameter",
            "get_parameter_history": "GetParameterHistory",
            "put_parameter": "PutParameter",
            "delete_parameter": "DeleteParameter",
            "label_parameter_version": "LabelParameterVersion",
            "unlabel_parameter_version": "UnlabelParameterVersion",
        },
        shape=_dated,
        errors=frozenset(("ParameterNotFound",)),
        pages={"get_parameter_history": Pages("Parameters", "NextToken", "MaxResults")},
    ),
    "stepfunctions": Service(
        host="states",
        endpoint_variable="SFN",
        target="AWSStepFunctions",
        version="1.0",
        operations={"send_task_success": "SendTaskSuccess"},
        shape=_plain,
        errors=frozenset(("TaskTimedOut", "TaskDoesNotExist", "InvalidToken")),
    ),
}
