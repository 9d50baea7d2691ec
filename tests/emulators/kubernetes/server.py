"""The HTTP server: keep-alive connections, one thread each, optional TLS, faults and a listening socket that can go."""

import contextlib
import json
import socket
import ssl
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.emulators.kubernetes.access import User
from tests.emulators.kubernetes.api import Answer, Api, Request
from tests.emulators.kubernetes.errors import ApiError
from tests.emulators.kubernetes.faults import Fault, Faults
from tests.emulators.kubernetes.requestlog import Logged, RequestLog
from tests.emulators.kubernetes.trees import Tree
from tests.emulators.kubernetes.watch import watch
from tests.ports import free_port


class ApiServer:
    """Listens on a free port of the loopback address until it is closed."""

    def __init__(self, api: Api, faults: Faults, log: RequestLog, tls: ssl.SSLContext | None = None) -> None:
        self.api = api
        self.faults = faults
        self.log = log
        self.tls = tls
        self.port = free_port()  # its own for as long as it lives, restarts included
        self.stopping = False
        self._http: _Http | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self.stopping = False
        self._http = _Http(("127.0.0.1", self.port), _Handler, self)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), name="kubernetes-api")
        self._thread.start()

    def stop(self) -> None:
        """Close the listening socket and every connection, and wait for their threads."""
        if self._http is None or self._thread is None:
            return
        self.stopping = True
        with self.api.store.lock:
            self.api.store.changed.notify_all()
        self._http.shutdown()
        self._http.cut_connections()
        self._http.server_close()
        self._thread.join()
        self._http = self._thread = None


class _Http(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler], owner: ApiServer) -> None:
        self.owner = owner
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        super().__init__(address, handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        with self._guard:
            self._open.add(request)
        try:
            if self.owner.tls:
                request.settimeout(60)
                request = self.owner.tls.wrap_socket(request, server_side=True)
                request.settimeout(None)
                with self._guard:
                    self._open.add(request)
            super().finish_request(request, client_address)
        except OSError:
            return  # the client went away, or never trusted the certificate
        finally:
            with self._guard:
                self._open.discard(request)
            self._close(request)

    def _close(self, request: socket.socket) -> None:
        with contextlib.suppress(OSError):
            request.close()

    def cut_connections(self) -> None:
        """Shut every connection, so that the threads reading from them end."""
        with self._guard:
            connections = list(self._open)
        for connection in connections:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    server: _Http
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the request log keeps it."""

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def _serve(self) -> None:
        split = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        query = dict(parse_qsl(split.query, keep_blank_values=True))
        request = Request(self.command, split.path, query, self.headers, body)
        fault = self.server.owner.faults.take(self.command, self.path)
        try:
            self._with_fault(request, split.query, fault)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            self.close_connection = True

    def _with_fault(self, request: Request, query: str, fault: Fault | None) -> None:
        if fault and fault.delay and not fault.after:
            self._sleep(fault.delay)
        answer, user = None, User("")
        if fault is None or fault.after or not (fault.reset or fault.status):
            answer, user = self._answer(request)
        if fault and fault.delay and fault.after:
            self._sleep(fault.delay)
        replaced = fault is not None and (fault.reset or fault.status)
        status = fault.status if fault and replaced else answer.status if answer else 0
        self.server.owner.log.add(
            Logged(request.method, request.path, query, user.name, status, request.agent, request.body)
        )
        if fault and fault.reset:
            self._reset()
        elif fault and fault.status:
            self._send(fault.status, fault.body, fault.media, fault.headers)
        elif answer and answer.watch:
            self._stream(request, answer)
        elif answer:
            media = "text/plain" if isinstance(answer.body, str) else "application/json"
            self._send(answer.status, answer.body, media, _headers(answer))

    def _sleep(self, seconds: float) -> None:
        ends = time.monotonic() + seconds
        while time.monotonic() < ends and not self.server.owner.stopping:
            time.sleep(min(0.02, seconds))

    def _answer(self, request: Request) -> tuple[Answer, User]:
        api = self.server.owner.api
        user = User("")
        try:
            user = api.access.authenticate(self.headers.get("Authorization", ""))
            return api.serve(request, user), user
        except ApiError as error:
            self._sleep(error.delay_ms / 1000)
            return Answer(error.code, error.status()), user

    def _send(self, status: int, body: Tree | str, media: str, headers: dict[str, str] | list[tuple[str, str]]) -> None:
        payload = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", media)
        self.send_header("Content-Length", str(len(payload)))
        for name, value in headers.items() if isinstance(headers, dict) else headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(payload)
        self.wfile.flush()

    def _reset(self) -> None:
        """Close the connection with a reset instead of an answer."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        socket.socket.close(self.connection)

    def _stream(self, request: Request, answer: Answer) -> None:
        owner, place = self.server.owner, answer.watch
        assert place is not None
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()
        namespace = place.namespace or None
        for event in watch(owner.api.store, place.resource, namespace, request.query, lambda: owner.stopping):
            payload = json.dumps(event).encode() + b"\n"
            self.wfile.write(f"{len(payload):x}\r\n".encode() + payload + b"\r\n")
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()


def _headers(answer: Answer) -> list[tuple[str, str]]:
    headers = [
        ("Warning", f'299 - "{text}"'.replace('field "', 'field \\"').replace('""', '\\""')) for text in answer.warnings
    ]
    if isinstance(answer.body, dict) and answer.body.get("kind") == "Status":
        wait = (answer.body.get("details") or {}).get("retryAfterSeconds")
        if wait:
            headers.append(("Retry-After", str(wait)))
    return headers
