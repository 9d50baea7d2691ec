"""The envelopes in which AWS hands something to a function. Pure: values in, the event as it arrives out."""

import base64
import gzip
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from tests.emulators.aws.place import ACCOUNT, REGION, arn

Pairs = Mapping[str, str] | Iterable[tuple[str, str]]
Body = bytes | str | Mapping[str, Any] | list[Any]
MOMENT = datetime(2026, 5, 11, 7, 40, 12, 402000, tzinfo=UTC)
SOURCE_IP = "198.51.100.7"
API = "a1.execute-api.eu-west-1.amazonaws.com"
FUNCTION_URL = "x1.lambda-url.eu-west-1.on.aws"


def http_api(
    method: str,
    path: str,
    headers: Pairs = (),
    body: Body = b"",
    *,
    route: str = "$default",
    parameters: Mapping[str, str] | None = None,
    query: Pairs = (),
    source_ip: str = SOURCE_IP,
    stage: str = "$default",
    request_id: str = "r2",
    domain: str = API,
    at: datetime = MOMENT,
) -> dict[str, Any]:
    """HTTP API, payload format 2.0: header names lower case, several values joined by commas, cookies apart."""
    joined = joined_headers(headers)
    cookies = joined.pop("cookie", "")
    text, encoded = encode_body(joined, body)
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route,
        "rawPath": path if stage == "$default" else f"/{stage}{path}",
        "rawQueryString": urlencode(pairs(query)),
        "headers": joined,
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": domain.split(".")[0],
            "domainName": domain,
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": source_ip,
                "userAgent": "curl",
            },
            "requestId": request_id,
            "routeKey": route,
            "stage": stage,
            "timeEpoch": int(at.timestamp() * 1000),
        },
        "isBase64Encoded": encoded,
    }
    if cookies:
        event["cookies"] = [cookie.strip() for cookie in cookies.split(";")]
    if query := joined_values(query):
        event["queryStringParameters"] = query
    if parameters:
        event["pathParameters"] = dict(parameters)
    if text:
        event["body"] = text
    return event


def function_url(method: str, path: str, headers: Pairs = (), body: Body = b"", **more: Any) -> dict[str, Any]:
    """Function URL: format 2.0 with a domain of its own, and neither routes nor parameters."""
    return http_api(method, path, headers, body, domain=FUNCTION_URL, **more)


def rest(
    method: str,
    path: str,
    headers: Pairs = (),
    body: Body = b"",
    *,
    resource: str = "/{proxy+}",
    parameters: Mapping[str, str] | None = None,
    query: Pairs = (),
    source_ip: str = SOURCE_IP,
    stage: str = "prod",
) -> dict[str, Any]:
    """REST API, Lambda proxy: the client's case of header names, every value kept beside the last one."""
    named = pairs(headers)
    text, encoded = encode_body(joined_headers(headers), body)
    return {
        "resource": resource,
        "path": path,
        "httpMethod": method,
        "headers": dict(named) or None,
        "multiValueHeaders": every_value(named) or None,
        "queryStringParameters": dict(pairs(query)) or None,
        "multiValueQueryStringParameters": every_value(pairs(query)) or None,
        "pathParameters": dict(parameters) if parameters else None,
        "stageVariables": None,
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": "a1",
            "httpMethod": method,
            "path": f"/{stage}{path}",
            "requestId": "r1",
            "resourcePath": resource,
            "stage": stage,
            "identity": {"sourceIp": source_ip},
        },
        "body": text or None,
        "isBase64Encoded": encoded,
    }


def alb(
    method: str, path: str, headers: Pairs = (), body: Body = b"", *, query: Pairs = (), several: bool = False
) -> dict[str, Any]:
    """Load balancer: no request id, and query values as they were sent. One value a header, the last, unless told."""
    named = [(name.lower(), value) for name, value in pairs(headers)]
    asked = [(quote(name), quote(value)) for name, value in pairs(query)]
    text, encoded = encode_body(joined_headers(headers), body)
    event: dict[str, Any] = {
        "requestContext": {"elb": {"targetGroupArn": arn("elasticloadbalancing", "targetgroup/rb/1")}},
        "httpMethod": method,
        "path": path,
        "body": text,
        "isBase64Encoded": encoded,
    }
    if several:
        return event | {"multiValueQueryStringParameters": every_value(asked), "multiValueHeaders": every_value(named)}
    return event | {"queryStringParameters": dict(asked), "headers": dict(named)}


def sns(
    topic_arn: str,
    message: str | Mapping[str, Any],
    *,
    subject: str | None = None,
    attributes: Mapping[str, str] | None = None,
    message_id: str = "m1",
) -> dict[str, Any]:
    """A topic's notification: always one record."""
    notification = {
        "Type": "Notification",
        "MessageId": message_id,
        "TopicArn": topic_arn,
        "Subject": subject,
        "Message": message if isinstance(message, str) else json.dumps(message),
        "Timestamp": stamp(MOMENT),
        "SignatureVersion": "1",
        "MessageAttributes": {name: {"Type": "String", "Value": value} for name, value in (attributes or {}).items()},
    }
    record = {"EventVersion": "1.0", "EventSource": "aws:sns", "EventSubscriptionArn": f"{topic_arn}:s1"}
    return {"Records": [record | {"Sns": notification}]}


def sqs(queue_arn: str, *bodies: str | Mapping[str, Any], receives: int = 1) -> dict[str, Any]:
    """A batch of a queue: messages q-1, q-2, ..."""
    texts = [body if isinstance(body, str) else json.dumps(body) for body in bodies]
    return {"Records": [sqs_record(queue_arn, f"q-{n}", text, receives) for n, text in enumerate(texts, start=1)]}


def sqs_record(queue_arn: str, message_id: str, body: str, receives: int = 1, group: str = "") -> dict[str, Any]:
    """One message of a batch."""
    sent = str(int(MOMENT.timestamp() * 1000))
    attributes = {"ApproximateReceiveCount": str(receives), "SentTimestamp": sent}
    return {
        "messageId": message_id,
        "receiptHandle": "h",
        "body": body,
        "attributes": attributes | ({"MessageGroupId": group} if group else {}),
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": REGION,
    }


def event(
    source: str,
    detail_type: str,
    detail: Mapping[str, Any],
    *,
    account: str = ACCOUNT,
    region: str = REGION,
    time: datetime = MOMENT,
    resources: Iterable[str] = (),
    event_id: str = "e1",
    replay_name: str = "",
) -> dict[str, Any]:
    """An event as a rule delivers it."""
    document: dict[str, Any] = {
        "version": "0",
        "id": event_id,
        "detail-type": detail_type,
        "source": source,
        "account": account,
        "time": f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "region": region,
        "resources": list(resources),
        "detail": dict(detail),
    }
    return document | ({"replay-name": replay_name} if replay_name else {})


def alarm_change(
    alarm_arn: str,
    state: str,
    *,
    reason: str = "Threshold Crossed",
    previous: str = "OK",
    time: datetime = MOMENT,
    metrics: Iterable[Mapping[str, Any]] = (),
    **more: Any,
) -> dict[str, Any]:
    """An alarm that changed its state, over EventBridge."""
    detail = _alarm(alarm_arn, state, reason, previous, time, metrics)
    return event("aws.cloudwatch", "CloudWatch Alarm State Change", detail, time=time, resources=[alarm_arn], **more)


def alarm_action(
    alarm_arn: str,
    state: str,
    *,
    reason: str = "Threshold Crossed",
    previous: str = "OK",
    time: datetime = MOMENT,
    metrics: Iterable[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """An alarm whose action is the function itself."""
    return {
        "source": "aws.cloudwatch",
        "alarmArn": alarm_arn,
        "accountId": ACCOUNT,
        "time": _zoned(time),
        "region": REGION,
        "alarmData": _alarm(alarm_arn, state, reason, previous, time, metrics),
    }


def logs(group: str, *messages: str, control: bool = False, owner: str = ACCOUNT) -> dict[str, Any]:
    """A log subscription: gzip in base64. A control message only asks whether we can be reached."""
    at = int(MOMENT.timestamp() * 1000)
    document = {
        "messageType": "CONTROL_MESSAGE" if control else "DATA_MESSAGE",
        "owner": "CloudwatchLogs" if control else owner,
        "logGroup": "" if control else group,
        "logStream": "" if control else "s1",
        "subscriptionFilters": [] if control else ["f1"],
        "logEvents": [{"id": str(n), "timestamp": at, "message": text} for n, text in enumerate(messages, start=1)],
    }
    packed = gzip.compress(json.dumps(document).encode(), mtime=0)
    return {"awslogs": {"data": base64.b64encode(packed).decode()}}


def task(payload: Mapping[str, Any], *, token: str = "", execution: str = "") -> dict[str, Any]:
    """A task of a state machine: its payload, with the token when it waits for one."""
    named = {"execution": execution or arn("states", "execution:driver:e1")}
    return named | ({"taskToken": token} if token else {}) | dict(payload)


def stamp(moment: datetime) -> str:
    """Return a time as SNS and Lambda write it."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def pairs(given: Pairs) -> list[tuple[str, str]]:
    """Return names with values, in order, every value kept."""
    return list(given.items()) if isinstance(given, Mapping) else list(given)


def every_value(given: list[tuple[str, str]]) -> dict[str, list[str]]:
    """Return every value of every name."""
    return {name: [value for other, value in given if other == name] for name, _ in given}


def joined_values(given: Pairs) -> dict[str, str]:
    """Return the values of each name, joined by commas."""
    return {name: ",".join(values) for name, values in every_value(pairs(given)).items()}


def joined_headers(given: Pairs) -> dict[str, str]:
    """Return headers as format 2.0 has them."""
    return joined_values([(name.lower(), value) for name, value in pairs(given)])


def encode_body(headers: Mapping[str, str], body: Body) -> tuple[str, bool]:
    """Return the body as an event carries it: text where the media type says so, else base64."""
    text = body if isinstance(body, bytes | str) else json.dumps(body)
    raw = text.encode() if isinstance(text, str) else text
    media = headers.get("content-type", "application/json").split(";")[0].strip().lower()
    subtype = media.removeprefix("application/")
    textual = media.startswith("text/") or subtype in ("json", "xml", "javascript") or media.endswith(("+json", "+xml"))
    if textual and "content-encoding" not in headers:
        try:
            return raw.decode(), False
        except UnicodeDecodeError:
            pass
    return (base64.b64encode(raw).decode(), True) if raw else ("", False)


def _alarm(
    alarm_arn: str, state: str, reason: str, previous: str, time: datetime, metrics: Iterable[Mapping[str, Any]]
) -> dict[str, Any]:
    return {
        "alarmName": alarm_arn.rpartition(":alarm:")[2],
        "state": {"value": state, "reason": reason, "timestamp": _zoned(time)},
        "previousState": {"value": previous, "reason": "", "timestamp": _zoned(time)},
        "configuration": {"metrics": [dict(metric) for metric in metrics]},
    }


def _zoned(moment: datetime) -> str:
    """Return a time as CloudWatch writes it."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}+0000"
