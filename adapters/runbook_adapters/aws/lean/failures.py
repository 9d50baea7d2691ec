"""Failures of the lean client, in the names and words of botocore, by which adapters tell them apart.

None of them carries a header, a body that was sent, or anything else that a credential could be in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar


class LeanError(Exception):
    """Anything that the lean client raises."""


class CallRefused(LeanError):
    """The service answered, and said no. `response` has the shape that botocore's ClientError gives it."""

    def __init__(self, response: Mapping[str, Any], operation_name: str) -> None:
        told = response["Error"]
        retries = response["ResponseMetadata"]["RetryAttempts"]
        again = f" (reached max retries: {retries})" if retries else ""
        super().__init__(
            f"An error occurred ({told['Code']}) when calling the {operation_name} operation{again}: {told['Message']}"
        )
        self.response = response
        self.operation_name = operation_name


class NotAnswered(LeanError):
    """No answer came, or none that can be read; the name of the class says how far the request got."""

    says: ClassVar[str] = "{url} gave no answer: {reason}"

    def __init__(self, url: str, reason: object = "") -> None:
        super().__init__(self.says.format(url=url, reason=reason))


class EndpointConnectionError(NotAnswered):
    """Nobody listens there, or the name is not known: nothing was sent."""

    says = 'Could not connect to the endpoint URL: "{url}"'


class ConnectTimeoutError(NotAnswered):
    """Nobody took the connection in time: nothing was sent."""

    says = 'Connect timeout on endpoint URL: "{url}"'


class SSLError(NotAnswered):
    """The other side is not who it should be, or TLS broke down."""

    says = "SSL validation failed for {url} {reason}"


class ReadTimeoutError(NotAnswered):
    """The request was sent, and no answer came in time."""

    says = 'Read timeout on endpoint URL: "{url}"'


class ConnectionClosedError(NotAnswered):
    """The connection ended before the answer was whole."""

    says = 'Connection was closed before we received a valid response from endpoint URL: "{url}".'


class HTTPClientError(NotAnswered):
    """Something else went wrong on the way."""

    says = "An HTTP Client raised an unhandled exception: {reason}"


class ResponseParserError(NotAnswered):
    """An answer came that says neither yes nor no."""

    says = "Unable to parse the answer of {url}: {reason}"
