"""The test bed is one account, in this process and over HTTP, and its DynamoDB is safe for many threads."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from runbook_adapters.dynamodb.schema import TABLE
from tests.emulators.aws import REGION, Aws

Clients = Callable[[str], Any]
THREADS, TURNS = 8, 8
SUM = {"pk": {"S": "sum"}, "sk": {"S": "SUM"}}


@pytest.fixture
def aws() -> Iterator[Aws]:
    """Return an account."""
    with Aws() as bed:
        yield bed


@pytest.fixture
def outside(aws: Aws) -> Iterator[Clients]:
    """Return what makes clients that reach the account over HTTP, and ask once."""
    once = Config(retries={"total_max_attempts": 1}, max_pool_connections=THREADS)
    with ExitStack() as made:

        def over_http(service: str) -> Any:
            found = boto3.client(service, region_name=REGION, endpoint_url=aws.serve(), config=once)
            made.callback(found.close)
            return found

        yield over_http


@pytest.fixture(params=["in this process", "over HTTP"])
def client(request: pytest.FixtureRequest, aws: Aws, outside: Clients) -> Clients:
    """Return what makes clients of the account, both ways."""
    return aws.client if request.param == "in this process" else outside


def table(client: Clients) -> Any:
    """Make a table as the engine's is; return its client."""
    dynamodb = client("dynamodb")
    dynamodb.create_table(TableName="t", **TABLE)
    return dynamodb


def together(turn: Callable[[int], bool]) -> list[bool]:
    """Take all turns, several at once."""
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(turn, range(THREADS * TURNS)))


def test_no_update_is_lost_when_many_add(client: Clients) -> None:
    """An ADD is atomic."""
    dynamodb = table(client)

    def turn(number: int) -> bool:
        dynamodb.update_item(
            TableName="t",
            Key=SUM,
            UpdateExpression="ADD n :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
        )
        return True

    assert all(together(turn))
    item = dynamodb.get_item(TableName="t", Key=SUM, ConsistentRead=True)["Item"]
    assert str(THREADS * TURNS) == item["n"]["N"]


def test_one_transaction_wins_when_many_want_the_same_key(client: Clients) -> None:
    """A condition holds at the moment of the write."""
    dynamodb = table(client)

    def turn(number: int) -> bool:
        wanted = {"pk": {"S": f"lock-{number // THREADS}"}, "sk": {"S": "LOCK"}, "by": {"N": str(number)}}
        put = {"TableName": "t", "Item": wanted, "ConditionExpression": "attribute_not_exists(pk)"}
        try:
            dynamodb.transact_write_items(TransactItems=[{"Put": put}])
        except dynamodb.exceptions.TransactionCanceledException:
            return False
        return True

    assert TURNS == sum(together(turn))


def test_state_is_one_however_it_is_reached(aws: Aws, outside: Clients) -> None:
    """What a process writes over HTTP, the test reads here; the address stays the same."""
    outside("ssm").put_parameter(Name="/flag", Value="on", Type="String")

    assert "on" == aws.client("ssm").get_parameter(Name="/flag")["Parameter"]["Value"]
    assert aws.serve() == aws.serve()


@pytest.mark.parametrize(
    "service", ["dynamodb", "ssm", "sns", "lambda", "sqs", "cloudwatch", "events", "stepfunctions"]
)
def test_faults_play_over_http_too(aws: Aws, outside: Clients, service: str) -> None:
    """The service and the operation are told from the request."""
    operations = {
        "dynamodb": "ListTables",
        "ssm": "DescribeParameters",
        "sns": "ListTopics",
        "lambda": "Invoke",
        "sqs": "ListQueues",
        "cloudwatch": "DescribeAlarms",
        "events": "ListRules",
        "stepfunctions": "ListStateMachines",
    }
    aws.function("echo", lambda event, context: event)
    arguments = {"FunctionName": "echo"} if service == "lambda" else {}
    call = getattr(outside(service), _method(operations[service]))
    aws.faults.throttle(service, operations[service])

    with pytest.raises(ClientError) as caught:
        call(**arguments)

    assert caught.value.response["Error"]["Code"] in (
        "ThrottlingException",
        "Throttled",
        "Throttling",
        "TooManyRequestsException",
    )
    call(**arguments)


def _method(operation: str) -> str:
    """Return the method of a client for an operation."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in operation).lstrip("_")


@pytest.mark.parametrize(("after", "left"), [(True, 1), (False, 0)], ids=["with its effect", "without any effect"])
def test_connection_is_lost_over_http(aws: Aws, outside: Clients, after: bool, left: int) -> None:
    """The socket is closed without an answer."""
    aws.faults.lose("ssm", "PutParameter", after=after)

    with pytest.raises(ConnectionClosedError):
        outside("ssm").put_parameter(Name="/flag", Value="on", Type="String")

    assert left == len(aws.client("ssm").describe_parameters()["Parameters"])


def test_functions_answer_over_http(aws: Aws, outside: Clients) -> None:
    """An invocation from outside runs the callable of the test."""
    function = aws.function("echo", lambda event, context: event)

    answer = outside("lambda").invoke(FunctionName=function.arn, Payload=b'{"a": 1}')

    assert b'{"a": 1}' == answer["Payload"].read()
