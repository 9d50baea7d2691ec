"""What DynamoDB refuses and moto lets pass: the limits of its API, as its documentation names them.

Every request of a test goes through here first, so that nothing is stored in tests which the service would not take.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from moto.dynamodb.parsing.reserved_keywords import ReservedKeywords

from runbook_adapters.dynamodb.schema import TABLE

Body = Mapping[str, Any]

MOST_ACTIONS = 100  # of a transaction
MOST_READ = 100  # keys of a BatchGetItem
LARGEST_ITEM = 400 * 1024
LARGEST_TRANSACTION = 4 * 1024 * 1024
LARGEST_EXPRESSION = 4 * 1024
MOST_OPERATORS = 300
LONGEST_TOKEN = 36
DIGITS = 38  # of a number
LONGEST = {"HASH": 2048, "RANGE": 1024}  # bytes of a key

EXPRESSIONS = (
    *("ConditionExpression", "KeyConditionExpression", "FilterExpression", "UpdateExpression"),
    "ProjectionExpression",
)
GRAMMAR = {
    *("AND", "OR", "NOT", "BETWEEN", "IN", "SET", "REMOVE", "ADD", "DELETE", "ATTRIBUTE_EXISTS"),
    *("ATTRIBUTE_NOT_EXISTS", "ATTRIBUTE_TYPE", "BEGINS_WITH", "CONTAINS", "SIZE", "IF_NOT_EXISTS", "LIST_APPEND"),
}
RESERVED = frozenset(ReservedKeywords.get_reserved_keywords())
SCHEMAS = [TABLE["KeySchema"], *(index["KeySchema"] for index in TABLE["GlobalSecondaryIndexes"])]
KEYS = {key["AttributeName"]: LONGEST[key["KeyType"]] for schema in SCHEMAS for key in schema}
PRIMARY = {key["AttributeName"] for key in TABLE["KeySchema"]}
_WORD = re.compile(r"[#:]?[A-Za-z_][A-Za-z0-9_]*")
_OPERATOR = re.compile(r"<>|<=|>=|[=<>+-]|\b(?:AND|OR|NOT|BETWEEN|IN)\b")
_BETWEEN = re.compile(r"BETWEEN\s+(:\w+)\s+AND\s+(:\w+)")


def fault_in(operation: str, body: Body) -> str:
    """Return why DynamoDB would refuse a request, empty when it takes it."""
    match operation:
        case "TransactWriteItems":
            found = _of_transaction(body)
        case "BatchGetItem":
            found = _of_reading(body)
        case "BatchWriteItem":
            found = iter(["a batch is no transaction: the journal must not write one"])
        case "Query":
            found = _of_query(body)
        case "PutItem":
            found = _of_action("Put", body)
        case _:
            found = iter(())
    return next(found, "")


def size_of(value: Mapping[str, Any]) -> int:
    """Return how many bytes a value of the API counts for."""
    ((kind, held),) = value.items()
    match kind:
        case "S":
            return len(held.encode())
        case "B":
            return len(held) * 3 // 4  # it travels in base 64
        case "N":
            return len(held) // 2 + 2
        case "L":
            return 3 + sum(1 + size_of(each) for each in held)
        case _:
            return 1


def _of_transaction(body: Body) -> Iterator[str]:
    actions = [next(iter(each.items())) for each in body["TransactItems"]]
    if not 1 <= len(actions) <= MOST_ACTIONS:
        yield f"a transaction takes 1 to {MOST_ACTIONS} actions, not {len(actions)}"
    if not 1 <= len(body.get("ClientRequestToken", "x")) <= LONGEST_TOKEN:
        yield f"a request token has 1 to {LONGEST_TOKEN} characters"
    places = [str(sorted(_key(action).items())) for _, action in actions]
    if len(set(places)) != len(places):
        yield "Transaction request cannot include multiple operations on one item"
    if sum(_item_size(action.get("Item", {})) for _, action in actions) > LARGEST_TRANSACTION:
        yield "a transaction takes 4 MB"
    for kind, action in actions:
        yield from _of_action(kind, action)


def _of_action(kind: str, action: Body) -> Iterator[str]:
    yield from _of_expressions(action)
    written = action.get("Item", {})
    if _item_size(written) > LARGEST_ITEM:
        yield "Item size has exceeded the maximum allowed size"
    yield from _of_key(_key(action))
    for name in KEYS.keys() & written.keys():
        yield from _of_key_value(name, written[name])
    for name, value in written.items():
        if "N" in value and len(value["N"].lstrip("-")) > DIGITS:
            yield f"Attempting to store more than {DIGITS} significant digits in a Number: {name}"
    named = {action.get("ExpressionAttributeNames", {}).get(word, word) for word in _words(action, "UpdateExpression")}
    if kind == "Update" and named & KEYS.keys():
        yield "This attribute is part of the key"


def _of_reading(body: Body) -> Iterator[str]:
    for asked in body["RequestItems"].values():
        keys = asked["Keys"]
        yield from _of_expressions(asked)
        if not 1 <= len(keys) <= MOST_READ:
            yield f"Too many items requested for the BatchGetItem call: {len(keys)}"
        if len({str(sorted(key.items())) for key in keys}) != len(keys):
            yield "Provided list of item keys contains duplicates"
        for key in keys:
            yield from _of_key(key)


def _of_query(body: Body) -> Iterator[str]:
    yield from _of_expressions(body)
    index, names = body.get("IndexName", ""), body.get("ExpressionAttributeNames", {})
    if index and body.get("ConsistentRead"):
        yield "Consistent reads are not supported on global secondary indexes"
    if body.get("Limit", 1) < 1:
        yield "a page has at least one item"
    asked = {names.get(word, word) for word in _words(body, "KeyConditionExpression") if not word.startswith(":")}
    if not asked <= {f"{index}pk", f"{index}sk"}:
        yield f"Query condition missed key schema element: {asked}"
    values = body.get("ExpressionAttributeValues", {})
    for low, high in _BETWEEN.findall(body["KeyConditionExpression"]):
        if values[low]["S"].encode() > values[high]["S"].encode():
            yield "The BETWEEN operator requires upper bound to be greater than or equal to lower bound"
    if any(not value.get("S", "x") for value in values.values()):
        yield "The AttributeValue for a key attribute cannot contain an empty string value"


def _of_expressions(asked: Body) -> Iterator[str]:
    texts = [asked[name] for name in EXPRESSIONS if name in asked]
    if any(len(text.encode()) > LARGEST_EXPRESSION for text in texts):
        yield "Expression size has exceeded the maximum allowed size"
    if sum(len(_OPERATOR.findall(text)) for text in texts) > MOST_OPERATORS:
        yield "the expression contains too many operators"
    used = {word for name in EXPRESSIONS for word in _words(asked, name)}
    for word in sorted(word for word in used if word[0] not in "#:" and word.upper() in RESERVED):
        yield f"Attribute name is a reserved keyword; reserved keyword: {word}"
    for kind, mark in (("ExpressionAttributeNames", "#"), ("ExpressionAttributeValues", ":")):
        if set(asked.get(kind, {})) != {word for word in used if word.startswith(mark)}:
            yield f"{kind} holds what no expression uses, or lacks what one does"
        if kind in asked and not asked[kind]:
            yield f"{kind} must not be empty"


def _of_key(key: Body) -> Iterator[str]:
    if set(key) != PRIMARY:
        yield "The provided key element does not match the schema"
    for name, value in key.items():
        yield from _of_key_value(name, value)


def _of_key_value(name: str, value: Mapping[str, Any]) -> Iterator[str]:
    if "S" not in value:
        yield f"Type mismatch for key {name}"
    elif not 1 <= len(value["S"].encode()) <= KEYS[name]:
        yield f"key {name} has 1 to {KEYS[name]} bytes, not {len(value['S'].encode())}"


def _key(action: Body) -> Body:
    item: Body = action["Item"] if "Item" in action else action["Key"]
    return {name: value for name, value in item.items() if name in PRIMARY} if "Item" in action else item


def _item_size(item: Body) -> int:
    return sum(len(name.encode()) + size_of(value) for name, value in item.items())


def _words(asked: Body, expression: str) -> list[str]:
    return [word for word in _WORD.findall(asked.get(expression, "")) if word.upper() not in GRAMMAR]
