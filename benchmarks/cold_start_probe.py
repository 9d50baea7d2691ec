"""One measurement in a fresh interpreter, for `cold_start`: `probe.py reference STATEMENT | ingest | drive | warm`.

Prints seconds, CPU seconds, MiB resident at most, modules and heavy ones. AWS answers at once: nothing is there yet.
"""

from __future__ import annotations

import io
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HEAVY = ("kubernetes", "pydantic", "jinja2", "yaml", "flask", "rich", "pytest")
TOKEN = "t" * 40
WARM_UP = 20
HEADERS = {"content-type": "application/x-amz-json-1.0", "x-amzn-requestid": "bench"}
NOTHING: dict[str, dict[str, Any]] = {
    "Query": {"Items": [], "Count": 0, "ScannedCount": 0},
    "BatchGetItem": {"Responses": {}, "UnprocessedKeys": {}},
}


class Body(io.BytesIO):
    """An answer as the SDK reads it."""

    def stream(self) -> Iterator[bytes]:
        """Yield all of it."""
        yield self.read()


class Context:
    """What Lambda tells of an invocation."""

    aws_request_id = "1"
    invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:f"

    def get_remaining_time_in_millis(self) -> int:
        """Return half a minute."""
        return 30_000


def answer(target: str, content: bytes) -> bytes:
    """Answer a call of AWS, without AWS."""
    operation = target.rpartition(".")[2]
    known = NOTHING.get(operation, {})
    if operation == "GetParameter":
        name = json.loads(content)["Name"]
        value = TOKEN if name.endswith("/alertmanager") else name.rpartition("/")[2] * 20
        known = {"Parameter": {"Name": name, "Type": "SecureString", "Value": value, "Version": 1}}
    if operation == "PutEvents":
        known = {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}] * len(json.loads(content)["Entries"])}
    return json.dumps(known).encode()


def answer_boto3() -> None:
    """Answer instead of the connections of boto3."""
    import botocore.httpsession
    from botocore.awsrequest import AWSResponse

    def send(self: Any, request: Any) -> Any:
        target = request.headers.get("X-Amz-Target", b"")
        told = answer(target.decode() if isinstance(target, bytes) else target, request.body)
        return AWSResponse(request.url, 200, HEADERS, Body(told))

    botocore.httpsession.URLLib3Session.send = send


def answer_lean() -> None:
    """Answer instead of the connections of the lean client."""
    from runbook_adapters.aws.lean.wire import Answer, Wire

    def send(self: Any, place: Any, headers: Mapping[str, str], body: bytes) -> Any:
        return Answer(200, HEADERS, answer(headers["X-Amz-Target"], body))

    setattr(Wire, "send", send)  # noqa: B010  # a method is replaced


def webhook(number: int) -> dict[str, Any]:
    """Return one new alert, as the HTTP API hands it over."""
    now = datetime.now(UTC).isoformat()
    labels = {"alertname": "CheckoutHighErrorRate", "severity": "critical", "instance": f"i-{number}"}
    alert = {"status": "firing", "labels": labels, "annotations": {}, "startsAt": now}
    return {
        "version": "2.0",
        "routeKey": "POST /hooks/{scope}",
        "rawPath": "/hooks/alertmanager",
        "rawQueryString": "",
        "headers": {"content-type": "application/json", "authorization": f"Bearer {TOKEN}"},
        "requestContext": {"http": {"method": "POST", "path": "/hooks/alertmanager", "sourceIp": "198.51.100.7"}},
        "pathParameters": {"scope": "alertmanager"},
        "body": json.dumps({"version": "4", "alerts": [alert]}),
        "isBase64Encoded": False,
    }


def take(number: int) -> None:
    """Take one alert in, through the handler."""
    from runbook_engine.entrypoints.aws_lambda import ingest

    reply = ingest(webhook(number), Context())
    if reply["statusCode"] != 202:
        raise RuntimeError(f"the alert was not taken: {reply}")


def start_ingest() -> None:
    """Start the front door: from nothing to the answer of its first invocation."""
    if "AWS_ENDPOINT_URL" not in os.environ:  # else somebody answers there
        answer_boto3() if os.environ.get("RUNBOOK_AWS_CLIENT") == "boto3" else answer_lean()
    take(0)


def start_drive() -> None:
    """Start the function that drives: its host, and the client of its table."""
    from runbook_engine.entrypoints.aws_lambda import _driver
    from runbook_engine.entrypoints.aws_lambda import driving as driving

    table = _driver().seats
    table._table._looking()  # type: ignore[attr-defined]  # the client of its table, which is made at the first use


def warm(rounds: int) -> float:
    """Return the CPU seconds of one warm invocation: the median of many."""
    start_ingest()
    spent = []
    for number in range(1, WARM_UP + rounds):
        begun = time.process_time()
        take(number)
        spent.append(time.process_time() - begun)
    return sorted(spent[WARM_UP:])[len(spent[WARM_UP:]) // 2]


def resident() -> float:
    """Return the most MiB that this process ever held; what its parent held counts elsewhere."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def measured(work: Callable[[], object]) -> dict[str, Any]:
    """Return what some work costs."""
    begun, spent = time.perf_counter(), time.process_time()
    work()
    return {
        "seconds": time.perf_counter() - begun,
        "cpu": time.process_time() - spent,
        "resident": resident(),
        "modules": len(sys.modules),
        "heavy": [name for name in HEAVY if name in sys.modules],
    }


def main() -> None:
    """Measure what is asked for."""
    what, more = sys.argv[1], sys.argv[2:]
    said, sys.stdout = sys.stdout, io.StringIO()  # the handlers write their metrics there
    if what == "warm":
        told: Any = warm(int(more[0]))
    elif what == "reference":
        told = measured(lambda: exec(more[0], {}))
    else:
        told = measured({"ingest": start_ingest, "drive": start_drive}[what])
    said.write(json.dumps(told))


if __name__ == "__main__":
    main()
