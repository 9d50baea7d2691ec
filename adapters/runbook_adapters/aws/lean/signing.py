"""Signature Version 4, in headers: who sends a request, and that nobody changed it on its way.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import quote

from runbook_adapters.aws.lean.credentials import Credentials

ALGORITHM = "AWS4-HMAC-SHA256"
DATE, TOKEN = "X-Amz-Date", "X-Amz-Security-Token"


class Scope(NamedTuple):
    """What a signature is good for, beside its day."""

    region: str
    service: str


class Request(NamedTuple):
    """What is signed: all that is sent. `path` is escaped already, `query` is not."""

    method: str
    path: str
    headers: Mapping[str, str]  # with Host
    body: bytes
    query: tuple[tuple[str, str], ...] = ()


class Signer:
    """Signs for one service. The key of a day is made once: that is half of a signature's cost."""

    def __init__(self, credentials: Credentials, scope: Scope) -> None:
        self._credentials = credentials
        self._scope = scope
        self._kept = ("", b"")  # a day, and its key; two threads that make it at once make the same

    def signed(self, request: Request, at: datetime) -> dict[str, str]:
        """Return the headers of a request with those that sign it; `at` is a time in UTC."""
        headers = {**request.headers, DATE: at.strftime("%Y%m%dT%H%M%SZ")}
        if self._credentials.token:
            headers[TOKEN] = self._credentials.token
        names, canonical = _canonical(request, headers)
        day = headers[DATE][:8]
        within = f"{day}/{self._scope.region}/{self._scope.service}/aws4_request"
        wanted = f"{ALGORITHM}\n{headers[DATE]}\n{within}\n{sha256(canonical.encode()).hexdigest()}"
        signature = hmac.digest(self._key(day), wanted.encode(), "sha256").hex()
        headers["Authorization"] = (
            f"{ALGORITHM} Credential={self._credentials.key}/{within}, SignedHeaders={names}, Signature={signature}"
        )
        return headers

    def _key(self, day: str) -> bytes:
        kept, key = self._kept
        if kept != day:
            key = f"AWS4{self._credentials.secret}".encode()
            for part in (day, self._scope.region, self._scope.service, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._kept = (day, key)
        return key


def _canonical(request: Request, headers: Mapping[str, str]) -> tuple[str, str]:
    """Return the names of the signed headers, and the request in the one form in which both sides hash it."""
    lowered = sorted((name.lower(), " ".join(value.split())) for name, value in headers.items())
    names = ";".join(name for name, _ in lowered)
    lines = "".join(f"{name}:{value}\n" for name, value in lowered)
    query = "&".join(sorted(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in request.query))
    path = quote(request.path, safe="/~")
    return names, f"{request.method}\n{path}\n{query}\n{lines}\n{names}\n{sha256(request.body).hexdigest()}"
