"""A small HTTP server of a test's own: it answers what it is told and remembers what it was asked."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit


class Asked(NamedTuple):
    """One request as it arrived."""

    method: str
    path: str
    fields: dict[str, str]
    headers: dict[str, str]
    body: bytes


class Told(NamedTuple):
    """One answer as it is sent; status 0 breaks the connection instead."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


class HttpService:
    """Where it listens, what it was asked, and what it answers."""

    def __init__(self, answer: Callable[[Asked], Told]) -> None:
        self.answer = answer
        self.asked: list[Asked] = []
        self.url = ""

    def tell(self, *told: Told) -> None:
        """Answer so, one after the other, and the last one for ever."""
        left = list(told)
        self.answer = lambda _asked: left.pop(0) if len(left) > 1 else left[0]


@contextmanager
def http_service(answer: Callable[[Asked], Told] = lambda _asked: Told()) -> Iterator[HttpService]:
    """Serve on a free port of the loopback interface."""
    service = HttpService(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            split = urlsplit(self.path)
            fields = {name: values[0] for name, values in parse_qs(split.query, keep_blank_values=True).items()}
            asked = Asked(self.command, split.path, fields, dict(self.headers.items()), body)
            service.asked.append(asked)
            told = service.answer(asked)
            if told.status == 0:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
                return
            self.send_response(told.status)
            for name, value in told.headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(told.body)))
            self.end_headers()
            self.wfile.write(told.body)

        do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that went away is part of some tests."""

    server = Server(("127.0.0.1", 0), Handler)
    service.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
