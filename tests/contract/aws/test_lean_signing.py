"""Signatures of the lean client: AWS's published examples, and botocore for whatever else may be sent."""

from __future__ import annotations

from datetime import UTC, datetime
from unittest import mock

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from hypothesis import given
from hypothesis import strategies as st

from runbook_adapters.aws.lean.credentials import Credentials, credentials_of
from runbook_adapters.aws.lean.signing import Request, Scope, Signer
from runbook_engine.errors import NoAdapter

PUBLISHED = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
SCOPE = Scope("us-east-1", "service")
AT = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
HOST = {"Host": "example.amazonaws.com"}
VISIBLE = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)


@pytest.mark.parametrize(
    ("request_", "names", "signature"),
    [
        pytest.param(
            Request("GET", "/", HOST, b""),
            "host;x-amz-date",
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            id="get-vanilla",
        ),
        pytest.param(
            Request("POST", "/", HOST, b""),
            "host;x-amz-date",
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            id="post-vanilla",
        ),
        pytest.param(
            Request("GET", "/", HOST, b"", (("Param2", "value2"), ("Param1", "value1"))),
            "host;x-amz-date",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            id="get-vanilla-query-order-key-case",
        ),
        pytest.param(
            Request("GET", "/\u1234", HOST, b""),
            "host;x-amz-date",
            "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
            id="get-utf8",
        ),
        pytest.param(
            Request("GET", "/", {**HOST, "My-Header1": " value1", "My-Header2": ' "a   b   c"'}, b""),
            "host;my-header1;my-header2;x-amz-date",
            "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
            id="get-header-value-trim",
        ),
        pytest.param(
            Request("POST", "/", {**HOST, "Content-Type": "application/x-www-form-urlencoded"}, b"Param1=value1"),
            "content-type;host;x-amz-date",
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
            id="post-x-www-form-urlencoded",
        ),
    ],
)
def test_signature_is_the_published_one_when(request_: Request, names: str, signature: str) -> None:
    """The examples of AWS's own test suite for Signature Version 4."""
    headers = Signer(PUBLISHED, SCOPE).signed(request_, AT)

    assert headers["X-Amz-Date"] == "20150830T123600Z"
    assert headers["Authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders={names}, Signature={signature}"
    )


@given(
    body=st.binary(max_size=200),
    secret=VISIBLE,
    token=st.one_of(st.just(""), VISIBLE),
    target=VISIBLE,
    region=st.sampled_from(("eu-west-1", "cn-north-1")),
    service=st.sampled_from(("dynamodb", "events", "ssm", "states")),
    at=st.datetimes(timezones=st.just(UTC)).filter(lambda at: at.year > 1000 and at.month != 2),
)
def test_signature_is_botocores_whatever_is_sent(
    body: bytes, secret: str, token: str, target: str, region: str, service: str, at: datetime
) -> None:
    """Every header that is sent, the whole body, any secret and any day."""
    host = f"{service}.{region}.amazonaws.com"
    headers = {"Host": host, "Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": target}
    theirs = AWSRequest("POST", f"https://{host}/", headers=headers, data=body)
    with mock.patch("botocore.auth.get_current_datetime", return_value=at):
        SigV4Auth(BotoCredentials("AKID", secret, token or None), service, region).add_auth(theirs)

    signer = Signer(Credentials("AKID", secret, token), Scope(region, service))
    signer.signed(Request("POST", "/", {}, b""), at.replace(year=at.year - 1))  # of another day

    ours = signer.signed(Request("POST", "/", headers, body), at)

    assert ours["Authorization"] == theirs.headers["Authorization"]
    assert ours["X-Amz-Date"] == theirs.headers["X-Amz-Date"]
    assert ours.get("X-Amz-Security-Token") == theirs.headers.get("X-Amz-Security-Token")


def test_secrets_are_not_shown_when_credentials_are() -> None:
    """Whoever logs them by mistake logs the key's name only."""
    assert repr(Credentials("AKID", "hush", "hush-too")) == "Credentials(key='AKID')"


@pytest.mark.parametrize("bad", ["hush\n", "hu sh", "hush\u00e9"], ids=["a line break", "a space", "no ASCII"])
@pytest.mark.parametrize("name", ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"], ids=["secret", "token"])
def test_credentials_that_no_header_takes_are_refused_without_being_told(name: str, bad: str) -> None:
    """The HTTP library would quote the whole value in its own complaint."""
    environment = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "s", name: bad}

    with pytest.raises(NoAdapter) as caught:
        credentials_of(environment)

    assert str(caught.value) == f"{name} holds a character that no credential has (set it again, without line breaks)"
