"""The Lambda service: moto's own paths to a function, all led to the callables of the test bed."""

import json
from collections.abc import Mapping
from typing import Any

from moto.awslambda.exceptions import UnknownFunctionException
from moto.awslambda.models import LambdaFunction
from moto.awslambda_simple.models import LambdaSimpleBackend
from moto.core.exceptions import JsonRESTError
from moto.sns.models import Subscription

from tests.emulators.aws import events
from tests.emulators.aws.functions import SYNCHRONOUS_LIMIT, Function, Functions, Hang, Invocation, Undelivered
from tests.emulators.aws.patches import Patches

ASYNCHRONOUS_LIMIT = 1024 * 1024


class Refused(JsonRESTError):
    """The service refuses to invoke: nothing ran."""

    def __init__(self, code: int, error_type: str, message: str) -> None:
        self.code = code
        super().__init__(error_type, message)


class Invoking:
    """Stands where moto would start a container."""

    def __init__(self, functions: Functions, undelivered: Undelivered, hang: Hang) -> None:
        self._functions = functions
        self._undelivered = undelivered
        self._hang = hang

    def install(self, patches: Patches) -> None:
        """Lead the Invoke API, SNS subscriptions, log subscriptions and queue mappings here."""
        invoking = self

        def invoke_api(
            backend: LambdaSimpleBackend,
            function_name: str,
            qualifier: str | None,
            body: Any,
            headers: Any,
            response_headers: Any,
        ) -> bytes:
            name, suffix = split(function_name)
            if name not in invoking._functions.by_name:
                raise UnknownFunctionException(
                    f"arn:aws:lambda:{backend.region_name}:{backend.account_id}:function:{name}"
                )
            kind = headers.get("X-Amz-Invocation-Type", "RequestResponse")
            return invoking.call(backend.get_function(name), qualifier or suffix, _text(body), kind, response_headers)

        def invoke_model(model: LambdaFunction, body: str, request_headers: Any, response_headers: Any) -> bytes:
            return invoking.call(model, "", body, "Event", response_headers)

        def publish(subscription: Subscription, message: str, message_id: str, *rest: Any, **more: Any) -> None:
            if subscription.protocol != "lambda":
                original(subscription, message, message_id, *rest, **more)
            else:
                invoking.notify(subscription, message, message_id, *rest, **more)

        patches.replace(LambdaSimpleBackend, "invoke", invoke_api)
        patches.replace(LambdaFunction, "invoke", invoke_model)
        original = patches.replace(Subscription, "publish", publish)

    def call(self, model: LambdaFunction, qualifier: str, body: str, kind: str, answer: dict[str, str]) -> bytes:
        """Run or post an invocation; put the error header into the answer as the service does."""
        self._check(model, body, kind)
        if kind == "DryRun":
            return b""
        if kind == "Event":
            self._functions.post(model.function_name, body, self._undelivered)
            return b""
        invocation = self._functions.run(model.function_name, body, qualifier=qualifier, hang=self._hang)
        if invocation.error is not None:
            answer["x-amz-function-error"] = "Unhandled"
            return json.dumps(invocation.error).encode()
        return json.dumps(invocation.reply).encode()

    @staticmethod
    def _check(model: LambdaFunction, body: str, kind: str) -> None:
        """Refuse what is too large, or what the brake of reserved concurrency 0 forbids."""
        limit = ASYNCHRONOUS_LIMIT if kind == "Event" else SYNCHRONOUS_LIMIT
        size = len(body.encode())
        if size > limit:
            raise Refused(413, "RequestTooLargeException", f"{size} byte payload is too large (limit {limit} bytes)")
        if str(model.reserved_concurrency) == "0":
            raise Refused(429, "TooManyRequestsException", "Rate Exceeded.")

    def notify(
        self,
        subscription: Subscription,
        message: str,
        message_id: str,
        subject: str | None = None,
        message_attributes: Mapping[str, Mapping[str, Any]] | None = None,
        **more: Any,
    ) -> None:
        """Post an SNS notification to a function; moto's own form has made-up attributes and no topic."""
        matcher = subscription._filter_policy_matcher
        if matcher is not None and not matcher.matches(message_attributes, message):
            return
        attributes = {name: str(value["Value"]) for name, value in (message_attributes or {}).items()}
        event = events.sns(
            subscription.topic.arn, message, subject=subject, attributes=attributes, message_id=message_id
        )
        name, _ = split(subscription.endpoint)
        self._functions.post(name, json.dumps(event), self._undelivered)


def split(function: str) -> tuple[str, str]:
    """Return the name and the qualifier of a function, of its ARN as well."""
    name, _, qualifier = function.rsplit(":function:", 1)[-1].partition(":")
    return name, qualifier


def failure_record(function: Function, invocation: Invocation) -> dict[str, Any]:
    """Return what an on-failure destination is sent."""
    return {
        "version": "1.0",
        "timestamp": events.stamp(invocation.at),
        "requestContext": {
            "requestId": invocation.request_id,
            "functionArn": f"{function.arn}:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": invocation.attempt,
        },
        "requestPayload": invocation.event,
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": invocation.error,
    }


def _text(body: Any) -> str:
    """Return a payload as JSON text; none is an empty object."""
    text = body.decode() if isinstance(body, bytes) else body
    return text or "{}"
