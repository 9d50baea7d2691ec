"""What AWS answers, in the engine's words: told by a server over HTTP, so that the library's own errors are real."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from botocore import exceptions
from botocore.parsers import ResponseParserError

from runbook_adapters.aws import clients as clients_module
from runbook_adapters.aws.clients import AwsSettings, Clients, Sessions
from runbook_adapters.aws.problems import checking, code_of, looking, reason_of, touching
from runbook_engine.errors import ActionFailed, Conflict, EffectUnknown, NoAdapter, Permanent, Retryable, Unreadable
from tests.contract.aws.account import KEYS, REGION, environment, of_aws, refusal, service, shared_sessions
from tests.contract.http_service import Asked, HttpService, Told
from tests.lab import PATIENCE, wait_until

DOUBT = ": it may be done or not"
GRANTS = " (see `runbook permissions --format iam` for what the engine needs)"
SIGNER = (
    " (AWS does not accept these credentials, the environment's or the role's: check them with "
    "`aws sts get-caller-identity`, and renew them)"
)


@pytest.fixture(scope="module")
def server() -> Iterator[HttpService]:
    """A service for every test here."""
    with service() as running:
        yield running


@pytest.fixture
def told(server: HttpService) -> HttpService:
    """A service that says what the test wants."""
    server.asked.clear()
    return server


def put(sessions: Sessions | None = None) -> None:
    """Touch a parameter."""
    client = Clients(AwsSettings(region=REGION), sessions or Sessions()).touching("ssm")
    with touching("setting /a"):
        client.put_parameter(Name="/a", Value="b", Type="String")


@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        pytest.param(
            refusal("ThrottlingException", message="Rate exceeded"),
            Retryable,
            "ThrottlingException: Rate exceeded",
            id="throttled",
        ),
        pytest.param(refusal("NeverHeardOf", 429), Retryable, "NeverHeardOf: so it is", id="too many requests"),
        pytest.param(
            refusal("AccessDeniedException", message="User x is not\nauthorized"),
            Permanent,
            f"AccessDeniedException: User x is not authorized{GRANTS}",
            id="denied",
        ),
        *(
            pytest.param(refusal(code), Permanent, f"{code}: so it is{SIGNER}", id=f"not known: {code}")
            for code in (
                "ExpiredToken",
                "ExpiredTokenException",
                "InvalidAccessKeyId",
                "InvalidClientTokenId",
                "InvalidSignatureException",
                "SignatureDoesNotMatch",
                "UnrecognizedClientException",
            )
        ),
        pytest.param(
            refusal("ValidationException", message="x" * 999),
            Permanent,
            f"ValidationException: {'x' * 300}",
            id="refused, at length",
        ),
        pytest.param(
            refusal("InternalServerError", 500), EffectUnknown, f"InternalServerError: so it is{DOUBT}", id="broken"
        ),
        pytest.param(Told(503), EffectUnknown, f"503: Service Unavailable{DOUBT}", id="unavailable"),
        pytest.param(
            Told(0),
            EffectUnknown,
            f'Connection was closed before we received a valid response from endpoint URL: "SERVER/".{DOUBT}',
            id="broken connection",
        ),
    ],
)
def test_touching_says_whether_it_is_done_when(
    told: HttpService, answer: Told, kind: type[ActionFailed], says: str
) -> None:
    """Surely not done, pointless, or in doubt; and nothing is asked twice behind the engine's back."""
    told.tell(answer)

    with pytest.raises(ActionFailed) as caught:
        put(shared_sessions())

    assert (kind, f"setting /a: {says.replace('SERVER', told.url)}") == (type(caught.value), str(caught.value))
    assert 1 == len(told.asked)


def test_touching_is_in_doubt_when_no_answer_comes(told: HttpService, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that was sent may have been done."""
    monkeypatch.setattr(clients_module, "READ_TIMEOUT", 0.2)

    given_up = threading.Event()

    def late(_asked: Asked) -> Told:
        given_up.wait(PATIENCE)
        return Told()

    told.answer = late

    with pytest.raises(EffectUnknown) as caught:
        put()
    wait_until(lambda: bool(told.asked), "what was asked has arrived")
    given_up.set()

    assert f'setting /a: Read timeout on endpoint URL: "{told.url}/"{DOUBT}' == str(caught.value)
    assert 1 == len(told.asked)


def test_touching_is_surely_not_done_when_nobody_listens() -> None:
    """A request that was never sent may be sent again."""
    with socket.socket() as taken:  # bound, so that nobody else listens there, and not listening
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with environment(**KEYS, AWS_ENDPOINT_URL=url), pytest.raises(Retryable) as caught:
            put()

    assert f'setting /a: Could not connect to the endpoint URL: "{url}/"' == str(caught.value)
    assert timedelta(seconds=10) == caught.value.after


def test_touching_is_pointless_when_there_are_no_credentials(told: HttpService) -> None:
    """Nothing is sent, and nothing will be."""
    with environment(AWS_ENDPOINT_URL=told.url, AWS_EC2_METADATA_DISABLED="true"), pytest.raises(Permanent) as caught:
        put()

    assert "setting /a: Unable to locate credentials" == str(caught.value)
    assert [] == told.asked


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        pytest.param(
            exceptions.SSLError(endpoint_url="https://x", error="[SSL: CERTIFICATE_VERIFY_FAILED] self-signed"),
            Permanent,
            id="a certificate that is not trusted",
        ),
        pytest.param(
            exceptions.SSLError(endpoint_url="https://x", error="EOF occurred in violation of protocol"),
            EffectUnknown,
            id="TLS that broke in the middle",
        ),
        pytest.param(
            exceptions.ConnectTimeoutError(endpoint_url="https://x"), Retryable, id="connecting took too long"
        ),
        pytest.param(
            exceptions.ProxyConnectionError(proxy_url="http://x", error="no"), Retryable, id="no way to the proxy"
        ),
        pytest.param(
            exceptions.CredentialRetrievalError(provider="sso", error_msg="no"), Retryable, id="no credentials yet"
        ),
        pytest.param(exceptions.ParamValidationError(report="Value: wrong type"), Permanent, id="our own mistake"),
        pytest.param(
            exceptions.ClientError({"Error": {"Code": "X"}, "ResponseMetadata": {"HTTPStatusCode": 500}}, "AssumeRole"),
            Retryable,
            id="the role could not be assumed just now",
        ),
        pytest.param(ResponseParserError("not JSON"), EffectUnknown, id="an answer that makes no sense"),
        pytest.param(exceptions.ClientError({}, "PutParameter"), Permanent, id="a refusal that says nothing"),
    ],
)
def test_library_errors_are_sorted_when_touching(error: Exception, kind: type[ActionFailed]) -> None:
    """Each of the library's errors by what it says about the effect."""
    with pytest.raises(ActionFailed) as caught, touching("setting /a"):
        raise error

    assert kind is type(caught.value)
    assert error is caught.value.__cause__


def test_operation_knows_best_when_a_code_is_its_own() -> None:
    """What a code of one operation means is said beside that operation, and only codes are asked about."""

    def known(code: str, reason: str) -> Exception | None:
        return Conflict(f"{code} means {reason}") if code != "Other" else None

    def refused(code: str) -> exceptions.ClientError:
        return exceptions.ClientError({"Error": {"Code": code, "Message": "somebody else"}}, "PutParameter")

    with pytest.raises(Conflict, match=r"^Mine means somebody else$"), touching("setting /a", known):
        raise refused("Mine")
    with pytest.raises(Permanent, match=r"^setting /a: Other: somebody else$"), touching("setting /a", known):
        raise refused("Other")
    with pytest.raises(Retryable), touching("setting /a", known):
        raise exceptions.ConnectTimeoutError(endpoint_url="https://x")


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        pytest.param("ThrottlingException", 400, Retryable, id="throttled"),
        pytest.param("InternalServerError", 500, Retryable, id="broken"),
        pytest.param("AccessDeniedException", 400, Permanent, id="denied"),
        pytest.param("ValidationException", 400, Permanent, id="refused"),
    ],
)
def test_nothing_is_in_doubt_when_a_writer_only_looked(code: str, status: int, kind: type[ActionFailed]) -> None:
    """Before the write, everything may be done again or is pointless."""
    answer = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}

    with pytest.raises(ActionFailed) as caught, checking("reading /a"):
        raise exceptions.ClientError(answer, "GetParameter")

    assert kind is type(caught.value)
    assert DOUBT not in str(caught.value)


def test_nothing_is_in_doubt_when_a_writer_got_no_answer_to_its_look() -> None:
    """A look that was lost is looked again."""
    with pytest.raises(Retryable, match=r"^reading /a: Read timeout"), checking("reading /a"):
        raise exceptions.ReadTimeoutError(endpoint_url="https://x")


@pytest.mark.parametrize(
    ("raised", "says"),
    [
        pytest.param(
            exceptions.ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetParameter"),
            f"/a cannot be read: AccessDenied: no{GRANTS}",
            id="denied",
        ),
        pytest.param(
            exceptions.EndpointConnectionError(endpoint_url="https://x"),
            '/a cannot be read: Could not connect to the endpoint URL: "https://x"',
            id="unreachable",
        ),
    ],
)
def test_looking_is_unreadable_when_it_fails(raised: Exception, says: str) -> None:
    """Whatever the reason, nothing is guessed."""
    with pytest.raises(Unreadable) as caught, looking("/a"):
        raise raised

    assert says == str(caught.value)


def test_a_look_is_repeated_when_the_service_is_broken_for_a_moment(told: HttpService) -> None:
    """Looking twice harms nobody."""
    told.tell(refusal("InternalServerError", 500), of_aws(b'{"Parameters": []}'))
    client = Clients(AwsSettings(region=REGION), shared_sessions()).looking("ssm")

    with looking("parameters"):
        client.describe_parameters()

    assert 2 == len(told.asked)


@pytest.mark.parametrize("wrapper", [looking, checking, touching], ids=["looking", "checking", "touching"])
def test_other_errors_are_left_alone_when_they_are_not_of_the_library(wrapper: Callable[[str], Any]) -> None:
    """A bug stays a bug, and what we raised ourselves stays what it is."""
    for error in (KeyError("x"), Conflict("moved")):
        with pytest.raises(type(error)) as caught, wrapper("/a"):
            raise error
        assert error is caught.value


def test_remedy_is_said_when_the_library_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """An extra that is missing is named when a client is wanted that only it has."""
    monkeypatch.setitem(sys.modules, "botocore.exceptions", None)

    with pytest.raises(NoAdapter) as caught, environment(**KEYS):
        Clients(AwsSettings(region=REGION), Sessions()).looking("cloudwatch")

    assert "boto3 is not installed (install it with: pip install 'runbook-engine[aws]')" == str(caught.value)


def test_code_and_reason_are_plain_when_an_error_is_hostile() -> None:
    """What a service says is shown on one line, without control characters, and never empty."""
    hostile = exceptions.ClientError({"Error": {"Code": "X", "Message": "a\r\nb\x1b[31m\u202ec"}}, "Op")

    assert ("X", "a b[31mc") == (code_of(hostile), reason_of(hostile))
    assert ("", "ValueError") == (code_of(ValueError()), reason_of(ValueError()))
