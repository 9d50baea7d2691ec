"""Who a Lambda is to EKS: a token that is a presigned request of STS, signed here, sent by the cluster.

Signing needs neither a network nor a permission. The signature is made with the standard library: the AWS library
cannot sign as of a given time, and writes what it signs, session token and all, into its debug log.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlencode

import msgspec

from runbook_adapters.kubernetes.credentials import NoCredential, bearer
from runbook_engine.errors import NoAdapter

PREFIX = "k8s-aws-v1."
RENEW_AFTER = timedelta(minutes=10)
DEAD_AFTER = timedelta(minutes=14)  # the cluster refuses it after 15, counted from X-Amz-Date
LONGEST = 4096  # what the cluster's authenticator reads
CLUSTER_HEADER = "x-k8s-aws-id"
_REGION = re.compile(r"[a-z]{2,3}(-[a-z]+)+-[0-9]+")
_CLUSTER = re.compile(r"[0-9A-Za-z][-0-9A-Za-z_]{0,99}")
_ALGORITHM = "AWS4-HMAC-SHA256"
_NO_BODY = hashlib.sha256(b"").hexdigest()


class AwsKeys(msgspec.Struct, frozen=True):
    """The keys of a role, as they are now. They are never shown."""

    access_key: str
    secret_key: str
    session_token: str = ""

    def __repr__(self) -> str:
        return "AwsKeys(...)"


class EksToken:
    """The token for one EKS cluster: renewed by the wall clock, since a frozen Lambda does not feel time pass."""

    def __init__(self, cluster: str, region: str, keys: Callable[[], AwsKeys]) -> None:
        self._cluster = cluster
        self._region = region
        self._keys = keys
        self._lock = threading.Lock()
        self._kept: tuple[str, datetime] | None = None

    def authorization(self, now: datetime) -> str:
        """Return the header's value, never older than 14 minutes. Raises NoCredential."""
        with self._lock:
            if self._kept is None or not timedelta() <= now - self._kept[1] < RENEW_AFTER:
                self._renew(now)
            assert self._kept is not None, "renewed, or raised"
            return self._kept[0]

    def refresh(self) -> None:
        """Sign a new one before the next request."""
        with self._lock:
            self._kept = None

    def _renew(self, now: datetime) -> None:
        """Sign a new one; while the keys cannot be had, one that still lives is used on."""
        try:
            self._kept = (bearer(token_of(self._cluster, self._region, self._keys(), now)), now)
        except NoCredential:
            if self._kept is None or not timedelta() <= now - self._kept[1] < DEAD_AFTER:
                raise


def token_of(cluster: str, region: str, keys: AwsKeys, now: datetime) -> str:
    """Return the token. Raises NoCredential when it is longer than the cluster reads."""
    token = PREFIX + base64.urlsafe_b64encode(presigned(cluster, region, keys, now).encode()).decode().rstrip("=")
    if len(token) > LONGEST:
        raise NoCredential(
            f"the token for cluster {cluster} is {len(token)} characters long and EKS reads {LONGEST}: "
            "the session of this role carries too many tags"
        )
    return token


def presigned(cluster: str, region: str, keys: AwsKeys, now: datetime) -> str:
    """Return the signed address of `GetCallerIdentity`: a secret, for as long as it lives."""
    host = f"sts.{region}.amazonaws.com" + (".cn" if region.startswith("cn-") else "")
    at = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{at[:8]}/{region}/sts/aws4_request"
    fields = {
        "Action": "GetCallerIdentity",
        "Version": "2011-06-15",
        "X-Amz-Algorithm": _ALGORITHM,
        "X-Amz-Credential": f"{keys.access_key}/{scope}",
        "X-Amz-Date": at,
        "X-Amz-Expires": "60",
        "X-Amz-SignedHeaders": f"host;{CLUSTER_HEADER}",
        **({"X-Amz-Security-Token": keys.session_token} if keys.session_token else {}),
    }
    query = urlencode(sorted(fields.items()), quote_via=quote, safe="")
    headers = f"host:{host}\n{CLUSTER_HEADER}:{cluster}\n"
    request = "\n".join(("GET", "/", query, headers, f"host;{CLUSTER_HEADER}", _NO_BODY))
    to_sign = "\n".join((_ALGORITHM, at, scope, hashlib.sha256(request.encode()).hexdigest()))
    key = f"AWS4{keys.secret_key}".encode()
    for part in scope.split("/"):
        key = _hmac(key, part)
    return f"https://{host}/?{query}&X-Amz-Signature={_hmac(key, to_sign).hex()}"


def checked_cluster(cluster: str, region: str) -> None:
    """Refuse names that AWS does not have. Raises NoAdapter."""
    if not _CLUSTER.fullmatch(cluster):
        raise NoAdapter(f"adapter kubernetes: eksCluster {cluster!r} is no name of an EKS cluster", "set eksCluster")
    if not _REGION.fullmatch(region):
        raise NoAdapter(f"adapter kubernetes: region {region!r} is no AWS region", "set region, such as eu-central-1")


def keys_of_session() -> Callable[[], AwsKeys]:
    """Return where AWS keys come from here: the default chain of the AWS library. Raises NoAdapter without it."""
    try:
        import botocore.exceptions
        import botocore.session
    except ImportError as error:
        raise NoAdapter(
            "adapter kubernetes: auth is eks, and the AWS library is not installed",
            "pip install 'runbook-engine[aws]'",
        ) from error
    session = botocore.session.get_session()

    def keys() -> AwsKeys:
        try:
            found = session.get_credentials()  # looks once, then keeps them; it may have to ask the machine's metadata
            frozen = found.get_frozen_credentials() if found is not None else None
        except botocore.exceptions.BotoCoreError as error:
            raise NoCredential(f"the AWS credentials cannot be had: {type(error).__name__}") from error
        if frozen is None:
            raise NoCredential("there are no AWS credentials here: give the process a role, or log in")
        return AwsKeys(frozen.access_key, frozen.secret_key, frozen.token or "")

    return keys


def _hmac(key: bytes, message: str) -> bytes:
    return hmac.new(key, message.encode(), hashlib.sha256).digest()
