"""Killing from outside: SIGKILL for the process of a function, at a random moment or around a random call of AWS.

One function works at a time, so that it is clear whose process and whose call it is. How a process ended is for the
emulator to tell: an invocation whose answer is `Runtime.ExitError` is a kill, and nothing else is.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tests.emulators.aws.faults import FunctionFailed
from tests.emulators.aws.server import Application
from tests.pipeline.rie.deployed import Deployed

Way = Literal["", "at a moment", "before a call", "after a call", "at a place"]
WAYS: tuple[Way, ...] = ("at a moment", "before a call", "after a call", "at a place")
PLACES = {"ingest": 1, "drive": 10, "sweep": 0}  # that one invocation passes, about
DIED = "Runtime.ExitError"
MOST_CALLS = {"ingest": 12, "drive": 20, "sweep": 8}  # of AWS in one invocation, of which one is chosen
USUAL = 0.6  # seconds of an invocation, until one has been seen


@dataclass
class Reaper:
    """Who dies when. `share` of the invocations is chosen to."""

    deployed: Deployed
    random: random.Random
    share: float
    kills: Counter[str] = field(default_factory=Counter)  # by the way and the function
    _working: threading.Lock = field(default_factory=threading.Lock)
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _role: str = ""  # which function works; empty = none, so that nobody is killed
    _way: Way = ""
    _calls_left: int = 0
    _usual: dict[tuple[str, bool], float] = field(default_factory=dict)  # seconds, by function and whether it is new

    def hunt(self, *roles: str) -> None:
        """Be between these functions and whoever calls them, and between all of them and AWS."""
        for role in roles:
            function = self.deployed.functions[role]
            function.handler = self._hunted(role, function.handler)
        server = self.deployed.aws._server
        assert server is not None
        server._server.app = self._watched(server._server.app)

    def _hunted(self, role: str, handler: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        def invoke(event: Any, context: Any) -> Any:
            with self._working:
                fresh = self._process(role) is None
                way = self._choose(role, fresh)
                begun = time.monotonic()
                try:
                    answer = handler(event, context)
                except FunctionFailed as failure:
                    if failure.payload.get("errorType") == DIED:
                        self.kills[f"{way}: {role}"] += 1
                    raise
                finally:
                    self._let_live()
                self._usual[role, fresh] = time.monotonic() - begun
                return answer

        return invoke

    def _choose(self, role: str, fresh: bool) -> Way:
        ways = WAYS if PLACES[role] else WAYS[:-1]
        way: Way = self.random.choice(ways) if self.random.random() < self.share else ""
        with self._guard:
            self._role, self._way = role, way
            self._calls_left = self.random.randint(1, MOST_CALLS[role])
        self.deployed.die_at(str(self.random.randint(1, PLACES[role])) if way == "at a place" else "")
        if way == "at a moment":
            after = self.random.uniform(0, self._usual.get((role, fresh), USUAL))
            threading.Thread(target=self._strike_after, args=(after,), daemon=True).start()
        return way

    def _let_live(self) -> None:
        with self._guard:
            self._role, self._way = "", ""

    def _strike_after(self, seconds: float) -> None:
        time.sleep(seconds)
        self._strike("at a moment")

    def _strike(self, way: Way) -> None:
        """Kill who works, if that is still its fate."""
        with self._guard:
            if self._way != way:
                return
            self._way = ""
            process = self._process(self._role)
            if process is not None:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)

    def _watched(self, application: Application) -> Application:
        """Return the account as processes reach it; one of them dies before a call has its effect, or right after."""

        def serve(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            with self._guard:
                self._calls_left -= 1
                chosen = self._way if self._calls_left == 0 else ""
            if chosen == "before a call":
                self._strike(chosen)
                environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
                return []
            body = list(application(environ, start_response))
            if chosen == "after a call":
                self._strike(chosen)
            return body

        return serve

    def _process(self, role: str) -> int | None:
        """Return the process of a function, None when none has been started since the last one died."""
        emulator = self.deployed.runtimes[role]._process
        assert emulator is not None
        return next((child for child in children(emulator.pid)), None)


def children(parent: int) -> list[int]:
    """Return the living processes that a process has started."""
    found: list[int] = []
    for task in Path(f"/proc/{parent}/task").iterdir():
        with suppress(OSError):
            found += [int(number) for number in (task / "children").read_text().split()]
    return [child for child in found if not _is_over(child)]


def _is_over(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
