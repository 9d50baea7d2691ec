"""One careful HTTP request: time limits, no redirects, a bounded answer, and the library's errors translated.

Adapters import this inside `build()`: it brings the HTTP library with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial

import msgspec
import tenacity
import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationParseError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
    SSLError,
)
from urllib3.util import parse_url

from runbook_adapters.timing import POOLS
from runbook_engine.errors import NoAdapter

CONNECT_TIME_LIMIT = 2.0
READ_TIME_LIMIT = 10.0
MOST_BYTES = 8 * 1024 * 1024
SHORTEST_SECRET = 4  # anything shorter is found everywhere
AGENT = "runbook-engine"


class NoAnswer(Exception):
    """No usable answer came; the sentence is complete, and never holds a credential."""


class NoConnection(NoAnswer):
    """The request never arrived, or the connection broke before an answer: asking again is sensible."""


class TooLarge(NoAnswer):
    """More came than is taken: ask for less."""


class Answer(msgspec.Struct, frozen=True):
    """What came back, whatever its status."""

    status: int
    headers: Mapping[str, str]  # lower-case names
    body: bytes

    @property
    def excerpt(self) -> str:
        """The beginning of the body as one printable line, for a sentence."""
        text = self.body[:300].decode(errors="replace")
        return "".join(character if character.isprintable() else " " for character in text).strip()[:200]


def without(secrets: Iterable[str], answer: Answer) -> Answer:
    """Return an answer without our own secrets: what a refusal says is kept, and some repeat what they refuse."""
    body = answer.body
    for secret in secrets:
        for known in (secret, secret.rpartition(" ")[2]):
            if len(known) >= SHORTEST_SECRET:
                body = body.replace(known.encode(), b"***")
    return msgspec.structs.replace(answer, body=body)


def parts_of(address: str) -> tuple[str, ...]:
    """Return what somebody could repeat of an address that is a secret: all of it, its path, and every part of that."""
    asked = address.partition("://")[2].partition("/")[2]
    return (address, f"/{asked}", *sorted(re.split(r"[/?&=#]", asked), key=len, reverse=True))


class Web:
    """Requests to one address from engine.yaml; connections are kept and shared between threads."""

    def __init__(self, *, read_time_limit: float = READ_TIME_LIMIT, most_bytes: int = MOST_BYTES) -> None:
        self._read_time_limit = read_time_limit
        self._most_bytes = most_bytes
        timeout = urllib3.Timeout(connect=CONNECT_TIME_LIMIT, read=read_time_limit)
        self._pool = urllib3.PoolManager(num_pools=2, maxsize=8, timeout=timeout, retries=False)
        self._pool.pool_classes_by_scheme = dict(POOLS)

    def get(
        self, url: str, *, fields: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Read, asking again a little later when the connection fails. Raises NoAnswer."""
        ask = partial(self._request, "GET", url, fields=dict(fields or {}), headers=dict(headers or {}))
        try:
            return ask()
        except NoConnection as error:  # patience costs more than the rest of the call: not before it is needed
            return _patience()(_after(error, ask))

    def post(self, url: str, body: bytes, *, headers: Mapping[str, str]) -> Answer:
        """Send once. Raises NoAnswer."""
        return self.send("POST", url, body, headers=headers)

    def send(self, method: str, url: str, body: bytes, *, headers: Mapping[str, str]) -> Answer:
        """Send once, by a method that carries a body. Raises NoAnswer."""
        return self._request(method, url, body=body, headers=dict(headers))

    def _request(
        self,
        method: str,
        url: str,
        *,
        headers: dict[str, str],
        fields: dict[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        try:
            response = self._pool.request(
                method,
                url,
                fields=fields or None,
                body=body,
                headers={"User-Agent": AGENT, **headers},
                redirect=False,
                preload_content=False,
            )
            try:
                content = self._read(response)
            finally:
                response.release_conn()
        except (NewConnectionError, ConnectTimeoutError, ProtocolError) as error:
            raise NoConnection(_reason(error)) from error
        except HTTPError as error:
            raise NoAnswer(_reason(error)) from error
        return Answer(response.status, {name.lower(): value for name, value in response.headers.items()}, content)

    def _read(self, response: urllib3.BaseHTTPResponse) -> bytes:
        """Read at most so much; the time limit of the connection is one for all of it."""
        parts, size = [], 0
        try:
            while part := response.read1(64 * 1024, decode_content=False):
                parts.append(part)
                size += len(part)
                if size > self._most_bytes:
                    response.close()
                    raise TooLarge(f"the answer is larger than {self._most_bytes} bytes")
        except ReadTimeoutError as error:
            raise NoAnswer(f"the answer took longer than {self._read_time_limit:g}s") from error
        return b"".join(parts)


def _after(failed: NoConnection, ask: Callable[[], Answer]) -> Callable[[], Answer]:
    """Return what fails the first time as it has failed already, and asks from then on."""
    known = [failed]

    def ask_again() -> Answer:
        if known:
            raise known.pop()
        return ask()

    return ask_again


def _patience() -> tenacity.Retrying:
    return tenacity.Retrying(
        stop=tenacity.stop_after_attempt(3) | tenacity.stop_after_delay(CONNECT_TIME_LIMIT),
        wait=tenacity.wait_fixed(0.1),
        retry=tenacity.retry_if_exception_type(NoConnection),
        reraise=True,
    )


def checked_address(url: str, adapter: str) -> str:
    """Return the address without a trailing slash. Raises NoAdapter when it is not http or https with a host."""
    hint = "set url to an address such as https://host.example:9090/path"
    try:
        parts = parse_url(url)
    except LocationParseError as error:
        raise NoAdapter(f"adapter {adapter}: the address cannot be read", hint) from error
    if parts.scheme not in ("http", "https") or not parts.host:
        raise NoAdapter(f"adapter {adapter}: the address is neither http nor https", hint)
    if parts.auth:
        raise NoAdapter(f"adapter {adapter}: the address holds a credential", "set token: {env: NAME} instead")
    return url.rstrip("/")


def bearer(token: str) -> dict[str, str]:
    """Return the header of a bearer token, none for an empty one. Raises NoAnswer when no header can hold it."""
    if not token:
        return {}
    if not (token.isascii() and token.isprintable()):
        raise NoAnswer("the bearer token holds a line break or another character that no header can hold")
    return {"Authorization": f"Bearer {token}"}


def _reason(error: HTTPError) -> str:
    """Say what went wrong without the library's object addresses and without the address asked."""
    match error:
        case NewConnectionError():
            cause = error.__cause__
            return f"no connection: {cause.strerror or cause}" if isinstance(cause, OSError) else "no connection"
        case ConnectTimeoutError():
            return f"no connection within {CONNECT_TIME_LIMIT:g}s"
        case ReadTimeoutError():
            return "no answer within the time limit"
        case SSLError():
            return f"the certificate was not accepted: {error}"
        case ProtocolError():
            return "the connection broke before the answer was complete"
        case _:
            return f"{type(error).__name__}"
