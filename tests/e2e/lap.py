"""A lap watch: measured seconds, told in a test's output as they are measured and kept with its result."""

from __future__ import annotations

import time
from collections.abc import Callable


class Lap:
    """Measured seconds, told as they are measured and kept with the test's result."""

    def __init__(self, record_property: Callable[[str, object], None]) -> None:
        self._record = record_property
        self._since = time.monotonic()

    def start(self) -> None:
        """Measure from here."""
        self._since = time.monotonic()

    def lap(self, what: str) -> None:
        """Tell and keep the seconds since the lap before."""
        now = time.monotonic()
        self.tell(what, now - self._since)
        self._since = now

    def tell(self, what: str, seconds: float) -> None:
        """Tell and keep one figure."""
        print(f"{what}: {seconds:.1f} s")
        self._record(what, round(seconds, 1))
