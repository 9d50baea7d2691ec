"""The crowd: how many times as slow as alone everything is, because others compute on this machine meanwhile."""

from __future__ import annotations

import time
from statistics import fmean
from threading import Event, Thread
from types import TracebackType
from typing import Self

PERIOD = 2.0  # seconds between two samples
SAMPLE = 0.05  # seconds of computing: several turns of the scheduler


class Crowd:
    """Takes samples while it is entered: what a promise about time must be multiplied by."""

    def __init__(self) -> None:
        self._samples: list[float] = []
        self._left = Event()
        self._thread = Thread(target=self._watch, name="crowd")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left.set()
        self._thread.join()

    @property
    def factor(self) -> float:
        """At least 1: no time less than promised."""
        return max(1.0, fmean(self._samples))

    def _watch(self) -> None:
        while not self._samples or not self._left.wait(PERIOD):
            self._samples.append(slowness())


def slowness() -> float:
    """Return how long a short piece of computing takes now, against what it computes."""
    began, computed = time.perf_counter(), time.thread_time()
    while time.thread_time() - computed < SAMPLE:
        pass
    return (time.perf_counter() - began) / (time.thread_time() - computed)
