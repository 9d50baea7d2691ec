"""The rules of DynamoDB that moto lets pass: each is broken once, in process and over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulators.dynamodb import DynamoServer, locked_client, new_table
from tests.emulators.dynamodb_client import plain_client
from tests.emulators.dynamodb_rules import fault_in

PLACE = {"pk": {"S": "a"}, "sk": {"S": "b"}}
OTHER = {"pk": {"S": "c"}, "sk": {"S": "b"}}
QUERY = {
    "KeyConditionExpression": "#pk = :pk",
    "ExpressionAttributeNames": {"#pk": "pk"},
    "ExpressionAttributeValues": {":pk": {"S": "x"}},
}
BETWEEN = {
    "KeyConditionExpression": "#pk = :pk AND #sk BETWEEN :low AND :high",
    "ExpressionAttributeNames": {"#pk": "pk", "#sk": "sk"},
    "ExpressionAttributeValues": {":pk": {"S": "x"}, ":low": {"S": "9"}, ":high": {"S": "1"}},
}


def put(**item: Any) -> dict[str, Any]:
    """A transaction that stores one item."""
    return {"TransactItems": [{"Put": {"Item": {**PLACE, **item}}}]}


def put_if(condition: str, **given: Any) -> dict[str, Any]:
    """A transaction that stores one item on a condition."""
    return {"TransactItems": [{"Put": {"Item": PLACE, "ConditionExpression": condition, **given}}]}


def numbered(count: int, **more: Any) -> list[dict[str, Any]]:
    """So many different places."""
    return [{"pk": {"S": str(number)}, "sk": {"S": "b"}, **more} for number in range(count)]


REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "no action": ("TransactWriteItems", {"TransactItems": []}, "1 to 100 actions"),
    "101 actions": (
        "TransactWriteItems",
        {"TransactItems": [{"Delete": {"Key": key}} for key in numbered(101)]},
        "1 to 100 actions, not 101",
    ),
    "two actions on one item": (
        "TransactWriteItems",
        {"TransactItems": [{"Put": {"Item": PLACE}}, {"Delete": {"Key": PLACE}}]},
        "multiple operations on one item",
    ),
    "a long token": ("TransactWriteItems", {**put(), "ClientRequestToken": "x" * 37}, "1 to 36 characters"),
    "five megabytes": (
        "TransactWriteItems",
        {"TransactItems": [{"Put": {"Item": item}} for item in numbered(14, body={"S": "x" * 380_000})]},
        "takes 4 MB",
    ),
    "a large item": ("TransactWriteItems", put(body={"S": "x" * 410_000}), "maximum allowed size"),
    "a large number": ("TransactWriteItems", put(size={"N": "1" * 39}), "significant digits"),
    "an empty key": ("TransactWriteItems", put(sk={"S": ""}), "key sk has 1 to 1024 bytes"),
    "an empty key of an index": ("TransactWriteItems", put(gsi1sk={"S": ""}), "key gsi1sk has 1 to 1024 bytes"),
    "a long key": ("TransactWriteItems", put(pk={"S": "x" * 2049}), "key pk has 1 to 2048 bytes, not 2049"),
    "a number as a key": ("TransactWriteItems", put(gsi2sk={"N": "1"}), "Type mismatch for key gsi2sk"),
    "half a key": ("TransactWriteItems", {"TransactItems": [{"Delete": {"Key": {"pk": PLACE["pk"]}}}]}, "schema"),
    "a reserved word": ("TransactWriteItems", put_if("attribute_exists(owner)"), "reserved keyword: owner"),
    "a reserved word in capitals": ("TransactWriteItems", put_if("attribute_exists(Status)"), "keyword: Status"),
    "a name that is not used": (
        "TransactWriteItems",
        put_if("attribute_exists(rev)", ExpressionAttributeNames={"#n": "name"}),
        "ExpressionAttributeNames holds what no expression uses",
    ),
    "a value that is not given": (
        "TransactWriteItems",
        put_if("rev = :rev"),
        "ExpressionAttributeValues holds what no expression uses, or lacks what one does",
    ),
    "a long expression": ("TransactWriteItems", put_if("rev = " + "r" * 4100), "Expression size"),
    "an update of a key": (
        "TransactWriteItems",
        {
            "TransactItems": [
                {
                    "Update": {
                        "Key": PLACE,
                        "UpdateExpression": "ADD #k :k",
                        "ExpressionAttributeNames": {"#k": "sk"},
                        "ExpressionAttributeValues": {":k": {"N": "1"}},
                    }
                }
            ]
        },
        "part of the key",
    ),
    "101 reads": ("BatchGetItem", {"RequestItems": {"t": {"Keys": numbered(101)}}}, "Too many items"),
    "no read": ("BatchGetItem", {"RequestItems": {"t": {"Keys": []}}}, "Too many items"),
    "one read twice": ("BatchGetItem", {"RequestItems": {"t": {"Keys": [PLACE, PLACE]}}}, "duplicates"),
    "a reserved column": (
        "BatchGetItem",
        {"RequestItems": {"t": {"Keys": [PLACE], "ProjectionExpression": "pk, status"}}},
        "reserved keyword: status",
    ),
    "a strong read of an index": ("Query", {**QUERY, "IndexName": "gsi1", "ConsistentRead": True}, "Consistent reads"),
    "another key than the index's": ("Query", {**QUERY, "IndexName": "gsi1"}, "key schema"),
    "an empty page": ("Query", {**QUERY, "Limit": 0}, "at least one"),
    "bounds the wrong way round": ("Query", BETWEEN, "upper bound"),
    "a batch of writes": ("BatchWriteItem", {"RequestItems": {}}, "no transaction"),
}


@pytest.mark.parametrize(("operation", "body", "says"), REFUSED.values(), ids=REFUSED)
def test_request_is_refused_when_dynamodb_would_not_take_it(operation: str, body: dict[str, Any], says: str) -> None:
    """As the service's documentation says."""
    assert says in fault_in(operation, body)


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        pytest.param("TransactWriteItems", put_if("attribute_not_exists(pk)"), id="a condition"),
        pytest.param(
            "TransactWriteItems", {"TransactItems": [{"Delete": {"Key": k}} for k in numbered(100)]}, id="100"
        ),
        pytest.param("BatchGetItem", {"RequestItems": {"t": {"Keys": [PLACE, OTHER]}}}, id="two reads"),
        pytest.param("Query", {**QUERY, "ConsistentRead": True}, id="a query"),
    ],
)
def test_request_is_taken_when_it_keeps_the_rules(operation: str, body: dict[str, Any]) -> None:
    """No rule refuses too much."""
    assert "" == fault_in(operation, body)


def test_rules_hold_for_clients_in_process_and_over_http() -> None:
    """What is refused is not stored."""
    wrong = {"Item": PLACE, "ConditionExpression": "attribute_not_exists(owner)"}
    with DynamoServer() as server:
        for client in (locked_client(), plain_client(server.url)):
            name = new_table(client)

            with pytest.raises(ClientError, match="reserved keyword: owner"):
                client.transact_write_items(TransactItems=[{"Put": {**wrong, "TableName": name}}])

            assert 0 == client.scan(TableName=name)["Count"]


def test_stingy_client_answers_in_parts() -> None:
    """Two items of a query at most, half of the keys of a batch: who asks has to go on."""
    client = locked_client(stingy=True)
    name = new_table(client)
    for number in range(5):
        client.put_item(TableName=name, Item={"pk": {"S": "x"}, "sk": {"S": str(number)}})
    keys = [{"pk": {"S": "x"}, "sk": {"S": str(number)}} for number in range(5)]

    queried = client.query(TableName=name, **QUERY)
    read = client.batch_get_item(RequestItems={name: {"Keys": keys}})

    assert (2, True) == (queried["Count"], "LastEvaluatedKey" in queried)
    assert (3, keys[3:]) == (len(read["Responses"][name]), read["UnprocessedKeys"][name]["Keys"])
