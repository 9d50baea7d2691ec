"""The web process of `runbook serve`: our Flask application under gunicorn, on a socket that it inherits."""

from __future__ import annotations

import errno
import os
import sys
import threading
import time
from collections.abc import Mapping
from types import FrameType
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.workers.gthread import ThreadWorker

from runbook_engine.entrypoints import parent
from runbook_engine.entrypoints.clock import SystemClock
from runbook_engine.entrypoints.composition import build_engine, build_pause
from runbook_engine.entrypoints.credentials import load_keyring
from runbook_engine.entrypoints.crowd import Crowd
from runbook_engine.entrypoints.launch import Launch, read_launch
from runbook_engine.entrypoints.links import links_of
from runbook_engine.entrypoints.logs import EventLog
from runbook_engine.entrypoints.metrics import Metrics
from runbook_engine.entrypoints.server import create_app
from runbook_engine.entrypoints.server.web.routes import WebHost
from runbook_engine.entrypoints.session_key import read_session_key
from runbook_engine.entrypoints.tests_state import read_state
from runbook_engine.registry import Registry

GLANCE = 0.05  # seconds between looks at the line
SHORT = (errno.EMFILE, errno.ENFILE)
LOGGING: Mapping[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "runbook_engine.entrypoints.logs.JsonFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stderr"}},
    "root": {"level": "WARNING", "handlers": ["stderr"]},
    "loggers": {
        "gunicorn.error": {"level": "INFO", "handlers": ["stderr"], "propagate": False},
        "gunicorn.access": {"level": "WARNING", "handlers": [], "propagate": False},  # the server logs deliveries
    },
}


class WebWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn ships no types
    """A worker that says when it is asked to end: whoever listens to changes is let go at once, and not waited for.

    And one that does not let its threads be held by those who never say what they want.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._crowd = Crowd(self.cfg.threads)
        self._is_short = False  # of descriptors

    def accept(self, listener: Any) -> None:
        """Take a connection. One for which no descriptor is left waits where it is, and ends nobody's request."""
        try:
            super().accept(listener)
        except OSError as error:
            if error.errno not in SHORT:
                raise
            if not self._is_short:
                self.log.warning("no connection can be taken: %s (raise the limit: ulimit -n)", error.strerror)
            self._is_short = True
            time.sleep(GLANCE)  # it is still in line, and would be looked at again at once
        else:
            self._is_short = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin the graceful stop."""
        self.app.stopping.set()
        super().handle_exit(sig, frame)

    def enqueue_req(self, conn: Any) -> None:
        """Put a request in line for a thread."""
        self._crowd.joins()
        super().enqueue_req(conn)

    def handle(self, conn: Any) -> Any:
        """Serve a request, knowing when its sender is waited for."""
        with self._crowd.served(conn.sock):
            conn.data_ready = True  # there is no other wait than the one for what is read
            conn.init()
            unreader, said = conn.parser.unreader, type(conn.parser.unreader).chunk

            def chunk(size_hint: int | None = None) -> Any:
                with self._crowd.awaited(conn.sock):
                    return said(unreader, size_hint)

            unreader.chunk = chunk
            return super().handle(conn)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Wait for what happens, less long while somebody stands in line."""
        super().wait_for_and_dispatch_events(min(timeout, GLANCE) if self._crowd.in_line else timeout)
        self._crowd.let_go()


class WebApplication(BaseApplication):  # type: ignore[misc]  # gunicorn ships no types
    """Gunicorn, configured by a launch alone: no file, no command line."""

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self.stopping = threading.Event()
        super().__init__()

    def load_config(self) -> None:
        """Set what differs from gunicorn's defaults."""
        launch = self._launch
        wanted = {
            "bind": f"fd://{launch.descriptor}",
            "workers": launch.web_workers,
            "worker_class": WebWorker,
            "threads": launch.web_threads,
            "timeout": 30,
            "graceful_timeout": max(1, int(launch.grace)),
            "keepalive": 5,
            "limit_request_line": 2048,
            "limit_request_fields": 64,
            "limit_request_field_size": 8190,
            "header_map": "drop",  # X_Forwarded_User must never pass for X-Forwarded-User
            "control_socket_disable": True,
            "logconfig_dict": dict(LOGGING),
            "proc_name": "runbook-web",
        }
        for name, value in wanted.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Return the WSGI application; called in each of gunicorn's workers."""
        launch, bundle = self._launch, self._launch.bundle()
        settings, registry, clock = launch.settings(), Registry(), SystemClock()
        metrics, log = Metrics(launch.metrics_folder), EventLog(process="web", pid=os.getpid())
        if metrics.apart:
            log.event("metrics.apart", "warning", says=metrics.apart)
        return create_app(
            build_engine(settings, registry=registry, clock=clock, bundle=bundle),
            keyring=load_keyring(bundle.configuration, settings.keeping(bundle.configuration).secret),
            pause=build_pause(bundle.configuration, settings, registry, clock),
            clock=clock,
            metrics=metrics,
            log=log,
            beat_file=launch.beat_file,
            read_limit=launch.read_limit,
            links=links_of(bundle.configuration, settings),
            registry=registry,
            web=self._web(),
            stored=launch.bell.ring,
        )

    def _web(self) -> WebHost:
        most = max(1, self._launch.web_threads // 2)
        folder = self._launch.folder
        return WebHost(
            key=read_session_key(folder), listeners=most, stopping=self.stopping, tests=lambda: read_state(folder)
        )


def main(arguments: list[str]) -> None:
    """Serve until SIGTERM, or the end of the supervisor."""
    launch = read_launch(arguments[0])
    parent.stop_with(launch.parent)
    WebApplication(launch).run()


if __name__ == "__main__":
    main(sys.argv[1:])
