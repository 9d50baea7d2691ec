"""The adapter http against a real server: what is sent, what an answer means, and what is known when there is none."""

from __future__ import annotations

import errno
import gc
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from runbook_adapters.http import ADAPTER, HttpSettings
from runbook_adapters.http.guarded import why_refused
from runbook_engine.errors import Conflict, EffectUnknown, NoAdapter, Permanent, Retryable, RunbookError, Unreadable
from runbook_engine.model.configuration import Configuration, RequestTemplate, SecretReference, StatusRequest
from runbook_engine.model.request import RequestState
from runbook_engine.ports import AdapterContext, Served
from runbook_engine.testing.clock import SimulatedClock
from tests.contract.http_service import HttpService, Told, http_service
from tests.lab import PATIENCE

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
POOL = {"pool": "a/b c", "reason": 'he said "no", {"x": 1}'}


@pytest.fixture
def service() -> Iterator[HttpService]:
    """Return a server of this test's own."""
    with http_service() as running:
        yield running


def template(service: HttpService, **changes: object) -> RequestTemplate:
    """Return a pinned request to the server."""
    pinned = RequestTemplate(
        name="drain-pool",
        method="POST",
        url=f"{service.url}/v1/pools/{{{{ parameters.pool }}}}/drain",
        says="drains a pool",
        repeat="token",
        parameters=("pool", "reason"),
        headers={"X-Team": "checkout"},
        secret_headers={"Authorization": SecretReference(env="POOL_TOKEN")},
        body=json.dumps({"reason": "{{ parameters.reason }}", "by": ["{{ parameters.pool }}"], "force": False}),
        time_limit=timedelta(seconds=1),
    )
    return replace(pinned, **changes)


def serve(pinned: RequestTemplate, secret: str = "Bearer s3cret") -> Served:
    """Return the adapter with one pinned request."""
    context = AdapterContext(
        clock=SimulatedClock(NOW),
        configuration=Configuration(requests=(pinned,)),
        base=Path(),
        state=Path(),
        secret=lambda reference: secret,
    )
    return ADAPTER.build("requests", HttpSettings(), context)


def send(pinned: RequestTemplate, secret: str = "Bearer s3cret") -> object:
    """Send a pinned request."""
    return serve(pinned, secret).writer.send("drain-pool", POOL, digest=pinned.digest, token="e-1/0/do")


def test_request_carries_its_parameters_as_values(service: HttpService) -> None:
    """A parameter is one segment of the path, or a JSON string: it leaves neither. Secrets and the token go along."""
    send(template(service))

    (asked,) = service.asked
    assert ("POST", "/v1/pools/a%2Fb%20c/drain") == (asked.method, asked.path)
    assert {"reason": POOL["reason"], "by": [POOL["pool"]], "force": False} == json.loads(asked.body)
    sent = {name.lower(): value for name, value in asked.headers.items()}
    assert ("Bearer s3cret", "checkout", "e-1/0/do", "application/json") == tuple(
        sent[name] for name in ("authorization", "x-team", "idempotency-key", "content-type")
    )


def test_no_connection_is_left_when_a_request_is_over(service: HttpService) -> None:
    """Each has one of its own, and closes it: what is left to the collector of rubbish may be thousands by then."""
    pinned = template(service)
    served, port = serve(pinned), int(service.url.rpartition(":")[2])
    gc.disable()
    try:
        for _ in range(5):
            served.writer.send("drain-pool", POOL, digest=pinned.digest, token="e-1/0/do")
        ends = time.monotonic() + PATIENCE
        while left := sockets_to(port):  # the thread that bounds a request lets go of its twin just after the answer
            assert time.monotonic() < ends, f"{left} connections are left"
            time.sleep(0.01)
    finally:
        gc.enable()


def sockets_to(port: int) -> int:
    """Return how many sockets of this process lead to a port."""
    found = 0
    for descriptor in Path("/dev/fd").iterdir():
        with suppress(OSError), socket.socket(fileno=os.dup(int(descriptor.name))) as twin:
            found += twin.getpeername()[1] == port
    return found


@pytest.mark.parametrize("repeat", ["declarative", "once"])
def test_request_has_no_token_when_the_other_side_knows_none(repeat: str, service: HttpService) -> None:
    """Only a request that says token promises anything by one."""
    send(template(service, repeat=repeat))

    assert "idempotency-key" not in {name.lower() for name in service.asked[0].headers}


@pytest.mark.parametrize(
    ("told", "error", "sentence"),
    [
        pytest.param(
            Told(429, b"busy", (("Retry-After", "7"),)),
            Retryable,
            "request drain-pool is not taken now: HTTP 429: busy",
            id="too many",
        ),
        pytest.param(Told(403, b"no"), Permanent, "request drain-pool was refused: HTTP 403: no", id="refused"),
        pytest.param(
            Told(307, b"", (("Location", "https://other.example"),)),
            Permanent,
            "request drain-pool is redirected, which is not followed (correct its url)",
            id="redirected",
        ),
        pytest.param(
            Told(303, b"", (("Location", "/v1/jobs/1"),)),
            EffectUnknown,
            "request drain-pool was answered HTTP 303, and what came of it is not known",
            id="done, and told elsewhere",
        ),
        pytest.param(
            Told(409, b"in progress"),
            EffectUnknown,
            "request drain-pool was answered HTTP 409: in progress, and what came of it is not known",
            id="its token is in use",
        ),
        pytest.param(
            Told(403, b'{"sent": "Bearer s3cret", "token": "s3cret"}'),
            Permanent,
            'request drain-pool was refused: HTTP 403: {"sent": "***", "token": "***"}',
            id="refused, with our own secret",
        ),
        pytest.param(
            Told(500, b"oops"),
            EffectUnknown,
            "request drain-pool was answered HTTP 500: oops, and what came of it is not known",
            id="failed over there",
        ),
        pytest.param(
            Told(0),
            EffectUnknown,
            "request drain-pool was sent, and what came of it is not known: "
            "the connection broke before the answer was complete",
            id="answer lost",
        ),
        pytest.param(
            Told(200, b"x" * 300_000),
            EffectUnknown,
            "request drain-pool was sent, and what came of it is not known: the answer is larger than 262144 bytes",
            id="answer without end",
        ),
    ],
)
def test_an_answer_means_what_it_says(
    told: Told, error: type[RunbookError], sentence: str, service: HttpService
) -> None:
    """Refused, put off, or nobody knows: the class decides what the engine does next."""
    service.tell(told)

    with pytest.raises(error) as raised:
        send(template(service))

    assert sentence == str(raised.value)
    assert 1 == len(service.asked)


def test_too_many_says_when_to_come_back(service: HttpService) -> None:
    """The other side's own wait is kept."""
    service.tell(Told(429, b"", (("Retry-After", "7"),)))

    with pytest.raises(Retryable) as raised:
        send(template(service))

    assert timedelta(seconds=7) == raised.value.after


def test_nothing_was_sent_when_nobody_listens(service: HttpService) -> None:
    """A refused connection surely did nothing, so it may be tried again."""
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/x"
        with pytest.raises(Retryable, match="request drain-pool was not sent: no connection") as raised:
            send(template(service, url=url))

    assert raised.value.after is None


def test_nothing_was_sent_without_a_descriptor_to_watch_it(
    service: HttpService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection stands and is closed again: to call it unknown would page somebody, and demote the runbook."""

    def refuse(made: socket.socket) -> socket.socket:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(socket.socket, "dup", refuse)

    with pytest.raises(Retryable) as raised:
        send(template(service))

    assert str(raised.value) == "request drain-pool was not sent: no connection: Too many open files"
    assert [] == service.asked


def test_answer_that_takes_too_long_leaves_it_unknown() -> None:
    """It arrived, and nobody knows whether it was done."""
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/x"
        pinned = replace(template(HttpService(lambda asked: Told())), url=url, time_limit=timedelta(milliseconds=200))

        with pytest.raises(EffectUnknown, match="no answer within the time limit"):
            send(pinned)


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n", id="a body of so many bytes"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2000\r\n", id="a chunk"),
        pytest.param(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", id="a body that ends with the connection"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX-Slow: ", id="a header"),
    ],
)
def test_answer_that_drips_is_cut(head: bytes) -> None:
    """The time limit is one for the whole answer, not for every byte of it: a run has a lease to keep."""

    def drip(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection, suppress(OSError):
            connection.recv(65536)
            connection.sendall(head)
            for _ in range(3000):
                time.sleep(0.02)
                connection.sendall(b" ")

    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        threading.Thread(target=drip, args=(server,), daemon=True).start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/x"
        pinned = replace(template(HttpService(lambda asked: Told())), url=url, time_limit=timedelta(milliseconds=200))
        began = time.monotonic()

        with pytest.raises(EffectUnknown, match="no answer within the time limit"):
            send(pinned)

    assert time.monotonic() - began < 30  # all the drops take a minute


def test_expected_statuses_are_taken(service: HttpService) -> None:
    """What is to be gone may be gone already."""
    service.tell(Told(404))

    assert {} == send(template(service, method="DELETE", body="", expect=(204, 404)))


def test_another_request_than_the_approved_one_is_not_sent(service: HttpService) -> None:
    """Whoever said yes said it to what engine.yaml held then."""
    approved = template(service)
    changed = replace(approved, method="DELETE")

    with pytest.raises(Conflict, match="is another one now than the one that was approved; nothing was sent"):
        serve(changed).writer.send("drain-pool", POOL, digest=approved.digest, token="t")

    assert [] == service.asked


@pytest.mark.parametrize("value", ["", ".", "..", "../../admin", "a/../b", "..\\admin", "%2e%2e/admin", "..;/admin"])
def test_a_parameter_that_would_change_the_address_is_not_sent(value: str, service: HttpService) -> None:
    """No part of the path may be empty, or lead up."""
    pinned = template(service)

    with pytest.raises(Permanent, match="would make it another address"):
        serve(pinned).writer.send("drain-pool", {**POOL, "pool": value}, digest=pinned.digest, token="t")

    assert [] == service.asked


@pytest.mark.parametrize("secret", ["", "a\r\nX-Admin: yes", "schlüssel"])
def test_a_secret_that_no_header_holds_is_not_sent(secret: str, service: HttpService) -> None:
    """A secret with a line break would be a second header."""
    with pytest.raises(Permanent, match="the secret of the header Authorization is empty, or holds what no header"):
        send(template(service), secret)

    assert [] == service.asked


def test_nothing_goes_to_an_address_of_the_link(service: HttpService, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a name resolves to: the connection itself is looked at before anything is sent over it."""
    monkeypatch.setattr("runbook_adapters.http.guarded.why_refused", lambda address: why_refused("169.254.169.254"))
    sentence = "request drain-pool was not sent: it leads to 169.254.169.254, where machines tell their own credentials"

    with pytest.raises(Permanent) as raised:
        send(template(service))

    assert sentence == str(raised.value)
    assert [] == service.asked


@pytest.mark.parametrize(
    ("address", "refused"),
    [
        pytest.param("169.254.169.254", True, id="the metadata service"),
        pytest.param("::ffff:169.254.169.254", True, id="the same, written as IPv6"),
        pytest.param("fe80::1%eth0", True, id="of the link"),
        pytest.param("fd00:ec2::254", True, id="the metadata service over IPv6"),
        pytest.param("fd00:ec2::23", True, id="where pods of EKS get credentials over IPv6"),
        pytest.param("fd20:ce::254", True, id="the metadata service of Google Cloud over IPv6"),
        pytest.param("100.100.100.200", True, id="the metadata service of Alibaba Cloud"),
        pytest.param("64:ff9b::a9fe:a9fe", True, id="the metadata service through NAT64"),
        pytest.param("2002:a9fe:a9fe::1", True, id="the metadata service through 6to4"),
        pytest.param("64:ff9b::cb00:7109", False, id="a public one through NAT64"),
        pytest.param("224.0.0.1", True, id="many machines"),
        pytest.param("0.0.0.0", True, id="no machine"),
        pytest.param("127.0.0.1", False, id="this machine"),
        pytest.param("10.0.0.7", False, id="a private one"),
        pytest.param("203.0.113.9", False, id="a public one"),
    ],
)
def test_some_addresses_are_refused(address: str, refused: bool) -> None:
    """Those at which machines tell their own credentials, however they are written, and those that are no machine."""
    assert refused == bool(why_refused(address))


STATUS = StatusRequest(
    url="{}/v1/jobs/{{{{ answer.id }}}}", pointer="/job/state", done=("finished",), failed=("broken",), id="/job/id"
)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(b'{"job": {"state": "finished"}}', RequestState(status="done", reason="finished"), id="done"),
        pytest.param(b'{"job": {"state": "broken"}}', RequestState(status="failed", reason="broken"), id="failed"),
        pytest.param(b'{"job": {"state": "queued"}}', RequestState(status="running", reason="queued"), id="under way"),
    ],
)
def test_what_became_of_it_is_asked_by_its_id(answer: bytes, expected: RequestState, service: HttpService) -> None:
    """The id comes from the answer to the request, and the status from where the pointer leads."""
    pinned = template(service, status=replace(STATUS, url=STATUS.url.format(service.url)))
    served = serve(pinned)
    service.tell(Told(202, b'{"job": {"id": "j/1"}}'), Told(200, answer))

    receipt = served.writer.send("drain-pool", POOL, digest=pinned.digest, token="t")
    state = served.reader.state("drain-pool", POOL, receipt["id"])

    assert expected == state
    assert ("GET", "/v1/jobs/j%2F1") == (service.asked[1].method, service.asked[1].path)
    assert "Bearer s3cret" == service.asked[1].headers["Authorization"]


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(Told(503), id="an error"),
        pytest.param(Told(200, b"no JSON"), id="no JSON"),
        pytest.param(Told(200, b"[" * 100_000), id="JSON without end"),
        pytest.param(Told(200, b'{"job": {}}'), id="nothing there"),
        pytest.param(Told(200, b'{"job": {"state": ["finished"]}}'), id="no word"),
        pytest.param(Told(0), id="no answer"),
    ],
)
def test_what_cannot_be_read_is_no_state(told: Told, service: HttpService) -> None:
    """Nobody guesses that it is done."""
    pinned = template(service, status=replace(STATUS, url=STATUS.url.format(service.url)))
    service.tell(told)

    with pytest.raises(Unreadable, match="what became of request drain-pool cannot be read: "):
        serve(pinned).reader.state("drain-pool", POOL, "j-1")


@pytest.mark.parametrize("body", [b"{}", b'{"job": {"id": ".."}}'], ids=["none", "one that leads up"])
def test_an_answer_without_the_id_leaves_it_unknown(body: bytes, service: HttpService) -> None:
    """It was taken, and nobody can ask what became of it."""
    service.tell(Told(202, body))
    pinned = template(service, status=replace(STATUS, url=STATUS.url.format(service.url)))

    with pytest.raises(EffectUnknown) as raised:
        send(pinned)

    said = "request drain-pool was taken, and nobody can ask what became of it: HTTP 202 without /job/id"
    assert said == str(raised.value)


def test_adapter_serves_requests_and_nothing_else(service: HttpService) -> None:
    """Named for another port, it says what it serves."""
    context = AdapterContext(
        clock=SimulatedClock(NOW), configuration=Configuration(), base=Path(), state=Path(), secret=lambda _: ""
    )

    with pytest.raises(NoAdapter, match="http does not serve flags"):
        ADAPTER.build("flags", HttpSettings(), context)
    assert "engine.yaml pins no request" == ADAPTER.build("requests", HttpSettings(), context).probe()  # type: ignore[misc]


def test_probe_says_that_a_secret_is_missing_and_sends_nothing(service: HttpService) -> None:
    """What doctor asks: whether a request could be sent, without sending one."""
    well, ill = serve(template(service)), serve(template(service), secret="")
    assert well.probe is not None
    assert ill.probe is not None

    with pytest.raises(Unreadable) as raised:
        ill.probe()

    assert "knows the pinned requests: 1" == well.probe()
    sentence = "request drain-pool: the secret of the header Authorization is empty, or holds what no header can hold"
    assert (sentence, []) == (str(raised.value), service.asked)
