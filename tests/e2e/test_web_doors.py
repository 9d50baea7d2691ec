"""The web page behind the real gunicorn: live events, the end of a process that has listeners, and smuggled headers."""

from __future__ import annotations

import os
import signal
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse

import pytest

from tests.e2e.runner import Runner
from tests.lab import CONFIG, PATIENCE, SECRETS, TOKENS, install, wait_until, webhook

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.xdist_group("web-doors")]  # one runner for all of them

WEB = """\
web:
  proxy: {header: X-Forwarded-User, from: [127.0.0.1]}
  people: {ben: [read]}
"""


@contextmanager
def listening(runner: Runner) -> Iterator[HTTPResponse]:
    """Listen to changes, as somebody whom the proxy names."""
    connection = HTTPConnection(runner.address.removeprefix("http://"), timeout=PATIENCE)
    try:
        connection.request("GET", "/live", headers={"X-Forwarded-User": "ben"})
        yield connection.getresponse()
    finally:
        connection.close()


def next_event(answer: HTTPResponse) -> dict[str, str]:
    """Return the next event; what is said in between is passed over."""
    fields: dict[str, str] = {}
    while line := answer.readline().decode():
        if line == "\n" and "data" in fields:
            return fields
        if line != "\n" and not line.startswith(":"):
            name, _, value = line.rstrip("\n").partition(": ")
            fields[name] = value
    return fields


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """One runner with a long grace."""
    started = Runner(install(tmp_path_factory.mktemp("web"), config=CONFIG + TOKENS + WEB), grace="90")
    try:
        yield started.wait_for_start()
    finally:
        started.stop(signal.SIGKILL)


def test_a_session_outlives_the_process_that_began_it(runner: Runner) -> None:
    """It is nowhere but in the cookie, so it does not matter who answers, as long as it is one start of the runner."""
    host = runner.address.removeprefix("http://")
    form = {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"http://{host}"}
    taken = runner.ask("POST", "/sign-in", f"token={SECRETS['ANN']}".encode(), headers=form)
    cookie = {"Cookie": taken[2]["set-cookie"].partition(";")[0]}
    before = runner.ask("GET", "/", headers=cookie)[0]
    web = [event for event in runner.events("child.started") if event["child"] == "web"][-1]

    os.kill(web["child_pid"], signal.SIGKILL)
    wait_until(lambda: "web" in [event["child"] for event in runner.events("child.died")], "its death is noticed")
    after = runner.ask("GET", "/", headers=cookie)[0]

    assert (303, 200, 200) == (taken[0], before, after)
    assert [f"{runner.address}/"] == [event["page"] for event in runner.events("serve.started")]


@pytest.mark.parametrize(
    ("header", "status"),
    [
        pytest.param("X-Forwarded-User", 200, id="as the proxy writes it"),
        pytest.param("X_Forwarded_User", 303, id="with underscores"),
        pytest.param("X-Forwarded_User", 303, id="with one underscore"),
    ],
)
def test_a_header_that_is_only_like_the_proxys_names_nobody(header: str, status: int, runner: Runner) -> None:
    """To an application both would look alike, so the server drops them before."""
    assert status == runner.ask("GET", "/", headers={header: "ben"})[0]


def test_pages_hear_of_changes_and_nobody_waits_for_them_at_the_end(runner: Runner) -> None:
    """A runner with a long grace stops at once although somebody listens; its key is for its eyes only."""
    key = runner.state / "serve" / "session.key"
    own_key, rights = key.read_bytes(), stat.S_IMODE(key.stat().st_mode)

    with listening(runner) as answer, listening(runner) as other:
        stands = next_event(answer)
        runner.ask("POST", "/hooks/lab", webhook("live"), token=SECRETS["SENDER_OLD"])
        changed = next_event(answer)
        began = time.monotonic()
        runner.process.send_signal(signal.SIGTERM)
        rest = (answer.read(), other.read())
        let_go = time.monotonic() - began
    code = runner.stop()
    took = time.monotonic() - began

    assert (200, "changed", "changed") == (answer.status, stands["event"], changed["event"])
    assert stands["data"] != changed["data"]
    assert all(b"event: away" not in each for each in rest)
    assert let_go < 30
    assert (0, []) == (code, runner.left())
    assert took < 60
    assert not runner.events("child.killed")
    assert (0o600, 32) == (rights, len(own_key))
    assert own_key.hex() not in runner.log_file.read_text()
