"""The token for EKS: verified here as the cluster's authenticator and STS verify it, not with the code that signs."""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import sys
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_adapters.kubernetes.credentials import NoCredential
from runbook_adapters.kubernetes.eks_auth import AwsKeys, EksToken, keys_of_session, presigned, token_of
from runbook_engine.errors import NoAdapter

NOW = datetime(2026, 3, 1, 3, 7, 9, tzinfo=UTC)
KEYS = AwsKeys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "session/+=token")
ALLOWED = {
    "action",
    "version",
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-expires",
    "x-amz-security-token",
    "x-amz-signature",
    "x-amz-signedheaders",
}


def opened(header: str) -> str:
    """Return the address inside an Authorization header, as the cluster reads it."""
    scheme, _, token = header.partition(" ")
    assert "Bearer" == scheme
    assert token.startswith("k8s-aws-v1.")
    assert "=" not in token
    assert len(token) <= 4096
    encoded = token.removeprefix("k8s-aws-v1.")
    return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()


def verify(address: str, cluster: str, secret: str, now: datetime) -> dict[str, str]:
    """Do what the authenticator checks, then what STS checks; return the fields by lower-case name."""
    parts = urlsplit(address)
    pairs = parse_qsl(parts.query, strict_parsing=True, keep_blank_values=True)
    fields = {name.lower(): value for name, value in pairs}
    assert ("https", "/", "") == (parts.scheme, parts.path, parts.fragment)
    assert len(pairs) == len(fields), "every parameter once"
    assert set(fields) <= ALLOWED
    assert ("GetCallerIdentity", "2011-06-15") == (fields["action"], fields["version"])
    assert 0 <= int(fields["x-amz-expires"]) <= 900
    assert "x-k8s-aws-id" in fields["x-amz-signedheaders"].split(";")
    signed_at = datetime.strptime(fields["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert timedelta() <= now - signed_at <= timedelta(minutes=15)
    assert _signature(parts.netloc, cluster, secret, dict(pairs)) == fields["x-amz-signature"]
    return {**fields, "host": parts.netloc}


def _signature(host: str, cluster: str, secret: str, fields: dict[str, str]) -> str:
    """Return the signature of Signature Version 4, from its description."""
    unsigned = {name: value for name, value in fields.items() if name != "X-Amz-Signature"}
    query = "&".join(f"{quote(name, safe='-_.~')}={quote(unsigned[name], safe='-_.~')}" for name in sorted(unsigned))
    canonical = (
        f"GET\n/\n{query}\nhost:{host}\nx-k8s-aws-id:{cluster}\n\nhost;x-k8s-aws-id\n{hashlib.sha256().hexdigest()}"
    )
    _, day, region, service, end = fields["X-Amz-Credential"].split("/")
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{fields['X-Amz-Date']}\n{day}/{region}/{service}/{end}\n{digest}"
    key = b"AWS4" + secret.encode()
    for part in (day, region, service, end, text):
        key = hmac.digest(key, part.encode(), "sha256")
    return key.hex()


class Keys:
    """Where keys come from in a test: counted, and sometimes gone."""

    def __init__(self) -> None:
        self.asked = 0
        self.gone = False

    def __call__(self) -> AwsKeys:
        self.asked += 1
        if self.gone:
            raise NoCredential("the AWS credentials cannot be had: MetadataRetrievalError")
        return KEYS


@pytest.mark.parametrize(
    ("region", "host"),
    [
        pytest.param("eu-central-1", "sts.eu-central-1.amazonaws.com", id="a region"),
        pytest.param("us-gov-west-1", "sts.us-gov-west-1.amazonaws.com", id="a region of the government"),
        pytest.param("cn-north-1", "sts.cn-north-1.amazonaws.com.cn", id="a region in China"),
    ],
)
def test_token_is_what_the_cluster_accepts(region: str, host: str) -> None:
    """Prefix, encoding, address, parameters and signature are those that EKS and STS check."""
    header = EksToken("shop-prod", region, Keys()).authorization(NOW)

    fields = verify(opened(header), "shop-prod", KEYS.secret_key, NOW)

    assert host == fields["host"]
    assert f"AKIDEXAMPLE/20260301/{region}/sts/aws4_request" == fields["x-amz-credential"]
    assert ("60", "session/+=token") == (fields["x-amz-expires"], fields["x-amz-security-token"])
    assert "host;x-k8s-aws-id" == fields["x-amz-signedheaders"]


def test_token_for_another_cluster_is_refused() -> None:
    """The cluster's name is signed, so that a token cannot be used on another one."""
    header = EksToken("shop-prod", "eu-central-1", Keys()).authorization(NOW)

    with pytest.raises(AssertionError):
        verify(opened(header), "shop-test", KEYS.secret_key, NOW)


def test_token_of_a_user_has_no_session() -> None:
    """Keys without a session token are signed without one."""
    address = presigned("shop", "eu-central-1", AwsKeys("AKIDEXAMPLE", "secret"), NOW)

    assert "x-amz-security-token" not in verify(address, "shop", "secret", NOW)


@given(
    st.text(st.characters(codec="ascii", categories=("L", "N", "P", "S")), min_size=1, max_size=60),
    st.text(st.characters(codec="ascii", categories=("L", "N", "P", "S")), max_size=300),
)
def test_signature_holds_for_whatever_keys_aws_gives(secret: str, session: str) -> None:
    """Every character of a session token is encoded as STS decodes it."""
    address = presigned("shop", "eu-central-1", AwsKeys("AKID", secret, session), NOW)

    assert session == verify(address, "shop", secret, NOW).get("x-amz-security-token", "")


def test_signature_agrees_with_the_aws_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second signer, written by somebody else, comes to the same address."""
    auth = pytest.importorskip("botocore.auth")
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    monkeypatch.setattr(auth, "get_current_datetime", lambda: NOW.replace(tzinfo=None))
    request = AWSRequest(
        method="GET",
        url="https://sts.eu-central-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15",
        headers={"x-k8s-aws-id": "shop"},
    )
    signer = auth.SigV4QueryAuth(
        Credentials(KEYS.access_key, KEYS.secret_key, KEYS.session_token), "sts", "eu-central-1", expires=60
    )
    signer.add_auth(request)

    theirs = dict(parse_qsl(urlsplit(request.url).query))
    ours = dict(parse_qsl(urlsplit(presigned("shop", "eu-central-1", KEYS, NOW)).query))

    assert theirs == ours


@pytest.mark.parametrize(
    ("age", "signed"),
    [
        pytest.param(timedelta(minutes=9, seconds=59), 1, id="young"),
        pytest.param(timedelta(minutes=10), 2, id="ten minutes old"),
        pytest.param(timedelta(hours=9), 2, id="frozen over night"),
        pytest.param(timedelta(seconds=-1), 2, id="from the future, as the clock was put back"),
    ],
)
def test_token_is_renewed_by_the_wall_clock(age: timedelta, signed: int) -> None:
    """The age is asked before every request, by the clock on the wall."""
    keys = Keys()
    token = EksToken("shop", "eu-central-1", keys)
    token.authorization(NOW)

    header = token.authorization(NOW + age)

    assert signed == keys.asked
    verify(opened(header), "shop", KEYS.secret_key, max(NOW, NOW + age) if signed == 1 else NOW + age)


def test_token_that_was_refused_is_signed_anew() -> None:
    """A 401 ends a token, whatever its age."""
    keys = Keys()
    token = EksToken("shop", "eu-central-1", keys)
    token.authorization(NOW)

    token.refresh()
    token.authorization(NOW)

    assert 2 == keys.asked


def test_token_lives_on_while_keys_are_gone_and_never_past_fourteen_minutes() -> None:
    """A hiccup of the credentials is bridged with a token that lives; a dead one is not sent."""
    keys = Keys()
    token = EksToken("shop", "eu-central-1", keys)
    first = token.authorization(NOW)
    keys.gone = True

    assert first == token.authorization(NOW + timedelta(minutes=13, seconds=59))
    with pytest.raises(NoCredential) as caught:
        token.authorization(NOW + timedelta(minutes=14))

    assert "the AWS credentials cannot be had: MetadataRetrievalError" == str(caught.value)


def test_token_that_is_too_long_is_not_sent() -> None:
    """Session tags may make a token longer than the cluster reads; the sentence says so."""
    keys = AwsKeys("AKID", "secret", "t" * 3000)

    with pytest.raises(NoCredential) as caught:
        token_of("shop", "eu-central-1", keys, NOW)

    assert (
        "the token for cluster shop is 4509 characters long and EKS reads 4096: "
        "the session of this role carries too many tags"
    ) == str(caught.value)


def test_keys_come_from_the_default_chain(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A Lambda's role is in its environment; nothing of it is shown, with everything logged."""
    pytest.importorskip("botocore.session")
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDCHAIN")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-secret-key")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "canary-session")

    keys = keys_of_session()
    header = EksToken("shop", "eu-central-1", keys).authorization(NOW)

    fields = verify(opened(header), "shop", "canary-secret-key", NOW)
    assert "canary-session" == fields["x-amz-security-token"]
    shown = f"{caplog.text} {keys()!r}"
    assert not [secret for secret in ("canary", fields["x-amz-signature"], header[40:80]) if secret in shown]


def test_no_keys_at_all_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a role gets a sentence, when the first request is made."""
    session = pytest.importorskip("botocore.session")
    monkeypatch.setattr(session.Session, "get_credentials", lambda _self: None)

    with pytest.raises(NoCredential) as caught:
        keys_of_session()()

    assert "there are no AWS credentials here: give the process a role, or log in" == str(caught.value)


def test_keys_that_cannot_be_renewed_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the AWS library cannot renew is no credential, and its words are not repeated."""
    session = pytest.importorskip("botocore.session")
    from botocore.exceptions import CredentialRetrievalError

    class Expired:
        def get_frozen_credentials(self) -> None:
            raise CredentialRetrievalError(provider="sso", error_msg="canary")

    monkeypatch.setattr(session.Session, "get_credentials", lambda _self: Expired())

    with pytest.raises(NoCredential) as caught:
        keys_of_session()()

    assert "the AWS credentials cannot be had: CredentialRetrievalError" == str(caught.value)


def test_missing_aws_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is named."""
    monkeypatch.setitem(sys.modules, "botocore.session", None)

    with pytest.raises(NoAdapter) as caught:
        keys_of_session()

    assert (
        "adapter kubernetes: auth is eks, and the AWS library is not installed (pip install 'runbook-engine[aws]')"
    ) == str(caught.value)
