"""The same AWS over HTTP, for processes: moto's server in a thread, with the wire's lock and faults before it."""

import io
import re
import socket
import threading
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import BaseWSGIServer, make_server

from tests.emulators.aws.wire import Wire, refused

SCOPE = re.compile(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/aws4_request")
POLL = 0.02  # seconds until it notices that it is to stop
SERVICES = {"states": "stepfunctions", "monitoring": "cloudwatch"}  # the signature's names, by boto3's
Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


class QuietHandler(MotoRequestHandler):
    """Writes no access log."""

    def log(self, type: str, message: str, *arguments: Any) -> None:
        """Say nothing."""


class Server:
    """Listens on a free port of the loopback until it is closed."""

    def __init__(self, wire: Wire) -> None:
        application = Guarded(DomainDispatcherApplication(create_backend_app), wire)
        self._server: BaseWSGIServer = make_server(
            "127.0.0.1", 0, application, threaded=True, request_handler=QuietHandler
        )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(POLL,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Guarded:
    """Moto's application behind the wire."""

    def __init__(self, application: Application, wire: Wire) -> None:
        self._application = application
        self._wire = wire

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Serve one request, or let it go wrong as told."""
        service, operation = called(environ)
        fault = self._wire.count(service, operation)
        if fault is not None and fault.kind == "refuse":
            headers = {
                "Content-Type": environ.get("CONTENT_TYPE", ""),
                "Smithy-Protocol": environ.get("HTTP_SMITHY_PROTOCOL", ""),
            }
            answer = refused(fault, headers)
            start_response(f"{answer.status} Refused", list(answer.headers.items()))
            return [answer.body]
        if fault is not None and not fault.after:
            return self._hang_up(environ)
        with self._wire.locked(service):
            body = list(self._application(environ, start_response))
        return body if fault is None else self._hang_up(environ)

    @staticmethod
    def _hang_up(environ: dict[str, Any]) -> Iterable[bytes]:
        environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        return []


def called(environ: dict[str, Any]) -> tuple[str, str]:
    """Return the service and the operation of a request; the operation of S3 is its method."""
    scope = SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
    service = scope[1] if scope else ""
    service = SERVICES.get(service, service)
    if target := environ.get("HTTP_X_AMZ_TARGET", ""):
        return service, target.rpartition(".")[2]
    path = environ.get("PATH_INFO", "")
    if "/operation/" in path:
        return service, path.rpartition("/")[2]
    if service == "lambda" and path.endswith("/invocations"):
        return service, "Invoke"
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        return service, _action(environ)
    return service, environ["REQUEST_METHOD"]


def _action(environ: dict[str, Any]) -> str:
    """Return the Action of a form, and put the body back for who reads it next."""
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return parse_qs(body.decode()).get("Action", [""])[0]
