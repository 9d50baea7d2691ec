"""Bodies: read whole or not at all, and within a time, however slowly somebody lets them drip."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from flask import current_app, request
from gunicorn.http.errors import ParseException

from runbook_engine.errors import InvalidAlert

READ_LIMIT = "READ_LIMIT"  # the application's setting: seconds for a whole body


def read_body() -> bytes:
    """Return the whole body, or raise InvalidAlert: half of one must never pass for all of it."""
    with _patience(current_app.config[READ_LIMIT]):
        try:
            body = request.get_data(cache=False)
        except ParseException as error:
            raise InvalidAlert("bad_encoding", "the chunks of the body are not what they say") from error
    if request.content_length is not None and len(body) != request.content_length:
        raise InvalidAlert("bad_encoding", "the body is shorter than its Content-Length")
    return body


@contextmanager
def _patience(seconds: float) -> Iterator[None]:
    """End the reading of the connection after so long; what has come until then is all that there is."""
    connection = request.environ.get("gunicorn.socket")
    if not isinstance(connection, socket.socket):
        yield
        return
    timer = threading.Timer(seconds, _stop_reading, (connection,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _stop_reading(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RD)
