"""What went wrong at AWS, in the engine's own words: what is surely not done, what is pointless, what is in doubt.

The codes are those of the services' models; HTTP statuses decide where a code is new.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from runbook_adapters.aws.lean.failures import LeanError
from runbook_engine.errors import ActionFailed, EffectUnknown, NoAdapter, Permanent, Retryable, Unreadable

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
        "KMSThrottling",
        "KMSThrottlingException",
        "KmsThrottlingException",
    )
)
UNACCEPTED = frozenset(  # AWS does not know who asks: no right that is granted helps
    (
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
    )
)
DENIALS = UNACCEPTED | frozenset(
    (
        "AccessDenied",
        "AccessDeniedException",
        "UnauthorizedOperation",
        "AuthorizationError",
        "AuthorizationErrorException",
        "KMSAccessDenied",
        "KMSAccessDeniedException",
        "KmsAccessDeniedException",
        "NotAuthorized",
    )
)
THROTTLE_WAIT = timedelta(seconds=10)  # a step tries three times: half a minute of too many calls is no failure
BUSY = frozenset((408, 429))  # the service has not taken the request in
UNSENT = frozenset(("AssumeRole", "AssumeRoleWithWebIdentity"))  # what fails here fails before the call that was meant
NOT_SENT = (
    "EndpointConnectionError",
    "ConnectTimeoutError",
    "ProxyConnectionError",
    "CredentialRetrievalError",
    "MetadataRetrievalError",
)
UNUSABLE = (
    "NoCredentialsError",
    "PartialCredentialsError",
    "NoAuthTokenError",
    "TokenRetrievalError",
    "SSOTokenLoadError",
    "UnauthorizedSSOTokenError",
    "NoRegionError",
    "InvalidRegionError",
    "ParamValidationError",
)
UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"  # other troubles of TLS may come after the request was sent
UNSENDABLE = "Invalid header value"  # the HTTP library goes on with the value, which is a credential
UNSENT_CREDENTIAL = "a credential holds a character that no header takes (set it again, without line breaks)"
LONGEST_REASON = 300
FIRST_ERROR = 400
REQUEST_IDS = ("x-amzn-requestid", "x-amz-request-id")  # in every answer of AWS, the second in those of S3
GRANT = "(see `runbook permissions --format iam` for what the engine needs)"
RENEW = (
    "(AWS does not accept these credentials, the environment's or the role's: check them with "
    "`aws sts get-caller-identity`, and renew them)"
)


class Unshaped(Exception):
    """An answer lacks what every answer of AWS to such a call has: somebody else gave it."""


def refuse_stranger(response_dict: Mapping[str, Any], **_: Any) -> None:
    """Raise Unshaped when an answer that is no error names no request; boto3 calls it before it reads one.

    It takes a page, or nothing at all, for JSON that lacks whatever may be missing, stumbles over other people's XML,
    and follows where it is sent in search of a bucket until its stack is full.
    """
    headers = response_dict["headers"]
    if response_dict["status_code"] < FIRST_ERROR and not any(headers.get(name) for name in REQUEST_IDS):
        raise Unshaped("what answered is not AWS: it names no request")


def part(answer: Mapping[str, Any], name: str) -> Any:
    """Return what every answer of AWS to such a call has. Raises Unshaped, which the contexts below translate."""
    if answer.get(name) is None:
        raise Unshaped(f"what answered is not AWS: there is no {name} in it")
    return answer[name]


def library_errors() -> tuple[type[Exception], ...]:
    """Return what the lean client and boto3 raise. Asked for when something was raised: boto3 may be loaded by then.

    What is not loaded has raised nothing, and is not loaded to find that out.
    """
    ours = (LeanError, Unshaped)
    return (*ours, *whole_library_errors()) if "botocore" in sys.modules else ours


def whole_library_errors() -> tuple[type[Exception], ...]:
    """Return what boto3 raises. Raises NoAdapter where it is not installed."""
    try:
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError
    except ImportError as error:
        raise NoAdapter("boto3 is not installed", "install it with: pip install 'runbook-engine[aws]'") from error
    slips = (AttributeError, TypeError, UnicodeDecodeError)  # of its parsers, over JSON that is of something else
    return BotoCoreError, ClientError, ResponseParserError, *slips


def code_of(error: Exception) -> str:
    """Return the service's own code of an error, empty when it came from nowhere near the service."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


def reason_of(error: Exception) -> str:
    """Return what the service said, on one line and short enough to be shown, and without a credential."""
    if _quotes_credential(error):
        return UNSENT_CREDENTIAL
    response = getattr(error, "response", None)
    said = response.get("Error", {}).get("Message", "") if isinstance(response, dict) else str(error)
    line = " ".join(str(said).split())
    return "".join(character for character in line if character.isprintable())[:LONGEST_REASON] or type(error).__name__


def remedy_of(code: str) -> str:
    """Return what to do about a denial: whoever AWS does not know needs other credentials, anybody else a right."""
    return RENEW if code in UNACCEPTED else GRANT


@contextmanager
def looking(what: str) -> Iterator[None]:
    """Turn what the library raises while something is looked at into Unreadable, with what was looked at."""
    try:
        yield
    except library_errors() as error:
        raise Unreadable(f"{what} cannot be read: {_said(error)}") from _cause(error)


@contextmanager
def checking(what: str) -> Iterator[None]:
    """Turn what the library raises while a writer looks before it writes: whatever it is, nothing was done yet."""
    try:
        yield
    except library_errors() as error:
        failed = _failed(what, error)
        if isinstance(failed, EffectUnknown):
            raise Retryable(f"{what}: {_said(error)}", THROTTLE_WAIT) from _cause(error)
        raise failed from _cause(error)


@contextmanager
def touching(what: str, known: Callable[[str, str], Exception | None] = lambda code, reason: None) -> Iterator[None]:
    """Turn what the library raises while something is changed into Retryable, Permanent or EffectUnknown.

    `known` says first what a code of this very operation means, if it is one that it knows.
    """
    try:
        yield
    except library_errors() as error:
        code = code_of(error)
        raise (known(code, reason_of(error)) if code else None) or _failed(what, error) from _cause(error)


def _failed(what: str, error: Exception) -> ActionFailed:
    return _unanswered(what, error) if getattr(error, "response", None) is None else _refused(what, error)


def _refused(what: str, error: Exception) -> ActionFailed:
    code, status, says = code_of(error), _status_of(error), f"{what}: {_said(error)}"
    if code in THROTTLES or status in BUSY:
        return Retryable(says, THROTTLE_WAIT)
    if code in DENIALS:
        return Permanent(says)
    if status >= 500 and getattr(error, "operation_name", "") in UNSENT:
        return Retryable(says, THROTTLE_WAIT)
    if status >= 500 or 300 <= status < 400:  # no service redirects a change: who did may have passed it on
        return EffectUnknown(f"{says}: it may be done or not")
    return Permanent(says)


def _unanswered(what: str, error: Exception) -> ActionFailed:
    name, says = type(error).__name__, f"{what}: {reason_of(error)}"
    if name in NOT_SENT:
        return Retryable(says, THROTTLE_WAIT)
    if name in UNUSABLE or UNTRUSTED in says or _quotes_credential(error):
        return Permanent(says)
    return EffectUnknown(f"{says}: it may be done or not")


def _quotes_credential(error: Exception) -> bool:
    return getattr(error, "response", None) is None and UNSENDABLE in str(error)


def _cause(error: Exception) -> Exception | None:
    """Return what a traceback may show."""
    return None if _quotes_credential(error) else error


def _said(error: Exception) -> str:
    code = code_of(error)
    if not code:
        return reason_of(error)
    return f"{code}: {reason_of(error)}" + (f" {remedy_of(code)}" if code in DENIALS else "")


def _status_of(error: Exception) -> int:
    response = getattr(error, "response", None)
    metadata = response.get("ResponseMetadata", {}) if isinstance(response, dict) else {}
    status = metadata.get("HTTPStatusCode", 0)
    return status if isinstance(status, int) else 0
