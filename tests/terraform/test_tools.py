"""The tools that stand in for a registry: a reader that finds faults, and a provider that spells what AWS would."""

import gzip
import json
from pathlib import Path

import pytest

from tools.terraform.checker import Checker
from tools.terraform.schema import Schema, load_schemas, merge_schemas, save_schema, trim, used_types
from tools.terraform.values import policy_document, text_value

SCHEMA = merge_schemas(load_schemas().values())
QUEUE = 'resource "aws_sqs_queue" "orders" {\n  name = "orders"\n}\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder for one configuration, beside a module that it may call."""
    module = tmp_path / "module"
    module.mkdir()
    (module / "main.tf").write_text(
        'variable "size" {\n  type = number\n}\noutput "area" {\n  value = var.size * var.size\n}\n', encoding="utf-8"
    )
    place = tmp_path / "stack"
    place.mkdir()
    return place


def found(folder: Path, text: str) -> list[str]:
    """Return what the checker says of a text, without the path of the file."""
    (folder / "main.tf").write_text(text, encoding="utf-8")
    return [sentence.replace(f"{folder}/main.tf: ", "") for sentence in Checker(SCHEMA).check(folder)]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        pytest.param(QUEUE, [], id="a queue without fault"),
        pytest.param(
            'resource "aws_sqs_queu" "orders" {}\n',
            ["aws_sqs_queu.orders: unknown resource type aws_sqs_queu (a new one? see tools/terraform/README.md)"],
            id="a type that does not exist",
        ),
        pytest.param(
            'resource "aws_sqs_queue" "orders" {\n  nam = "orders"\n}\n',
            ["aws_sqs_queue.orders: unknown argument nam (did you mean name?)"],
            id="a misspelt argument",
        ),
        pytest.param(
            'resource "aws_sqs_queue" "orders" {\n  arn = "orders"\n}\n',
            ["aws_sqs_queue.orders: arn is read-only"],
            id="an argument that is only read",
        ),
        pytest.param(
            'resource "aws_sns_topic_policy" "orders" {\n  arn = "orders"\n}\n',
            ["aws_sns_topic_policy.orders: the required argument policy is missing"],
            id="an argument that is missing",
        ),
        pytest.param(
            'resource "aws_dynamodb_table" "t" {\n  name = "t"\n  ttl {}\n  ttl {}\n}\n',
            ["aws_dynamodb_table.t: block ttl is given 2 times, at most once is allowed"],
            id="a block that is given twice",
        ),
        pytest.param(
            'resource "aws_dynamodb_table" "t" {\n  name = "t"\n  ttl = true\n}\n',
            ["aws_dynamodb_table.t: ttl is a block, not an argument (leave out the =)"],
            id="a block written as an argument",
        ),
        pytest.param(
            'resource "aws_dynamodb_table" "t" {\n  name = "t"\n'
            '  dynamic "index" {\n    for_each = []\n    content {}\n  }\n}\n',
            ['aws_dynamodb_table.t: dynamic "index": there is no such block'],
            id="a dynamic block that does not exist",
        ),
        pytest.param(
            QUEUE + 'output "x" {\n  value = aws_sqs_queue.order.arn\n}\n',
            ["output.x: reference to undeclared aws_sqs_queue.order"],
            id="a reference to a resource that is not there",
        ),
        pytest.param(
            QUEUE + 'output "x" {\n  value = aws_sqs_queue.orders.uri\n}\n',
            ["output.x: aws_sqs_queue has no attribute uri"],
            id="an attribute that a type does not have",
        ),
        pytest.param(
            'output "x" {\n  value = "${var.size} and ${local.size}"\n}\n',
            ["output.x: reference to undeclared var.size", "output.x: reference to undeclared local.size"],
            id="variables and locals that are not there",
        ),
        pytest.param(
            'output "x" {\n  value = [for var in [1, 2] : "say var.size"]\n}\n', [], id="names in a loop and in a text"
        ),
    ],
)
def test_checker_finds_what_validate_would(folder: Path, text: str, sentences: list[str]) -> None:
    """Every planted fault is found, and nothing where there is none."""
    assert sentences == found(folder, text)


def test_checker_follows_local_modules(folder: Path) -> None:
    """What a module takes and gives is checked where it is called."""
    text = 'module "m" {\n  source = "../module"\n  width = 2\n}\noutput "x" {\n  value = module.m.perimeter\n}\n'

    assert [
        "output.x: module m has no output perimeter",
        f"{folder}: module.m: the module has no variable width",
        f"{folder}: module.m: the required variable size is not set",
    ] == found(folder, text)


def test_checker_tells_where_a_file_cannot_be_read(folder: Path) -> None:
    """A file that cannot be parsed is a finding, not a crash."""
    (sentence,) = found(folder, 'resource "aws_sqs_queue" {{\n')

    assert sentence.startswith(f"{folder}/main.tf: cannot be parsed: ") or sentence.startswith("cannot be parsed: ")


def test_schema_is_the_same_bytes_when_saved_again(tmp_path: Path) -> None:
    """A schema that is made anew without change is no change in git."""
    first, second = tmp_path / "a.json.gz", tmp_path / "b.json.gz"
    schema: Schema = {"resource": {"aws_b": {}, "aws_a": {}}, "data": {}}

    save_schema(schema, first)
    save_schema(dict(reversed(schema.items())), second)

    assert first.read_bytes() == second.read_bytes()
    assert schema == json.loads(gzip.decompress(first.read_bytes()))


def test_trim_keeps_what_files_name(folder: Path) -> None:
    """Types of resources, of data sources and of mocks count."""
    (folder / "main.tf").write_text('resource "aws_a" "x" {}\ndata "aws_b" "x" {}\n', encoding="utf-8")
    (folder / "a.tfmock.hcl").write_text('mock_resource "aws_c" {}\n', encoding="utf-8")
    schema: Schema = {"resource": {"aws_a": {}, "aws_c": {}, "aws_d": {}}, "data": {"aws_b": {}, "aws_d": {}}}

    kept = trim(schema, used_types(folder))

    assert {"resource": {"aws_a": {}, "aws_c": {}}, "data": {"aws_b": {}}} == kept


def test_policy_document_is_spelled_as_aws_reads_it() -> None:
    """Statements, principals and conditions, and the documents that it takes over."""
    document = policy_document(
        {
            "source_policy_documents": ['{"Statement": {"Effect": "Deny", "Action": ["s3:*"]}}'],
            "statement": [
                {
                    "sid": "Send",
                    "actions": ["sqs:SendMessage"],
                    "resources": ["arn:b", "arn:a"],
                    "principals": [{"type": "Service", "identifiers": ["events.amazonaws.com"]}],
                    "condition": [{"test": "ArnEquals", "variable": "aws:SourceArn", "values": ["arn:rule"]}],
                }
            ],
        }
    )

    assert {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Deny", "Action": ["s3:*"]},
            {
                "Effect": "Allow",
                "Sid": "Send",
                "Action": ["sqs:SendMessage"],
                "Resource": ["arn:a", "arn:b"],
                "Principal": {"Service": ["events.amazonaws.com"]},
                "Condition": {"ArnEquals": {"aws:SourceArn": ["arn:rule"]}},
            },
        ],
    } == json.loads(document)


@pytest.mark.parametrize(
    ("kind", "given", "arn"),
    [
        ("aws_sqs_queue", {"name": "orders"}, "arn:aws:sqs:eu-west-1:123456789012:orders"),
        ("aws_cloudwatch_event_rule", {"name": "r"}, "arn:aws:events:eu-west-1:123456789012:rule/r"),
        (
            "aws_cloudwatch_event_rule",
            {"name": "r", "event_bus_name": "b"},
            "arn:aws:events:eu-west-1:123456789012:rule/b/r",
        ),
        ("aws_unheard_of", {}, "arn:aws:stub:eu-west-1:123456789012:aws_unheard_of"),
    ],
    ids=["a queue", "a rule of the default bus", "a rule of another bus", "a type without a spelling"],
)
def test_arn_is_spelled_as_aws_would(kind: str, given: dict[str, str], arn: str) -> None:
    """Policies are compared by ARN, so the pretended ones must look like the real ones."""
    assert arn == text_value(kind, "arn", given)
