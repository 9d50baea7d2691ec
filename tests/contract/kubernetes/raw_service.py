"""A server of a test's own that answers with bytes: for streams, cuts, silences and TLS."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

Answer = bytes | Callable[[socket.socket], None]


class RawService:
    """Where it listens, and the head of every request that arrived."""

    def __init__(self, port: int, scheme: str) -> None:
        self.url = f"{scheme}://localhost:{port}"
        self.heads: list[bytes] = []
        self.connections = 0


def reset(connection: socket.socket) -> None:
    """Break the connection so that the other side sees a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def chunked(*pieces: bytes, end: bool = True) -> bytes:
    """Return an answer that comes in pieces, whole or cut."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + (b"0\r\n\r\n" if end else b"")


def cut(answer: bytes) -> Callable[[socket.socket], None]:
    """Send the beginning of an answer, and close the connection."""
    return lambda connection: connection.sendall(answer)


@contextmanager
def raw_service(answers: Sequence[Answer], tls: ssl.SSLContext | None = None) -> Iterator[RawService]:
    """Answer the requests that arrive, one after the other; when none is left, close the connection."""
    left = list(answers)
    listening = socket.create_server(("localhost", 0))
    service = RawService(listening.getsockname()[1], "https" if tls else "http")
    stopped = threading.Event()

    def converse(connection: socket.socket) -> None:
        with suppress(OSError), connection:
            while not stopped.is_set():
                head = _request(connection)
                if not head:
                    return
                service.heads.append(head)
                if not left:
                    return
                answer = left.pop(0)
                if callable(answer):
                    answer(connection)
                    return
                connection.sendall(answer)
                if b"Content-Length" not in answer and not answer.endswith(b"0\r\n\r\n"):
                    return

    def accept() -> None:
        while not stopped.is_set():
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            service.connections += 1
            connection.settimeout(60)
            try:
                secured = tls.wrap_socket(connection, server_side=True) if tls else connection
            except OSError:
                connection.close()
                continue
            threading.Thread(target=converse, args=(secured,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        stopped.set()
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(60)


def _request(connection: socket.socket) -> bytes:
    """Read one request whole, and return its head."""
    got = b""
    while b"\r\n\r\n" not in got:
        piece = connection.recv(65536)
        if not piece:
            return b""
        got += piece
    head, _, body = got.partition(b"\r\n\r\n")
    length = next(
        (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-l")), 0
    )
    while len(body) < length:
        body += connection.recv(65536)
    return head
