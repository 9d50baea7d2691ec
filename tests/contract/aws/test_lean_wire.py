"""The wire of the lean client: whom it trusts, what it keeps open, how far a failed request got, and what ends it."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain, repeat
from pathlib import Path
from types import SimpleNamespace

import pytest

from runbook_adapters import timing
from runbook_adapters.aws import clients
from runbook_adapters.aws.clients import AwsSettings, Clients, Sessions
from runbook_adapters.aws.lean.wire import trust_of
from runbook_adapters.aws.problems import looking, touching
from runbook_engine.errors import EffectUnknown, Permanent, Retryable, Unreadable
from tests.contract.aws.account import ENDPOINT, KEYS, REGION, of_aws
from tests.contract.http_service import Asked, Told, http_service

SECRET = "wJalrXUtnFEMI-hush"  # that of the process; it is nowhere to be seen
MEBIBYTE = 1024 * 1024
PIECE = b" " * 65536
HEAD = b"HTTP/1.1 200 OK\r\n"
DROPS = 6000  # of which each takes its time: for all of them a minute
A_WHILE = 30.0  # seconds: far more than a limit of a tenth, on a busy machine too, and far less than all the drops


def new_clients(url: str, **more: str) -> Clients:
    """Return the clients of a new process that asks an address."""
    environment = {**KEYS, "AWS_SECRET_ACCESS_KEY": SECRET, "HOME": "/nonexistent", ENDPOINT: url, **more}
    return Clients(AwsSettings(region=REGION), Sessions(environment=environment))


def put(url: str, **more: str) -> None:
    """Write a parameter at an address, as a new process does."""
    client = new_clients(url, **more).touching("ssm")
    with touching("setting /a"):
        client.put_parameter(Name="/a", Value="b")


class Listener:
    """A socket of the loopback interface that answers over TLS, piece by piece, or not at all."""

    def __init__(
        self, context: ssl.SSLContext | None, answer: bytes | Iterable[bytes], pause: float = 0.0, times: int = 1
    ) -> None:
        self._context = context
        self._answer = [answer] if isinstance(answer, bytes) else answer
        self._pause = pause
        self.sent = 0
        self.asked = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, args=(times,))
        self._thread.start()

    def _serve(self, times: int) -> None:
        for _ in range(times):
            accepted, _ = self._socket.accept()
            try:
                with self._context.wrap_socket(accepted, server_side=True) if self._context else accepted as spoken:
                    self._speak(spoken)
            except OSError:
                accepted.close()

    def _speak(self, spoken: socket.socket) -> None:
        asked = b""
        while not asked.endswith(b"}"):  # the body comes after the headers
            asked += spoken.recv(65536)
        self.asked += 1
        for piece in self._answer:
            spoken.sendall(piece)
            self.sent += len(piece)
            time.sleep(self._pause)

    def close(self) -> None:
        """Stop listening."""
        self._thread.join()
        self._socket.close()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a certificate for the loopback address, which nobody vouches for but itself."""
    folder = tmp_path_factory.mktemp("tls")
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=nobody", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", "server.key", "-out", "server.crt"]
    subprocess.run(["openssl", "req", "-x509", *curve, *names, *files], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def secure(authority: Path) -> Iterator[int]:
    """The port of a server with that certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "server.crt", authority / "server.key")
    listener = Listener(context, HEAD + b"x-amzn-RequestId: R1\r\nContent-Length: 2\r\n\r\n{}")
    yield listener.port
    listener.close()


def test_server_is_trusted_when_the_environment_names_its_authority(secure: int, authority: Path) -> None:
    """As boto3 takes AWS_CA_BUNDLE."""
    put(f"https://127.0.0.1:{secure}", AWS_CA_BUNDLE=str(authority / "server.crt"))


def test_nothing_is_sent_when_the_server_is_not_trusted(secure: int) -> None:
    """Surely not done, and asking again is in vain."""
    with pytest.raises(Permanent) as caught:
        put(f"https://127.0.0.1:{secure}")

    assert str(caught.value).startswith(f"setting /a: SSL validation failed for https://127.0.0.1:{secure}/ ")
    assert "CERTIFICATE_VERIFY_FAILED" in str(caught.value)


def test_nothing_is_sent_when_the_certificate_is_another_s(authority: Path, secure: int) -> None:
    """An authority that is trusted vouches for its names only."""
    context = trust_of({"AWS_CA_BUNDLE": str(authority / "server.crt")})

    assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)
    with socket.create_connection(("127.0.0.1", secure)) as plain, pytest.raises(ssl.SSLCertVerificationError):
        context.wrap_socket(plain, server_hostname="dynamodb.eu-west-1.amazonaws.com")


def test_public_authorities_are_trusted_when_none_is_named() -> None:
    """Those of certifi, or those that botocore brings."""
    assert len(trust_of({}).get_ca_certs()) > 50


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="no answer"),
        pytest.param(HEAD + b"Content-Length: 9\r\n\r\n{}", id="half an answer"),
        pytest.param(HEAD + b"Content-Length: 9999999999999\r\n\r\n{}", id="the beginning of ten terabytes"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", id="an answer without its last chunk"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFF\r\n{}", id="half a chunk"),
        pytest.param(b"SSH-2.0-OpenSSH_9\r\n", id="another protocol"),
    ],
)
def test_touching_is_in_doubt_when_the_answer_is_not_whole(answer: bytes) -> None:
    """It was sent; and nothing that is secret is in what is said of it."""
    listener = Listener(None, answer)

    with pytest.raises(EffectUnknown) as caught:
        put(f"http://127.0.0.1:{listener.port}", AWS_SESSION_TOKEN="token-hush")
    listener.close()

    chain = [caught.value, caught.value.__cause__, caught.value.__cause__.__cause__]  # type: ignore[union-attr]
    assert not any("hush" in f"{error!r} {error}" for error in chain)


def test_touching_is_surely_not_done_when_nobody_listens() -> None:
    """Nothing was sent."""
    with socket.socket() as taken:  # bound, so that nobody else listens there, and not listening
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(Retryable) as caught:
            put(f"http://127.0.0.1:{port}")

    assert str(caught.value) == f'setting /a: Could not connect to the endpoint URL: "http://127.0.0.1:{port}/"'


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> float:
    """The seconds that an answer may take, which are few here."""
    monkeypatch.setattr(clients, "READ_TIMEOUT", 0.1)
    return 0.1


def drip(beginning: bytes, drop: bytes = b" ") -> list[bytes]:
    """Return an answer that goes on for a minute, a drop at a time."""
    return [beginning, *repeat(drop, DROPS)]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(drip(HEAD + b"X-Name: "), id="a head that drips"),
        pytest.param(drip(HEAD, b"X: y\r\n"), id="a head whose headers drip"),
        pytest.param(drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), id="heads that are none yet"),
        pytest.param(drip(HEAD + b"Content-Length: 4096\r\n\r\n"), id="a body that drips"),
        pytest.param(drip(HEAD + b"Connection: close\r\n\r\n"), id="a body that drips until it is closed"),
        pytest.param(drip(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"), id="chunks that drip"),
        pytest.param(drip(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;"), id="a chunk whose size drips"),
        pytest.param(drip(HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n"), id="trailers that drip"),
    ],
)
def test_touching_is_in_doubt_when_the_answer_drips(answer: list[bytes], impatient: float) -> None:
    """The time limit is one for the whole answer, wherever in it the drops fall."""
    listener = Listener(None, answer, pause=0.01)

    began = time.monotonic()
    with pytest.raises(EffectUnknown) as caught:
        put(f"http://127.0.0.1:{listener.port}")
    took = time.monotonic() - began
    listener.close()

    url = f"http://127.0.0.1:{listener.port}/"
    assert str(caught.value) == f'setting /a: Read timeout on endpoint URL: "{url}": it may be done or not'
    assert impatient <= took < A_WHILE


def test_touching_is_in_doubt_when_the_answer_drips_over_tls(authority: Path, impatient: float) -> None:
    """As without it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "server.crt", authority / "server.key")
    listener = Listener(context, drip(HEAD + b"Content-Length: 4096\r\n\r\n"), pause=0.01)

    began = time.monotonic()
    with pytest.raises(EffectUnknown, match="Read timeout on endpoint URL"):
        put(f"https://127.0.0.1:{listener.port}", AWS_CA_BUNDLE=str(authority / "server.crt"))
    took = time.monotonic() - began
    listener.close()

    assert took < A_WHILE


def test_a_handshake_that_drips_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time limit of connecting is one for all of a handshake."""
    monkeypatch.setattr(clients, "CONNECT_TIMEOUT", 0.1)
    hello = b"\x16\x03\x03\x40\x00"  # the head of 16 KiB of handshake

    with socket.create_server(("127.0.0.1", 0)) as server:

        def speak() -> None:
            accepted, _ = server.accept()
            with accepted, suppress(OSError):  # nobody listens any more
                for byte in chain([hello], repeat(b"\0", DROPS)):
                    accepted.sendall(byte)
                    time.sleep(0.01)

        speaking = threading.Thread(target=speak)
        speaking.start()
        began = time.monotonic()
        with pytest.raises(EffectUnknown, match="Read timeout on endpoint URL"):
            put(f"https://127.0.0.1:{server.getsockname()[1]}")
        took = time.monotonic() - began
        speaking.join()

    assert took < A_WHILE


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        pytest.param(b"Connection: close\r\n\r\n", PIECE, id="a body until it is closed"),
        pytest.param(b"Content-Length: 9999999999999\r\n\r\n", PIECE, id="ten terabytes"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + PIECE + b"\r\n", id="chunk after chunk"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFF\r\n", PIECE, id="one huge chunk"),
    ],
)
def test_touching_is_in_doubt_when_the_answer_does_not_end(head: bytes, piece: bytes) -> None:
    """No more is taken in than the largest answer there is, and a little."""
    listener = Listener(None, chain([HEAD + head], repeat(piece, 48 * MEBIBYTE // len(piece))))

    with pytest.raises(EffectUnknown) as caught:
        put(f"http://127.0.0.1:{listener.port}")
    listener.close()

    said = f"Unable to parse the answer of http://127.0.0.1:{listener.port}/: it is larger than 20971520 bytes"
    assert str(caught.value) == f"setting /a: {said}: it may be done or not"
    assert listener.sent < 40 * MEBIBYTE  # with what was under way


@pytest.mark.parametrize(
    ("answer", "limit", "reason"),
    [
        pytest.param(drip(HEAD), 0.1, 'Read timeout on endpoint URL: "{url}"', id="drips"),
        pytest.param(
            [HEAD + b"\r\n", *repeat(PIECE, 768)],
            10.0,
            "Unable to parse the answer of {url}: it is larger than 20971520 bytes",
            id="does not end",
        ),
    ],
)
def test_looking_asks_again_and_is_unreadable_when_the_answer(
    answer: list[bytes], limit: float, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the connection breaks."""
    monkeypatch.setattr(clients, "READ_TIMEOUT", limit)
    monkeypatch.setitem(clients.ATTEMPTS, "looking", 2)
    listener = Listener(None, answer, pause=0.01 if limit < 1 else 0.0, times=2)
    url = f"http://127.0.0.1:{listener.port}"
    client = new_clients(url).looking("ssm")

    with pytest.raises(Unreadable) as caught, looking("/a"):
        client.get_parameter(Name="/a")
    listener.close()

    assert (str(caught.value), listener.asked) == (f"/a cannot be read: {reason.format(url=f'{url}/')}", 2)


def test_the_largest_answer_of_all_is_read() -> None:
    """DynamoDB tells sixteen mebibytes in one answer, and no service more."""
    body = b'{"Parameter": {"Value": "%s"}}' % (b"x" * 16 * MEBIBYTE)

    with http_service(lambda _asked: of_aws(body)) as running:
        found = new_clients(running.url).looking("ssm").get_parameter(Name="/a")

    assert len(found["Parameter"]["Value"]) == 16 * MEBIBYTE


def test_a_kept_connection_has_the_whole_time_for_each_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one answer took is not taken from the next one."""
    monkeypatch.setattr(clients, "READ_TIMEOUT", 60.0)
    monkeypatch.setattr(timing, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + passed[0]))
    seen, passed = set[str](), [0.0]

    def answer(asked: Asked) -> Told:
        seen.add(threading.current_thread().name)
        passed[0] += 33.0
        return of_aws(b'{"Version": 1}')

    with http_service(answer) as running:
        client = new_clients(running.url).touching("ssm")
        versions = [client.put_parameter(Name="/a", Value="b")["Version"] for _ in range(3)]

    assert (versions, len(seen)) == ([1, 1, 1], 1)


def test_redirects_are_not_followed() -> None:
    """What is signed for one place is not carried to another."""
    with http_service(lambda _asked: Told(307, b"", (("Location", "http://127.0.0.1:1/"),))) as running:
        with pytest.raises(EffectUnknown) as caught:
            put(running.url)

        assert len(running.asked) == 1
    assert str(caught.value) == "setting /a: 307: Temporary Redirect: it may be done or not"


def test_one_connection_serves_those_who_look_and_those_who_touch() -> None:
    """A handshake of TLS costs more than a call."""
    seen: set[str] = set()

    def answer(asked: Asked) -> Told:
        seen.add(threading.current_thread().name)  # the server has one for each connection
        return of_aws(b'{"Parameter": {}}')

    with http_service(answer) as running:
        asking = new_clients(running.url)
        for _ in range(3):
            asking.looking("ssm").get_parameter(Name="/a")
            asking.touching("ssm").put_parameter(Name="/a", Value="b")

    assert len(seen) == 1


def test_boto3_is_not_loaded_when_the_lean_client_does() -> None:
    """In a process of its own, which reads, writes and publishes."""
    code = """
        import sys
        from runbook_adapters.aws.clients import AwsSettings, Clients, Sessions
        clients = Clients(AwsSettings(), Sessions())
        clients.touching("ssm").put_parameter(Name="/a", Value="b", Type="String")
        clients.looking("dynamodb").query(TableName="t")
        print(clients.touching("events").put_events(Entries=[])["FailedEntryCount"])
        print([name for name in ("boto3", "botocore") if name in sys.modules])
    """
    with http_service(lambda _asked: of_aws(b'{"FailedEntryCount": 0}')) as running:
        variables = {**KEYS, "AWS_DEFAULT_REGION": REGION, ENDPOINT: running.url, "HOME": "/nonexistent"}

        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False, env=variables
        )

    assert (done.returncode, done.stdout) == (0, "0\n[]\n"), done.stderr
