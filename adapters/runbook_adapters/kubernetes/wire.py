"""The wire: one pool of connections to one API server. It says what broke, and whether anything had been sent by then.

The HTTP library's own retries, redirects and environment are off: it would resend a DELETE by itself.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any

import msgspec
import urllib3
from urllib3.connection import HTTPConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from runbook_adapters.timing import POOLS

MOST_BYTES = 32 * 1024 * 1024
MOST_OF_A_REFUSAL = 64 * 1024
CONNECTIONS = 16
PIECE = 64 * 1024
_KEEP_ALIVE = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]  # a watch must notice a peer that is gone


class Times(msgspec.Struct, frozen=True):
    """Seconds that each part may take. The server itself gives a change up after 34."""

    connect: float = 3.0
    read: float = 15.0
    write: float = 35.0


class Broken(Exception):
    """No usable answer came. Not `sent`: the server surely never saw the request."""

    def __init__(self, message: str, *, sent: bool = True, remedy: str = "") -> None:
        self.sent = sent
        self.remedy = remedy
        super().__init__(message)


class Opened:
    """An answer whose head has arrived; its body is read once, within its limits, and then it is closed."""

    def __init__(self, response: urllib3.BaseHTTPResponse, most_bytes: int, seconds: float) -> None:
        self._response = response
        self._most_bytes = most_bytes
        self._seconds = seconds

    def __enter__(self) -> Opened:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if not self._response.closed:
            self._response.close()  # unread: the connection is of no further use
        self._response.release_conn()

    def cut(self) -> None:
        """End the reading, from any thread: who reads gets no more."""
        with suppress(OSError, ValueError, RuntimeError):  # it has ended by itself, or is closed already
            self._response.shutdown()

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._response.status

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, by lower-case name."""
        return {name.lower(): value for name, value in self._response.headers.items()}

    def body(self) -> bytes:
        """Return the whole body. Raises Broken when it is too large, too slow or cut."""
        return b"".join(self._pieces())

    def beginning(self) -> bytes:
        """Return what can be had of the body of a refusal: its status says enough."""
        found = b""
        try:
            for piece in self._pieces():
                found += piece
                if len(found) > MOST_OF_A_REFUSAL:
                    break
        except Broken:
            pass  # the sentence is shorter for it
        return found[:MOST_OF_A_REFUSAL]

    def tail(self, size: int) -> bytes:
        """Return the end of the body. Raises Broken."""
        found = b""
        for piece in self._pieces():
            found = (found + piece)[-size:]
        return found

    def lines(self) -> Iterator[bytes]:
        """Yield the lines of the body as they come. Raises Broken, also for a line that is too long."""
        rest = b""
        for piece in self._arriving():
            *whole, rest = (rest + piece).split(b"\n")
            if len(rest) > self._most_bytes:
                raise Broken(f"one line of the answer is larger than {self._most_bytes} bytes")
            yield from (line for line in whole if line.strip())
        if rest.strip():
            yield rest

    def _pieces(self) -> Iterator[bytes]:
        size = 0
        for piece in self._arriving():
            size += len(piece)
            if size > self._most_bytes:
                raise Broken(
                    f"the answer is larger than {self._most_bytes} bytes",
                    remedy="set maxResponse of adapter kubernetes higher, or ask for less",
                )
            yield piece

    def _arriving(self) -> Iterator[bytes]:
        """Yield pieces as they arrive; the time limit of the connection is one for all of them."""
        try:
            while piece := self._response.read1(PIECE):
                yield piece
        except ReadTimeoutError as error:
            raise Broken(f"the answer took longer than {self._seconds:g}s") from error
        except HTTPError as error:
            raise _broken(error) from error


class Wire:
    """Requests to one address, from any thread."""

    def __init__(
        self,
        server: str,
        *,
        tls: ssl.SSLContext | None = None,
        server_name: str = "",
        proxy: str = "",
        agent: str = "runbook-engine",
        most_bytes: int = MOST_BYTES,
        times: Times | None = None,
    ) -> None:
        self.times = times or Times()
        self._server = server.rstrip("/")
        self._agent = agent
        self._most_bytes = most_bytes
        options: dict[str, Any] = {
            "maxsize": CONNECTIONS,
            "socket_options": [*HTTPConnection.default_socket_options, *_KEEP_ALIVE],
            **({"ssl_context": tls} if tls else {}),
            **({"server_hostname": server_name} if tls and server_name else {}),
        }
        self._pool = urllib3.ProxyManager(proxy, **options) if proxy else urllib3.PoolManager(**options)
        self._pool.pool_classes_by_scheme = dict(POOLS)

    def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None, read_time: float) -> Opened:
        """Send one request once, and return the answer when its head has arrived. Raises Broken."""
        try:
            response = self._pool.request(
                method,
                self._server + path,
                body=body,
                headers={"User-Agent": self._agent, "Accept-Encoding": "identity", **headers},
                timeout=urllib3.Timeout(connect=self.times.connect, read=read_time),
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
        except HTTPError as error:
            raise _broken(error) from error
        return Opened(response, self._most_bytes, read_time)


def _broken(error: HTTPError) -> Broken:
    """Say what went wrong, without the library's object addresses and without the address asked."""
    match error:
        case NewConnectionError():  # the library derives it from the next one
            return Broken(f"no connection: {_cause(error)}", sent=False)
        case ConnectTimeoutError():
            return Broken("no connection in time", sent=False, remedy=_NO_WAY)
        case ProxyError():
            return Broken(f"the proxy gives no connection: {_cause(error)}", sent=False, remedy=_NO_PROXY)
        case ReadTimeoutError():
            return Broken("no answer within the time limit")
        case SSLError():
            return _untrusted(error)
        case ProtocolError():
            return Broken("the connection broke before the answer was complete")
        case _:
            return Broken(type(error).__name__)


def _untrusted(error: SSLError) -> Broken:
    """Tell a certificate that is not accepted from an encryption that broke later."""
    cause = error.args[0] if error.args else error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return Broken(f"the certificate is not accepted: {cause.verify_message}", sent=False, remedy=_NO_TRUST)
    if isinstance(cause, ssl.SSLError) and cause.reason == "WRONG_VERSION_NUMBER":
        return Broken("the other side does not speak TLS", sent=False)
    return Broken("the encrypted connection broke before the answer was complete")


def _cause(error: BaseException) -> str:
    """Return what the operating system says beneath an error."""
    beneath = error.__cause__ or (error.args[1] if len(error.args) > 1 else None)
    if isinstance(beneath, NewConnectionError):
        return _cause(beneath)
    return (beneath.strerror or str(beneath)) if isinstance(beneath, OSError) else "it cannot be reached"


_NO_WAY = "nothing was sent; a firewall or a security group may be in the way of server in engine.yaml"
_NO_PROXY = "nothing was sent; check proxy in engine.yaml"
_NO_TRUST = "nothing was sent; set caData or caFile in engine.yaml to the CA of this very cluster"
