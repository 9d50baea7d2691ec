"""The other services of AWS behind a proxy that lies: each call at the port, counted at the services themselves."""

from __future__ import annotations

import hashlib
import io
import json
import uuid
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import boto3
import pytest

from runbook_adapters import cloudwatch, eventbridge, lambda_function, s3, sns, sqs
from runbook_adapters.aws import clients
from runbook_engine.errors import Permanent, Retryable
from runbook_engine.model.bus import BusEvent
from runbook_engine.model.metric import MetricQuery
from runbook_engine.model.target import Target
from tests.chaos.dependencies.judging import Judge, Look, Write
from tests.chaos.dependencies.proxy import Pace, Proxy, proxy
from tests.chaos.tally import LONG
from tests.contract.aws.account import ENDPOINT, KEYS, NOW, REGION, context, environment, serve
from tests.contract.test_receivers import MESSAGE
from tests.emulators.aws.faults import Faults
from tests.emulators.aws.server import Server
from tests.emulators.aws.wire import Wire

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600 if LONG else 120)]
PACE = Pace(slow=0.01, late=0.9, drip=0.01)
UNBOUNDED = ("drip", "endless")  # boto3 bounds neither the time nor the size of a whole answer
LEAN = ("bus",)  # asked by the lean client, which does
TOPIC = f"arn:aws:sns:{REGION}:123456789012:oncall"
BUNDLE = b'{"runbooks": []}'
METRIC = MetricQuery(namespace="shop", metric="errors", stat="Sum")
EVENT = BusEvent(kind="Execution Audited", at=NOW, detail={"id": "e-1"})
Fresh = tuple[Callable[[], Any], Callable[[], int]]


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits ten seconds for an answer here, nor tries four times."""
    monkeypatch.setattr(clients, "READ_TIMEOUT", 0.5)
    monkeypatch.setattr(clients, "CONNECT_TIMEOUT", 1.0)
    monkeypatch.setitem(clients.ATTEMPTS, "looking", 1)


@dataclass
class Account:
    """An account of AWS, the proxy before it, and what others ask it directly."""

    before: Proxy
    wire: Wire
    url: str

    def direct(self, service: str) -> Any:
        """Return what somebody else asks the account with, past the proxy."""
        return boto3.client(service, region_name=REGION, endpoint_url=self.url)

    def judge(self, adapter: str) -> Judge:
        """Return what judges the calls of one adapter."""
        return Judge(adapter, self.before, limit=8.0, spare=lambda name, fault: fault in UNBOUNDED and name not in LEAN)

    def arrived(self, service: str, operation: str) -> Callable[[], int]:
        """Return what counts the calls of an operation that have arrived."""
        return lambda: self.wire.calls[service, operation]


@pytest.fixture
def account() -> Iterator[Account]:
    """An account over HTTP, behind the proxy."""
    with ExitStack() as stack:
        wire = Wire(Faults())
        server = Server(wire)
        stack.callback(server.close)
        before = stack.enter_context(proxy(server.url, pace=PACE))
        stack.enter_context(environment(**KEYS, **{ENDPOINT: before.url}))
        yield Account(before, wire, server.url)


def function(account: Account) -> Target:
    """Arrange a function of its own with two versions, and an alias that points to the first."""
    name, direct = f"orders-{uuid.uuid4().hex}", account.direct("lambda")
    direct.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role="arn:aws:iam::123456789012:role/orders",
        Handler="main.handler",
        Code={"ZipFile": _zip("first")},
    )
    direct.publish_version(FunctionName=name)
    direct.update_function_code(FunctionName=name, ZipFile=_zip("second"))
    direct.publish_version(FunctionName=name)
    direct.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    return Target("function", "", "", f"{name}:live")


def _zip(body: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("main.py", f"def handler(event, context):\n    return {body!r}\n")
    return buffer.getvalue()


def test_functions_are_read_and_changed_rightly_or_not_at_all(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An alias points where it is said to point, or nobody knows."""
    monkeypatch.setattr("moto.awslambda.models.validate_role", lambda *ignored: None, raising=False)
    _role(account)
    served, direct = serve(lambda_function.ADAPTER, "functions", context()), account.direct("lambda")
    target = function(account)
    judge = account.judge("lambda")

    def pointed() -> Fresh:
        own = function(account)
        name = own.name.partition(":")[0]
        return (
            lambda: served.writer.point(own, 2, expected=1),
            lambda: int(direct.get_alias(FunctionName=name, Name="live")["FunctionVersion"] == "2"),
        )

    def limited() -> Fresh:
        own = function(account)
        name = own.name.partition(":")[0]
        return (
            lambda: served.writer.limit(own, 5, expected=None),
            lambda: int(direct.get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions") == 5),
        )

    judge.look(Look("function", lambda: served.reader.function(target)))
    judge.write(Write("point", pointed))
    judge.write(Write("limit", limited))

    judge.settle()


def _role(account: Account) -> None:
    iam = account.direct("iam")
    try:
        iam.create_role(RoleName="orders", AssumeRolePolicyDocument=json.dumps({"Statement": []}))
    except iam.exceptions.EntityAlreadyExistsException:
        return


def test_queues_metrics_and_bundles_are_right_or_unreadable(account: Account) -> None:
    """What answers instead of AWS is never a queue, a figure or a bundle."""
    name = uuid.uuid4().hex
    queues, buckets = account.direct("sqs"), account.direct("s3")
    queues.create_queue(QueueName=name)
    where = {"LocationConstraint": REGION}
    buckets.create_bucket(Bucket=name, CreateBucketConfiguration=where)
    buckets.put_object(Bucket=name, Key="bundle.json", Body=BUNDLE)
    point = {"MetricName": "errors", "Value": 3.0, "Timestamp": NOW - timedelta(minutes=2)}
    account.direct("cloudwatch").put_metric_data(Namespace="shop", MetricData=[point])
    found = {"bucket": name, "key": "bundle.json", "digest": hashlib.sha256(BUNDLE).hexdigest()}
    bundles = serve(s3.ADAPTER, "bundles", context(), **found).reader
    metrics = serve(cloudwatch.ADAPTER, "metrics", context()).reader
    dead = serve(sqs.ADAPTER, "queues", context()).reader
    judge = account.judge("sqs, s3, cloudwatch")

    judge.look(Look("bundle", bundles.bundle))
    judge.look(Look("metric", lambda: metrics.query(METRIC.text, {}, NOW)))
    judge.look(Look("queue", lambda: dead.queue(Target("queue", "", "", name))))

    judge.settle()


def test_topics_and_the_bus_are_told_or_told_again(account: Account) -> None:
    """What is said to be told has arrived; whatever is in doubt is told again."""
    account.direct("sns").create_topic(Name="oncall")
    topic = serve(sns.ADAPTER, "receiver", context(), topic=TOPIC).writer
    bus = serve(eventbridge.ADAPTER, "bus", context(), bus="default").writer
    judge = account.judge("sns, eventbridge")

    def publish() -> object:
        left = bus.publish([EVENT])
        if left:
            raise Retryable(left[0].reason)
        return {}

    told, published = account.arrived("sns", "Publish"), account.arrived("events", "PutEvents")
    judge.write(
        Write("topic", lambda: (lambda: topic.send("oncall", MESSAGE), told), (Retryable, Permanent), again=True)
    )
    judge.write(Write("bus", lambda: (publish, published), (Retryable, Permanent), again=True, repeats=True))

    judge.settle()
