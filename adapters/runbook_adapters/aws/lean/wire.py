"""The wire: one pool of connections for each endpoint, shared by whoever asks there, and one trust store for all.

An answer has one time limit and one size for all of it: what drips or does not end is none.
"""

from __future__ import annotations

import importlib.util
import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from urllib3 import BaseHTTPResponse, HTTPConnectionPool, Timeout, connection_from_url, exceptions
from urllib3.connection import HTTPConnection
from urllib3.util.ssl_ import create_urllib3_context

from runbook_adapters.aws.environment import TRUST_VARIABLES
from runbook_adapters.aws.lean import failures
from runbook_adapters.aws.lean.choosing import Place
from runbook_adapters.timing import TimedConnection, TimedSecureConnection

KEPT_ALIVE = [*HTTPConnection.default_socket_options, (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
MOST_BYTES = 20 * 1024 * 1024  # of a body: BatchGetItem tells 16 MiB at most, any other call 1 MiB; JSON adds a little
PIECE = 64 * 1024


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: Mapping[str, str]  # whatever their case
    body: bytes


@dataclass(slots=True)
class Wire:
    """Connections of one process. Any number of threads may send."""

    connect_timeout: float
    read_timeout: float
    connections: int
    environment: Mapping[str, str] = field(repr=False)
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _pools: dict[str, HTTPConnectionPool] = field(default_factory=dict)
    _trust: ssl.SSLContext | None = None

    def send(self, place: Place, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send a request once, following nobody elsewhere. Raises NotAnswered."""
        try:
            return self._answer(place, headers, body)
        except (exceptions.SSLError, ssl.SSLError) as error:
            raise failures.SSLError(place.url, error) from error
        except (exceptions.NewConnectionError, socket.gaierror) as error:
            raise failures.EndpointConnectionError(place.url) from error
        except exceptions.ConnectTimeoutError as error:
            raise failures.ConnectTimeoutError(place.url) from error
        except exceptions.ReadTimeoutError as error:
            raise failures.ReadTimeoutError(place.url) from error
        except exceptions.ProtocolError as error:
            raise failures.ConnectionClosedError(place.url) from error
        except (exceptions.HTTPError, OSError) as error:
            raise failures.HTTPClientError(place.url, type(error).__name__) from error

    def _answer(self, place: Place, headers: Mapping[str, str], body: bytes) -> Answer:
        found = self._pool(place).urlopen(
            "POST", place.path, body=body, headers=headers, retries=False, redirect=False, preload_content=False
        )
        try:
            return Answer(found.status, found.headers, _whole(found, place.url))
        finally:
            if not found.closed:
                found.close()  # there is more of it: the connection is of no further use
            found.release_conn()

    def _pool(self, place: Place) -> HTTPConnectionPool:
        with self._guard:
            if place.url not in self._pools:
                self._pools[place.url] = self._new_pool(place)
            return self._pools[place.url]

    def _new_pool(self, place: Place) -> HTTPConnectionPool:
        timeout = Timeout(connect=self.connect_timeout, read=self.read_timeout)
        wishes: dict[str, Any] = {
            "timeout": timeout,
            "maxsize": self.connections,
            "socket_options": KEPT_ALIVE,
        }
        secure = place.url.startswith("https:")
        if secure:
            self._trust = self._trust or trust_of(self.environment)
            wishes["ssl_context"] = self._trust
        pool = connection_from_url(place.url, **wishes)
        pool.ConnectionCls = TimedSecureConnection if secure else TimedConnection
        return pool


def _whole(found: BaseHTTPResponse, url: str) -> bytes:
    """Return the body, read piece by piece: what is said of its size may be a lie. Raises ResponseParserError."""
    parts, size = [], 0
    while part := found.read1(PIECE, decode_content=False):
        parts.append(part)
        size += len(part)
        if size > MOST_BYTES:
            raise failures.ResponseParserError(url, f"it is larger than {MOST_BYTES} bytes")
    return b"".join(parts)


def trust_of(environment: Mapping[str, str]) -> ssl.SSLContext:
    """Return whom to trust: the bundle that the environment names, or the very one that boto3 would take."""
    context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)
    context.check_hostname = True
    named = next((environment[name] for name in TRUST_VARIABLES if environment.get(name)), "") or _bundle()
    if named:
        context.load_verify_locations(**{"capath" if Path(named).is_dir() else "cafile": named})
    else:
        context.load_default_certs()
    return context


def _bundle() -> str:
    """Return certifi's file or botocore's own, without loading either; empty where neither is installed."""
    for package in ("certifi", "botocore"):
        found = importlib.util.find_spec(package)
        path = Path(found.origin).with_name("cacert.pem") if found is not None and found.origin else None
        if path is not None and path.is_file():
            return str(path)
    return ""
