"""One time limit for a whole answer, of Kubernetes and of whatever else is asked over HTTP, wherever drops fall."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from runbook_adapters.kubernetes.wire import Broken, Times, Wire
from runbook_adapters.web import NoAnswer, Web
from tests.contract.kubernetes.raw_service import raw_service

LIMIT = 0.4
A_WHILE = 20.0  # seconds: far more than the limit, on a busy machine too, and far less than all the drops
LATE = "the answer took longer than 0.4s"
NO_HEAD = "no answer within the time limit"
HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
Answer = Callable[[socket.socket], object]
Ask = Callable[[str], object]


def _by_kubernetes(url: str) -> object:
    with Wire(url, times=Times(connect=1.0)).send("GET", "/api", {}, None, LIMIT) as opened:
        return opened.body()


def _by_http(url: str) -> object:
    return Web(read_time_limit=LIMIT).get(url)


def _dripping(beginning: bytes, drop: bytes = b" ") -> Answer:
    """Return an answer that goes on for a minute, a drop at a time, until the other side has had enough."""

    def answer(connection: socket.socket) -> None:
        with suppress(OSError):
            connection.sendall(beginning)
            for _ in range(3000):
                time.sleep(0.02)
                connection.sendall(drop)

    return answer


def _stalling(connection: socket.socket) -> None:
    """Use some of the time for the head, and say no more after that."""
    time.sleep(0.1)
    connection.sendall(HEAD + b"Content-Length: 4096\r\n\r\n ")
    connection.settimeout(A_WHILE)
    with suppress(OSError):
        connection.recv(1)


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(_by_kubernetes, id="kubernetes"),
        pytest.param(_by_http, id="http"),
    ],
)
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        pytest.param(_dripping(HEAD + b"X-Name: "), NO_HEAD, id="a head that drips"),
        pytest.param(_dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), NO_HEAD, id="heads that are none yet"),
        pytest.param(_dripping(HEAD + b"Content-Length: 4096\r\n\r\n"), LATE, id="a body that drips"),
        pytest.param(_dripping(CHUNKED, b"1\r\n \r\n"), LATE, id="chunks that drip"),
        pytest.param(_dripping(CHUNKED + b"1;"), LATE, id="a chunk whose size drips"),
        pytest.param(_dripping(CHUNKED + b"0\r\n", b"X: y\r\n"), LATE, id="trailers that drip"),
        pytest.param(_stalling, LATE, id="a late head and no body"),
    ],
)
def test_an_answer_ends_in_time_when_it_drips(ask: Ask, answer: Answer, said: str) -> None:
    """What comes a byte now and then is no answer, and holds nobody."""
    with raw_service([answer]) as service:
        began = time.monotonic()
        with pytest.raises((Broken, NoAnswer)) as caught:
            ask(service.url)
        took = time.monotonic() - began

    assert said == str(caught.value)
    assert LIMIT <= took < A_WHILE


def test_an_answer_is_taken_when_it_comes_in_pieces_within_the_time() -> None:
    """And the connection is as good as before."""
    pieces = [HEAD, b"Content-Length: 2\r\n", b"\r\n", b"{", b"}"]

    def answer(connection: socket.socket) -> None:
        for _ in range(2):
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(0.01)
            connection.settimeout(A_WHILE)
            with suppress(OSError):
                connection.recv(65536)

    with raw_service([answer]) as service:
        web = Web(read_time_limit=A_WHILE)

        assert [b"{}", b"{}"] == [web.get(service.url).body for _ in range(2)]

    assert 1 == service.connections
