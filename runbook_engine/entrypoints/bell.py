"""The bell: the web process rings it when it has stored a delivery, and the worker, which sleeps, looks at once.

A pipe that the supervisor makes and both inherit, so that it outlives either. It carries no message: what is to be
done stands in the journal, a ring that is lost costs one look that comes a little later, and one too many costs one
that finds nothing. So nobody waits to ring, and nobody counts.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

RING = b"!"
MANY = 4096  # rings that are heard as one
NOWHERE = -1


@dataclass(frozen=True, slots=True)
class Bell:
    """The two ends of a pipe, each a descriptor; `NOWHERE` where a process has not got it."""

    hears: int = NOWHERE
    rings: int = NOWHERE

    def ring(self) -> None:
        """Wake who waits; one that cannot be rung looks by itself."""
        if self.rings != NOWHERE:
            with suppress(OSError):  # full: it has been rung often enough
                os.write(self.rings, RING)

    def wait(self, patience: float) -> bool:
        """Return whether it was rung within so many seconds, or since the last time."""
        waiting = select.poll()
        waiting.register(self.hears, select.POLLIN)
        if not waiting.poll(patience * 1000):
            return False
        try:
            return bool(os.read(self.hears, MANY)) or self._is_cut(patience)
        except BlockingIOError:  # somebody else has heard it
            return True

    def _is_cut(self, patience: float) -> bool:
        """Wait for the time that was asked for: nobody can ring any more, and the pipe says so at once, for ever."""
        time.sleep(patience)
        return False


@contextmanager
def hung_bell() -> Iterator[Bell]:
    """Yield a bell with both ends, neither of which blocks, until the block ends."""
    hears, rings = os.pipe()
    try:
        os.set_blocking(hears, False)
        os.set_blocking(rings, False)
        yield Bell(hears, rings)
    finally:
        os.close(hears)
        os.close(rings)
