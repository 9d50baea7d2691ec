"""What went wrong at AWS, in the engine's own words: what is surely not done, what is pointless, what is in doubt.

The codes are those of the services' models; HTTP statuses decide where a code is new.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from runbook_engine.errors import ActionFailed, EffectUnknown, Permanent, Retryable, Unreadable

THROTTLES = frozenset(
    (
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestLimitExceeded",
        "TooManyRequestsException",
        "TooManyUpdates",
        "ProvisionedThroughputExceededException",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "SlowDown",
        "BandwidthLimitExceeded",
    )
)
DENIALS = frozenset(
    (
        "AccessDenied",
        "AccessDeniedException",
        "UnauthorizedOperation",
        "AuthorizationError",
        "AuthorizationErrorException",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "NotAuthorized",
    )
)
THROTTLE_WAIT = timedelta(seconds=2)
NOT_SENT = ("EndpointConnectionError", "ConnectTimeoutError", "NewConnectionError", "SSLError", "ProxyConnectionError")
UNUSABLE = ("NoCredentialsError", "PartialCredentialsError", "NoRegionError", "ParamValidationError")
LONGEST_REASON = 300


def code_of(error: Exception) -> str:
    """Return the service's own code of an error, empty when it came from nowhere near the service."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


def reason_of(error: Exception) -> str:
    """Return what the service said, short enough to be shown."""
    response = getattr(error, "response", None)
    said = response.get("Error", {}).get("Message", "") if isinstance(response, dict) else str(error)
    return str(said)[:LONGEST_REASON] or type(error).__name__


@contextmanager
def looking(what: str) -> Iterator[None]:
    """Turn what the library raises while something is looked at into Unreadable, with what was looked at."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        raise Unreadable(f"{what} cannot be read: {_said(error)}") from error
    except BotoCoreError as error:
        raise Unreadable(f"{what} cannot be read: {reason_of(error)}") from error


@contextmanager
def touching(what: str, known: Callable[[str, str], Exception | None] = lambda code, reason: None) -> Iterator[None]:
    """Turn what the library raises while something is changed into Retryable, Permanent or EffectUnknown.

    `known` says first what a code of this very operation means, if it is one that it knows.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        raise known(code_of(error), reason_of(error)) or _refused(what, error) from error
    except BotoCoreError as error:
        raise _unanswered(what, error) from error


def _refused(what: str, error: Exception) -> ActionFailed:
    code, says = code_of(error), f"{what}: {_said(error)}"
    if code in THROTTLES:
        return Retryable(says, THROTTLE_WAIT)
    if code in DENIALS:
        return Permanent(f"{says} (see `runbook permissions --format iam` for what the engine needs)")
    if _status_of(error) >= 500:
        return EffectUnknown(f"{says}: it may be done or not")
    return Permanent(says)


def _unanswered(what: str, error: Exception) -> ActionFailed:
    name, says = type(error).__name__, f"{what}: {reason_of(error)}"
    if name in NOT_SENT:
        return Retryable(says, THROTTLE_WAIT)
    if name in UNUSABLE:
        return Permanent(says)
    return EffectUnknown(f"{says}: it may be done or not")


def _said(error: Exception) -> str:
    code = code_of(error)
    return f"{code}: {reason_of(error)}" if code else reason_of(error)


def _status_of(error: Exception) -> int:
    response = getattr(error, "response", None)
    metadata = response.get("ResponseMetadata", {}) if isinstance(response, dict) else {}
    status = metadata.get("HTTPStatusCode", 0)
    return status if isinstance(status, int) else 0
