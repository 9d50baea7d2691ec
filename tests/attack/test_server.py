"""The real server under attack: raw bytes on its socket, by path, by framing, by body and by patience."""

from __future__ import annotations

import gzip
import json
import re
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.attack.siege import Siege
from tests.e2e.runner import Runner
from tests.lab import CONFIG, PATIENCE, SECRETS, TOKENS, install, wait_until, webhook
from tests.length import LONG

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.xdist_group("attack-server")]  # one runner for all

SENDER, READER = SECRETS["SENDER_OLD"], SECRETS["READER"]
WEB = "web: {proxy: {header: X-Forwarded-User, from: [10.0.0.0/8]}, people: {ben: [read, operate]}}\n"
POST = f"POST /hooks/lab HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SENDER}\r\nContent-Type: application/json\r\n"
SECOND = b"POST /hooks/lab HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\nContent-Length: %d\r\n\r\n%b"
STATUS = re.compile(rb"^HTTP/1\.[01] (\d{3})", re.MULTILINE)
MOST_MEMORY = 160 * 1024  # KiB that a web process may grow by: eight copies of the largest body that is taken
SENDERS = 600 if LONG else 150
AT_ONCE = 3.0  # seconds until an honest sender is answered: were it to wait for the others, it would be ten


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """One runner as it is by default: ten seconds for a body of at most 6 MiB."""
    started = Runner(install(tmp_path_factory.mktemp("besieged"), config=CONFIG + TOKENS + WEB), grace="1")
    try:
        yield started.wait_for_start()
    finally:
        started.stop()


def say(runner: Runner, raw: bytes) -> bytes:
    """Say exactly this and no more; return all that is answered."""
    host, _, port = runner.address.removeprefix("http://").rpartition(":")
    heard = b""
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as connection, suppress(ConnectionError):
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        while part := connection.recv(65536):
            heard += part
    return heard


def statuses(heard: bytes) -> list[int]:
    """Return the status of every answer."""
    return [int(each) for each in STATUS.findall(heard)]


def opened(runner: Runner) -> set[str]:
    """Return the targets of everything that was ever opened."""
    wait_until(lambda: "runbook_inbox_deliveries 0.0" in runner.ask("GET", "/metrics")[1], "all is decided")
    return {each["target"] for each in runner.ask("GET", "/api/executions?limit=500", token=READER)[1]["executions"]}


def bent(path: str) -> Iterator[str]:
    """Yield a path as it is written by those who hope that somebody reads it otherwise."""
    encoded = "".join(f"%{ord(each):02x}" for each in path[1:])
    yield from (
        path,
        f"/{path}",
        f"//x{path}",
        f"/.{path}",
        f"/%2e{path}",
        f"/healthz/..{path}",
        f"/assets/../..{path}",
    )
    yield from (f"/healthz/%2e%2e{path}", f"/healthz%2f..{path}", f"/healthz;{path}", f"/healthz%00{path}")
    yield from (
        path.upper(),
        path.title(),
        f"{path}/",
        f"{path}//",
        f"{path}/.",
        f"{path};a=b",
        f"{path}%20",
        f"{path}%00",
    )
    yield from (f"{path}.json", f"{path}?/healthz", f"{path}%3f", f"{path}#", f"/{encoded}", path.replace("/", "%2f"))
    yield from (path.replace("/", "\\"), path.replace("/", "//"), f"http://localhost{path}", f"http://x/healthz@{path}")
    yield from (f"{path}?_method=GET&token={READER}", f"{path}%ff", path.replace("i", "%c4%b1"), f"*{path}")


def test_no_way_to_write_a_path_leads_past_the_credential(runner: Runner) -> None:
    """Nor a method, nor a header that somebody before us might have written."""
    siege = Siege("path tricks, methods, Host and X-Forwarded headers", "gunicorn: API and web page")
    runner.ask("POST", "/hooks/lab", webhook("here"), token=SENDER)
    opened(runner)
    secret = "/lab/here"
    for path in ("/api/executions", "/api/pause", "/", "/executions", "/runbooks", "/do/pause", "/hooks/lab"):
        for written in bent(path):
            heard = say(runner, f"GET {written} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            siege.tried(f"GET {written}: {heard[:60]!r}", refused=_nothing_learned(heard, secret))
        for method in ("HEAD", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get", "POST", "PUT", "DELETE", "PATCH", "X"):
            more = "X-HTTP-Method-Override: GET\r\nX-Forwarded-For: 10.0.0.1\r\nX-Forwarded-User: ben\r\n"
            body = "Content-Length: 0\r\nX_Forwarded_User: ben\r\nConnection: close\r\n\r\n"
            heard = say(runner, f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{more}{body}".encode())
            siege.tried(f"{method} {path}: {heard[:60]!r}", refused=_nothing_learned(heard, secret))

    assert secret in opened(runner)
    siege.ends("401, 404, 405, 400 or the form to sign in")


def _nothing_learned(heard: bytes, secret: str) -> bool:
    head, _, body = heard.partition(b"\r\n\r\n")
    found = statuses(heard)
    led = found == [303] and b"Location: /sign-in" in head
    only_health = found == [200] and body.startswith(b'{"status":"ok"')
    only_methods = found == [200] and b"\r\nAllow: " in head and not body
    return secret.encode() not in heard and (led or only_health or only_methods or all(each >= 400 for each in found))


def framings(body: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield requests whose end two servers would find in two places; behind each follows another request."""
    size = len(body)
    chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (size, body)
    for name, headers, sent in (
        ("a length and chunks", f"Content-Length: {size}\r\nTransfer-Encoding: chunked\r\n", chunked),
        ("chunks and a length", "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", chunked),
        ("two lengths", f"Content-Length: {size}\r\nContent-Length: 0\r\n", body),
        ("two lengths in one", f"Content-Length: {size}, 0\r\n", body),
        ("a length with a sign", f"Content-Length: +{size}\r\n", body),
        ("a length below nothing", "Content-Length: -1\r\n", body),
        ("a length in hex", f"Content-Length: {size:#x}\r\n", body),
        ("a length with a line", f"Content-Length: {size}_0\r\n", body),
        ("a length in other digits", "Content-Length: \u0661\r\n", body),
        ("an unknown coding", "Transfer-Encoding: xchunked\r\n", chunked),
        ("a space before the colon", "Transfer-Encoding : chunked\r\n", chunked),
        ("a tab in the coding", "Transfer-Encoding: \x0bchunked\r\n", chunked),
        ("chunks twice", "Transfer-Encoding: chunked, chunked\r\n", chunked),
        ("chunks in two headers", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", chunked),
        ("chunks, and then the whole", "Transfer-Encoding: chunked, identity\r\n", chunked),
        ("a folded header", "Transfer-Encoding:\r\n chunked\r\n", chunked),
        ("underscores", f"Content_Length: {size}\r\nTransfer_Encoding: chunked\r\n", body),
        ("a header without a name", f": x\r\nContent-Length: {size}, 1\r\n", body),
        ("a bare return in a header", f"X: a\rContent-Length: 0\r\nContent-Length: {size}\r\n", body),
        ("a nothing in a header", f"X: a\0b\r\nContent-Length: {size}\r\n", body),
        ("a chunk in hex with a sign", "Transfer-Encoding: chunked\r\n", b"+" + chunked),
        ("a chunk with a prefix", "Transfer-Encoding: chunked\r\n", b"0x" + chunked),
        ("a chunk below nothing", "Transfer-Encoding: chunked\r\n", b"-1\r\n" + chunked),
        ("a chunk beyond all memory", "Transfer-Encoding: chunked\r\n", b"f" * 400 + b"\r\n" + body),
        ("a chunk that is longer than it says", "Transfer-Encoding: chunked\r\n", b"1\r\n" + body + b"\r\n0\r\n\r\n"),
        ("chunks without an end", "Transfer-Encoding: chunked\r\n", b"%x\r\n%b\r\n" % (size, body)),
    ):
        yield name, (POST + headers).encode("latin-1", "replace") + b"\r\n" + sent


def test_no_framing_smuggles_a_second_request(runner: Runner) -> None:
    """One answer, a refusal, and the end of the connection; of neither request does anything come."""
    siege = Siege("request smuggling (lengths, codings, chunks, headers)", "gunicorn")
    second = SECOND % (SENDER.encode(), len(webhook("smuggled")), webhook("smuggled"))

    for name, raw in framings(webhook("first")):
        heard = say(runner, raw + second)
        found = statuses(heard)
        refused = len(found) <= 1 and all(400 <= each < 500 or each == 501 for each in found)
        siege.tried(f"{name}: {found} {heard[-200:]!r}", refused=refused)

    siege.tried("a smuggled request", refused=not {"/lab/smuggled", "/lab/first"} & opened(runner))
    siege.ends("one 400 and the end of the connection")


def malformed() -> Iterator[tuple[str, Mapping[str, str], bytes, int]]:
    """Yield bodies: name, headers, bytes, and the length that is told (-1 = the true one)."""
    good = webhook("malformed")
    bomb = gzip.compress(bytes(64 * 1024 * 1024), 9)
    yield "a gzip bomb", {"Content-Encoding": "gzip"}, bomb, -1
    yield "a gzip bomb of JSON", {"Content-Encoding": "gzip"}, gzip.compress(b'{"alerts":[' + b" " * 50_000_000), -1
    yield "gzip in gzip", {"Content-Encoding": "gzip, gzip"}, gzip.compress(gzip.compress(good)), -1
    yield "half a gzip", {"Content-Encoding": "gzip"}, gzip.compress(good)[:-9], -1
    yield "gzip with rubbish behind it", {"Content-Encoding": "gzip"}, gzip.compress(good) + b"x" * 99, -1
    yield "no gzip", {"Content-Encoding": "gzip"}, good, -1
    yield "an unknown coding", {"Content-Encoding": "br"}, good, -1
    yield "a coding for bytes", {"Content-Encoding": "zstd"}, good, -1
    yield "lists in lists", {}, b"[" * 400_000 + b"]" * 400_000, -1
    yield "objects in objects", {}, b'{"a":' * 400_000, -1
    yield "a number of a million digits", {}, b'{"alerts":[{"labels":{"a":' + b"9" * 1_000_000 + b"}}]}", -1
    yield "a key twice", {}, b'{"alerts":[],' + good[1:], -1
    yield "a number that is none", {}, b'{"alerts":NaN}', -1
    yield "no UTF-8", {}, good.replace(b"malformed", b"\xff\xfe\xc0\x80"), -1
    yield "half a character", {}, good.replace(b"malformed", b"\\ud800"), -1
    yield "UTF-16", {}, good.decode().encode("utf-16"), -1
    yield "marks of byte order", {}, b"\xef\xbb\xbf" * 2 + good, -1
    yield "two documents", {}, good + good, -1
    yield "a document and a half", {}, good + b"{", -1
    yield "nothing", {}, b"", -1
    yield "null", {}, b"null", -1
    yield "text", {}, b'"alerts"', -1
    yield "a form", {"Content-Type": "application/x-www-form-urlencoded"}, b"alerts=1", -1
    yield "too many alerts", {}, b'{"alerts":[' + b",".join([good[12:-2]] * 10_001) + b"]}", -1
    yield "a label of a megabyte", {}, webhook("x" * 1_000_000), -1
    yield (
        "a hundred thousand labels",
        {},
        json.dumps(
            {"alerts": [{"status": "firing", "labels": {"alertname": "Hot", **{f"l{n}": "x" for n in range(100_000)}}}]}
        ).encode(),
        -1,
    )
    yield "more than it says", {}, good, len(good) // 2
    yield "less than it says", {}, good, len(good) * 2
    yield "ten gigabytes, it says", {}, good, 10_000_000_000
    yield "more than is taken", {}, b" " * (6 * 1024 * 1024 + 1), -1


def test_no_body_is_half_believed_or_exhausts_the_server(runner: Runner) -> None:
    """Refused whole, with a bounded memory, and the next honest sender is answered."""
    siege = Siege("oversized, malformed and lying bodies", "gunicorn: webhook")
    before = _memory(runner)

    for name, headers, body, told in malformed():
        given = {"Content-Type": "application/json", **headers, "Content-Length": str(len(body) if told < 0 else told)}
        lines = "".join(f"{key}: {value}\r\n" for key, value in given.items())
        head = f"POST /hooks/lab HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SENDER}\r\n{lines}\r\n"
        found = statuses(say(runner, head.encode() + body))
        siege.tried(f"{name}: {found}", refused=all(400 <= each < 500 for each in found[:1]) and len(found) <= 2)
    grown = _memory(runner) - before

    assert 202 == runner.ask("POST", "/hooks/lab", webhook(name="Nobody"), token=SENDER)[0]
    siege.tried("something of it was opened", refused=not [each for each in opened(runner) if "malformed" in each])
    siege.tried(f"the memory of the server: {grown} KiB more", refused=grown < MOST_MEMORY)
    siege.ends("400 or 413; the web process stays as large as it was, give or take 160 MiB")


def _memory(runner: Runner) -> int:
    """Return the most memory that a process of the web server ever had, in KiB."""
    most = 0
    for pid in (int(line.split()[0]) for line in runner.left() if "web_process" in line):
        with suppress(OSError):
            found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
            most = max(most, int(found[1]) if found else 0)
    return most


HALF = {
    "a body that never ends": (POST + "Content-Length: 5000\r\n\r\n{").encode(),
    "headers that never end": b"POST /hooks/lab HTTP/1.1\r\nHost: x\r\nX-So",
    "nothing at all": b"",
}


def test_honest_webhook_is_answered_when_hundreds_send_half_a_request(runner: Runner) -> None:
    """Whoever is waited for longest is let go as soon as somebody else waits for a thread."""
    siege = Siege("half-sent requests, hundreds at once (slowloris)", "gunicorn")
    host, _, port = runner.address.removeprefix("http://").rpartition(":")

    for name, half in HALF.items():
        for _ in range(3):  # a busy machine may be late for once
            with ExitStack() as held:
                for _ in range(SENDERS):
                    held.enter_context(socket.create_connection((host, int(port)), timeout=PATIENCE)).sendall(half)
                began = time.monotonic()
                status = runner.ask("POST", "/hooks/lab", webhook(name="Nobody"), token=SENDER)[0]
                took = time.monotonic() - began
            if took < AT_ONCE:
                break
        for _ in range(SENDERS):
            siege.tried(f"{name}: {status} after {took:.1f} s", refused=(status, took < AT_ONCE) == (202, True))

    siege.ends(f"let go once others wait; an honest webhook meanwhile has its 202 within {AT_ONCE:g} s")
