"""A proxy that lies: it stands before a real server and lets single requests go wrong, each in a way of its own.

What reaches the server, and whether it had its effect, the server itself counts. The proxy only decides what becomes of
the answer, or whether the request ever arrives.
"""

from __future__ import annotations

import http.client
import json
import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from io import BufferedReader
from typing import Literal, NamedTuple, TypeAlias
from urllib.parse import urlsplit

Fault: TypeAlias = Literal[
    "slow",  # a little late, and right
    "late",  # done, and answered when nobody waits any more
    "reset before",
    "reset after",  # done, and the answer is lost
    "cut",  # done, and half of the answer arrives
    "429",
    "429 with a wait",
    "500",
    "500 after",  # done, and then told to have failed
    "503",
    "garbage",  # done, and the answer is no HTTP
    "garbage json",
    "other shape",  # done, and the answer is JSON of something else
    "empty object",
    "list",
    "nothing",  # done, and the answer has no body
    "page",  # a login page, 200, instead of the server
    "page after",
    "redirect",
    "redirect after",
    "endless",  # done, and the answer never ends
    "drip",  # done, and the answer comes byte by byte
]
HARMLESS: tuple[Fault, ...] = ("slow",)
BEFORE: tuple[Fault, ...] = ("reset before", "429", "429 with a wait", "500", "503", "page", "redirect")
AFTER: tuple[Fault, ...] = (
    *("late", "reset after", "cut", "500 after", "garbage", "garbage json", "other shape", "empty object", "list"),
    *("nothing", "page after", "redirect after", "endless", "drip"),
)
FAULTS: tuple[Fault, ...] = (*HARMLESS, *BEFORE, *AFTER)
PAGE = b"<!doctype html><html><head><title>Sign in</title></head><body><form>Please sign in</form></body></html>"
ELSEWHERE = "http://127.0.0.1:9/elsewhere"
MOST_ENDLESS = 96 * 1024 * 1024  # bytes, after which a client that still reads has no bound
PIECE = 64 * 1024
POLL = 0.02


class Asked(NamedTuple):
    """One request as it arrived."""

    method: str
    path: str
    headers: Mapping[str, str]  # lower-case names
    body: bytes


class Told(NamedTuple):
    """The server's own answer."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Pace(NamedTuple):
    """How slow is slow, in seconds: less and more than the patience of the client behind the proxy."""

    slow: float = 0.02
    late: float = 1.0
    drip: float = 0.05


Decide: TypeAlias = Callable[[Asked], "Fault | None"]


class Proxy:
    """Listens on a free port of the loopback until it is closed. `done` keeps what it did to which request."""

    def __init__(self, upstream: str, decide: Decide = lambda asked: None, pace: Pace | None = None) -> None:
        self.decide = decide
        self.pace = pace or Pace()
        self.done: list[tuple[Asked, Fault | None]] = []
        self.sent_endlessly = 0
        self._upstream = upstream
        self._stopping = threading.Event()
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        self.port = 0
        self._listen()

    @property
    def url(self) -> str:
        """Where clients are sent to."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def faulty(self) -> int:
        """How many requests something was done to."""
        with self._guard:
            return sum(fault is not None for _, fault in self.done)

    def close(self) -> None:
        """Stop listening, and cut every connection."""
        self._stopping.set()
        self._listener.close()
        self._accepting.join()
        with self._guard:
            connections = list(self._open)
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def gone(self) -> Iterator[None]:
        """Let nobody listen for a while: connections are refused."""
        self.close()
        try:
            yield
        finally:
            self._stopping = threading.Event()
            self._listen()

    def _listen(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=128, reuse_port=False)
        self._listener.settimeout(POLL)
        self.port = self._listener.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept, args=(self._listener, self._stopping), daemon=True)
        self._accepting.start()

    def _accept(self, listener: socket.socket, stopping: threading.Event) -> None:
        while not stopping.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection, stopping), daemon=True).start()

    def _serve(self, connection: socket.socket, stopping: threading.Event) -> None:
        connection.settimeout(10)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._guard:
            self._open.add(connection)
        try:
            with connection, connection.makefile("rb") as incoming, suppress(OSError, ValueError):
                while not stopping.is_set():
                    asked = _read(incoming)
                    if asked is None or not self._exchange(connection, asked, stopping):
                        return
        finally:
            with self._guard:
                self._open.discard(connection)

    def _exchange(self, connection: socket.socket, asked: Asked, stopping: threading.Event) -> bool:
        """Answer one request as decided; return whether the connection may be used again."""
        fault = self.decide(asked)
        with self._guard:
            self.done.append((asked, fault))
        if fault is None or fault == "slow":
            stopping.wait(self.pace.slow if fault else 0)
            connection.sendall(_whole(self._forwarded(asked)))
            return True
        if fault in BEFORE:
            _spoil_before(connection, fault)
        else:
            self._spoil_after(connection, fault, self._forwarded(asked), stopping)
        return False

    def _forwarded(self, asked: Asked) -> Told:
        split = urlsplit(self._upstream)
        with closing(http.client.HTTPConnection(split.hostname or "", split.port, timeout=30)) as server:
            kept = {name: value for name, value in asked.headers.items() if name not in ("connection", "expect")}
            server.request(asked.method, asked.path, body=asked.body or None, headers=kept)
            answer = server.getresponse()
            return Told(answer.status, tuple(answer.getheaders()), answer.read())

    def _spoil_after(self, connection: socket.socket, fault: Fault, told: Told, stopping: threading.Event) -> None:
        whole = _whole(told)
        match fault:
            case "late":
                stopping.wait(self.pace.late)
                connection.sendall(whole)
            case "reset after":
                _reset(connection)
            case "cut":
                head = whole.index(b"\r\n\r\n") + 4
                connection.sendall(whole[: head + len(told.body) // 2] if len(told.body) > 1 else whole[: head // 2])
            case "500 after":
                connection.sendall(_answer(500, b"oops"))
            case "garbage":
                connection.sendall(random.Random(len(whole)).randbytes(400))
            case "garbage json":
                connection.sendall(_answer(200, b'{"kind": "Dep\xff', "application/json"))
            case "other shape":
                shape = json.dumps({"hello": ["world"], "status": "ok", "ok": 1}).encode()
                connection.sendall(_answer(200, shape, "application/json"))
            case "empty object":
                connection.sendall(_answer(200, b"{}", "application/json"))
            case "list":
                connection.sendall(_answer(200, b"[]", "application/json"))
            case "nothing":
                connection.sendall(_answer(200, b"", "application/json"))
            case "page after":
                connection.sendall(_answer(200, PAGE, "text/html"))
            case "redirect after":
                connection.sendall(_answer(302, b"", "text/html", f"Location: {ELSEWHERE}"))
            case "endless":
                self._send_for_ever(connection, stopping)
            case "drip":
                for byte in whole:
                    connection.sendall(bytes((byte,)))
                    if stopping.wait(self.pace.drip):
                        return
            case _:
                raise AssertionError(f"{fault} is no fault of an answer")

    def _send_for_ever(self, connection: socket.socket, stopping: threading.Event) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n")
        sent, piece = 0, b" " * PIECE
        try:
            while sent < MOST_ENDLESS and not stopping.is_set():
                connection.sendall(piece)
                sent += len(piece)
        finally:
            self.sent_endlessly = max(self.sent_endlessly, sent)


def _spoil_before(connection: socket.socket, fault: Fault) -> None:
    match fault:
        case "reset before":
            _reset(connection)
        case "429":
            connection.sendall(_answer(429, b"Too many requests, please try again later.\n"))
        case "429 with a wait":
            connection.sendall(_answer(429, b"Too many requests\n", "text/plain", "Retry-After: 1"))
        case "500":
            connection.sendall(_answer(500, b"oops"))
        case "503":
            connection.sendall(_answer(503, b"no healthy upstream"))
        case "page":
            connection.sendall(_answer(200, PAGE, "text/html"))
        case "redirect":
            connection.sendall(_answer(302, b"", "text/html", f"Location: {ELSEWHERE}"))
        case _:
            raise AssertionError(f"{fault} is no fault of a request")


@contextmanager
def proxy(upstream: str, decide: Decide = lambda asked: None, pace: Pace | None = None) -> Iterator[Proxy]:
    """Stand before a server for a while."""
    running = Proxy(upstream, decide, pace)
    try:
        yield running
    finally:
        running.close()


class Seeded:
    """Decides by lot, always the same from the same seed: which requests go wrong, and how."""

    def __init__(self, seed: int, share: float, faults: tuple[Fault, ...] = FAULTS) -> None:
        self._lot = random.Random(seed)
        self._share = share
        self._faults = faults
        self._guard = threading.Lock()

    def __call__(self, asked: Asked) -> Fault | None:
        """Draw for one request."""
        with self._guard:
            return self._lot.choice(self._faults) if self._lot.random() < self._share else None


def _read(incoming: BufferedReader) -> Asked | None:
    """Read one request; None when the client has no more."""
    line = incoming.readline(PIECE)
    if not line.strip():
        return None
    method, path, _ = line.decode("latin-1").split(" ", 2)
    headers = {name.lower(): value for name, value in http.client.parse_headers(incoming).items()}
    body = incoming.read(int(headers.get("content-length", "0")))
    return Asked(method, path, headers, body)


def _whole(told: Told) -> bytes:
    """Return the server's answer as it goes over the wire."""
    own = ("content-length", "transfer-encoding", "connection")
    lines = [f"HTTP/1.1 {told.status} {http.client.responses.get(told.status, 'Answer')}"]
    lines += [f"{name}: {value}" for name, value in told.headers if name.lower() not in own]
    lines.append(f"Content-Length: {len(told.body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + told.body


def _answer(status: int, body: bytes, media: str = "text/plain", *more: str) -> bytes:
    lines = [f"HTTP/1.1 {status} {http.client.responses[status]}", f"Content-Type: {media}"]
    return "\r\n".join([*lines, *more, f"Content-Length: {len(body)}", "Connection: close", "", ""]).encode() + body


def _reset(connection: socket.socket) -> None:
    """Close with a reset instead of an answer."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def wait_for(holds: Callable[[], bool], limit: float) -> bool:
    """Wait until something holds; return whether it did in time."""
    ends = time.monotonic() + limit
    while not holds():
        if time.monotonic() > ends:
            return False
        time.sleep(0.01)
    return True
