"""`runbook serve`: the local runner. Checks everything first, then keeps a web and a worker process running."""

from __future__ import annotations

import argparse
import errno
import os
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from importlib.util import find_spec
from types import FrameType
from urllib.parse import urlsplit

from runbook_engine.entrypoints.bell import hung_bell
from runbook_engine.entrypoints.clock import SystemClock
from runbook_engine.entrypoints.composition import build_engine, build_pause, load_bundle_of
from runbook_engine.entrypoints.credentials import demand_credentials, is_loopback, load_keyring
from runbook_engine.entrypoints.launch import Launch, write_launch
from runbook_engine.entrypoints.links import links_of
from runbook_engine.entrypoints.lock import hold_lock
from runbook_engine.entrypoints.logs import EventLog
from runbook_engine.entrypoints.pulse import Pulse
from runbook_engine.entrypoints.session_key import write_session_key
from runbook_engine.entrypoints.settings import InvalidSettings, Settings, read_settings
from runbook_engine.entrypoints.supervisor import Child, Errand, stop_all, supervise
from runbook_engine.errors import Overloaded, RunbookError, Unreadable
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.configuration import Configuration
from runbook_engine.registry import Registry

HOST, PORT = "127.0.0.1", 8930
GRACE = 10.0  # seconds
READ_LIMIT = 10.0  # seconds
ADDRESS_LIMIT = 5.0  # seconds: the processes of a runner that was killed hold its address until they notice
START_LIMIT = 60.0  # seconds until the first answer; a machine in trouble is when it is started
HANG_LIMIT = 60.0  # seconds without a heartbeat until a worker that lives is killed and started again
OK, WRONG, FAILED = 0, 2, 3
NEEDS = ("flask", "gunicorn", "prometheus_client")
PYTHON = (sys.executable, "-P", "-m")  # -P: nothing is imported from the folder that it happens to be started in


def serve(
    settings: Settings,
    *,
    host: str = HOST,
    port: int = PORT,
    web_workers: int = 1,
    web_threads: int = 64,  # a connection that says nothing holds one until it is cut
    grace: float = GRACE,
    read_limit: float = READ_LIMIT,
    hang_limit: float = HANG_LIMIT,
    started: Callable[[str, str], None] = lambda address, page: None,
) -> int:
    """Run until SIGTERM or SIGINT; return the exit code. `started` hears the address once it answers, and the page's.

    Raises what is wrong with runbooks, settings, credentials or the journal before anything is started.
    """
    log = EventLog(process="supervisor", pid=os.getpid())
    bundle = check(settings, host)
    with hold_lock(settings.state), _listening(host, port, read_limit) as listening, hung_bell() as bell:
        launch = Launch(
            runbooks=str(settings.runbooks.absolute()),
            config=str(settings.config.absolute()) if settings.config is not None else "",
            state=str(settings.state),
            parent=os.getpid(),
            descriptor=listening.fileno(),
            bell=bell,
            host=host,
            web_workers=web_workers,
            web_threads=web_threads,
            grace=grace,
            read_limit=read_limit,
            has_page=bundle.configuration.web.enabled,
        )
        write_launch(launch, bundle)
        write_session_key(launch.folder)
        address = _address(listening)
        if load_keyring(bundle.configuration, settings.keeping(bundle.configuration).secret).is_open:
            log.event("serve.open", "warning", says="no tokens are configured: every process of this machine may act")
        children = _children(launch, settings, log, Pulse(launch.beat_file, hang_limit))
        return _run(launch, children, _tester(launch, settings), address, log, started)


def check(settings: Settings, host: str) -> Bundle:
    """Return the bundle, once everything that can be wrong before a start was looked at."""
    _demand_packages()
    registry, clock = Registry(), SystemClock()
    bundle = load_bundle_of(settings, registry)
    demand_credentials(bundle.configuration, host)
    _demand_tokens_before_strangers(bundle.configuration)
    load_keyring(bundle.configuration, settings.keeping(bundle.configuration).secret)
    if (links := links_of(bundle.configuration, settings)) is not None:
        links()
    build_pause(bundle.configuration, settings, registry, clock)
    build_engine(settings, registry=registry, clock=clock, bundle=bundle).journal.counts()
    return bundle


def _demand_tokens_before_strangers(configuration: Configuration) -> None:
    """Raise InvalidSettings when others are led to pages of the runner, and nobody is asked who they are."""
    approvals, page = configuration.approvals, configuration.web.url
    for url in (approvals.url if approvals is not None else "", page):
        if url and not configuration.tokens and not is_loopback(urlsplit(url).hostname or ""):
            raise InvalidSettings(
                f"refusing to serve {url} without tokens: whoever reaches the pages through a proxy may reach the rest "
                "of the server too, and without tokens everybody may act (name tokens in engine.yaml)"
            )


def _demand_packages() -> None:
    missing = [name for name in NEEDS if find_spec(name) is None]
    if missing:
        raise InvalidSettings(
            f"runbook serve needs {', '.join(missing)} (install it with: pip install 'runbook-engine[server]')"
        )


def _run(
    launch: Launch,
    children: tuple[Child, Child],
    tester: Errand,
    address: str,
    log: EventLog,
    started: Callable[[str, str], None],
) -> int:
    web, worker = children
    with _stop_signals() as stopping:
        try:
            web.start()
            worker.start()
            if not _answers(launch, address, web, stopping):
                if stopping():
                    return OK
                log.event("serve.failed", "error", says="the web process did not come up; see the lines above")
                return FAILED
            page = f"{address}/" if launch.has_page else ""
            log.event("serve.started", address=address, page=page)
            started(address, page)
            if launch.has_page:  # it alone shows what becomes of them
                tester.start()
            supervise(children, stopping, grace=launch.grace + 2)
            log.event("serve.stopped")
            return OK
        finally:
            tester.end()
            stop_all(children, launch.grace + 2)


def _tester(launch: Launch, settings: Settings) -> Errand:
    command = (*PYTHON, "runbook_engine.entrypoints.test_process", str(launch.file))
    return Errand(command, {**settings.environment, "PYTHONUNBUFFERED": "1"})


def _children(launch: Launch, settings: Settings, log: EventLog, pulse: Pulse) -> tuple[Child, Child]:
    environment = {
        **settings.environment,
        "PROMETHEUS_MULTIPROC_DIR": str(launch.metrics_folder),
        "PYTHONUNBUFFERED": "1",
    }
    for name in ("LISTEN_FDS", "LISTEN_PID", "GUNICORN_FD", "GUNICORN_PID", "GUNICORN_CMD_ARGS"):
        environment.pop(name, None)  # gunicorn obeys these, and they are not meant for it
    file = str(launch.file)
    web = (*PYTHON, "runbook_engine.entrypoints.web_process", file)
    worker = (*PYTHON, "runbook_engine.entrypoints.worker_process", file)
    return (
        Child("web", web, environment, (launch.descriptor, launch.bell.rings), log),
        Child("worker", worker, environment, (launch.bell.hears,), log, pulse),
    )


def _answers(launch: Launch, address: str, web: Child, stopping: Callable[[], bool]) -> bool:
    """Whether the web process answers in time; it is not started twice, since its first words say what is wrong."""
    host, _, port = address.removeprefix("http://").rpartition(":")
    limit = time.monotonic() + START_LIMIT
    while time.monotonic() < limit and not stopping():
        if web.process is None or web.process.poll() is not None:
            return False
        connection = HTTPConnection(host.strip("[]"), int(port), timeout=1)
        try:
            connection.request("GET", "/healthz")
            if connection.getresponse().status == 200:
                return True
        except (OSError, HTTPException):
            pass
        finally:
            connection.close()
        time.sleep(0.05)
    return False


@contextmanager
def _stop_signals() -> Iterator[Callable[[], bool]]:
    """Yield a question: was this process asked to stop? Puts the old handlers back."""
    heard: list[int] = []

    def hear(number: int, frame: FrameType | None) -> None:
        heard.append(number)

    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = {number: signal.signal(number, hear) for number in numbers}
    try:
        yield lambda: bool(heard)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _listening(host: str, port: int, patience: float) -> Iterator[socket.socket]:
    """Yield the listening socket: held by the supervisor, so a restart of the web process refuses nobody.

    Accepted connections inherit its time limit, so one that falls silent in its headers loses its thread.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        seconds = int(patience)
        silence = struct.pack("ll", seconds, int((patience - seconds) * 1_000_000))
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, silence)
        try:
            _bind(listening, (host.strip("[]"), port))
            listening.listen(2048)
        except OSError as error:
            raise InvalidSettings(
                f"cannot listen on {host}:{port}: {error.strerror} (choose another with --host and --port)"
            ) from error
        yield listening


def _bind(listening: socket.socket, address: tuple[str, int]) -> None:
    """Bind the socket, waiting a moment for an address that is in use. Raises OSError."""
    limit = time.monotonic() + ADDRESS_LIMIT
    while True:
        try:
            return listening.bind(address)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > limit:
                raise
        time.sleep(0.1)


def _address(listening: socket.socket) -> str:
    """Return where this machine reaches the socket."""
    host, port = listening.getsockname()[:2]
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


def main(arguments: list[str] | None = None) -> int:
    """Serve, from the command line; the lines on standard error are JSON, one event each."""
    parser = argparse.ArgumentParser(prog="runbook serve", description="The local runner.")
    parser.add_argument("--runbooks")
    parser.add_argument("--config")
    parser.add_argument("--state")
    parser.add_argument("--host", default=HOST)
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--grace", type=float, default=GRACE)
    parser.add_argument("--read-limit", type=float, default=READ_LIMIT)
    parser.add_argument("--hang-limit", type=float, default=HANG_LIMIT)
    given = parser.parse_args(arguments)
    try:
        settings = read_settings(runbooks=given.runbooks, config=given.config, state=given.state)
        return serve(
            settings,
            host=given.host,
            port=given.port,
            grace=given.grace,
            read_limit=given.read_limit,
            hang_limit=given.hang_limit,
        )
    except RunbookError as error:
        sys.stderr.write(f"{error}\n")
        return FAILED if isinstance(error, Overloaded | Unreadable) else WRONG


if __name__ == "__main__":
    sys.exit(main())
