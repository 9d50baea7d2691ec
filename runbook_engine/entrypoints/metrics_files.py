"""Room on the disk for the files that this process counts in, taken before they are mapped into its memory.

The client library makes them with holes. Whoever counts into a hole while the disk is full is killed by a signal
(SIGBUS, mmap(2)), and the process after it as well, so that nobody is answered any more.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any

from prometheus_client import values

ROOM = {"counter": 64 * 1024, "histogram": 256 * 1024}  # bytes: some 300 and 1,200 numbers; beyond, a file has holes
PERIOD = 5.0  # seconds between two trials to find room


def take_room(folder: Path) -> str:
    """Make this process's files as large as they are likely to get. Returns why there is no room for them.

    They get their names last: a scrape sees no file that goes away again.
    """
    hidden = {kind: folder / f".{kind}_{os.getpid()}.db" for kind in ROOM}
    try:
        for kind, size in ROOM.items():
            hidden[kind].write_bytes(bytes(size))  # zeros say that nothing was counted yet
        for path in hidden.values():
            path.replace(path.with_name(path.name.removeprefix(".")))
    except OSError as error:
        for path in hidden.values():
            with suppress(OSError):
                path.unlink(missing_ok=True)
        return f"{folder} cannot be written: {error.strerror} (what this process counts joins the others when it can)"
    return ""


class CountingApart:
    """Where a process counts that found no room: in its memory, and in its files once there is room for them.

    Until then its numbers are in no sum: that is better than an end in the middle of an alert.
    """

    def __init__(self, folder: Path, clock: Callable[[], float]) -> None:
        self.lock = Lock()  # one for all numbers: nothing is counted while they are moved
        self._folder = folder
        self._clock = clock
        self._trial = Lock()
        self._next_trial = clock() + PERIOD
        self._numbers: list[_Number] = []
        self._in_files: Callable[..., Any] | None = None  # makes a number in the files; None: there was no room yet
        self._joined = False

    def number(self, *named: Any, **rest: Any) -> Any:
        """Make a number; the client library asks for one as `values.ValueClass`."""
        with self.lock:
            if self._joined and self._in_files is not None:
                return self._in_files(*named, **rest)
            number = _Number(self, named, rest)
            self._numbers.append(number)
            return number

    def join(self) -> None:
        """Move everything into the files if there is room by now. Others go on counting while one thread looks."""
        if not self._is_due() or not self._trial.acquire(blocking=False):
            return
        try:
            if self._is_due():  # another thread may have looked between the two
                self._next_trial = self._clock() + PERIOD
                self._find_room()
        finally:
            self._trial.release()

    def _is_due(self) -> bool:
        return not self._joined and self._clock() >= self._next_trial

    def _find_room(self) -> None:
        """Take room once only: what is mapped already must not be replaced."""
        if self._in_files is None:
            if take_room(self._folder):
                return
            self._in_files = values.get_value_class()  # type: ignore[no-untyped-call]  # ships no types
        with suppress(OSError):  # no descriptor is free: the next trial goes on from here
            self._move(self._in_files)

    def _move(self, in_files: Callable[..., Any]) -> None:
        """Make all the new numbers before any gets its amount: they are moved all, or none. Raises OSError."""
        with self.lock:
            new = [in_files(*number.named, **number.rest) for number in self._numbers]
            for number, held in zip(self._numbers, new, strict=True):
                held.inc(number.held.get())
                number.held = held
            self._numbers.clear()
            self._joined = True


class _Number:
    """One number, wherever it is held now; it has what the client library asks of one."""

    _multiprocess = False

    def __init__(self, apart: CountingApart, named: tuple[Any, ...], rest: Mapping[str, Any]) -> None:
        self.named = named
        self.rest = rest
        self.held: Any = values.MutexValue(*named, **rest)  # type: ignore[no-untyped-call]  # ships no types
        self._apart = apart

    def inc(self, amount: float) -> None:
        self._apart.join()
        with self._apart.lock:
            self.held.inc(amount)

    def set(self, value: float, timestamp: float | None = None) -> None:
        self._apart.join()
        with self._apart.lock:
            self.held.set(value, timestamp)

    def get(self) -> float:
        with self._apart.lock:
            return float(self.held.get())

    def set_exemplar(self, exemplar: Any) -> None:
        self.held.set_exemplar(exemplar)  # the files keep none

    def get_exemplar(self) -> Any:
        return self.held.get_exemplar()
