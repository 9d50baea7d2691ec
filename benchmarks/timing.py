"""Time a callable, and print a table of figures."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Sequence
from time import perf_counter

ROUNDS = 5


def seconds(work: Callable[[], object], rounds: int = ROUNDS, clock: Callable[[], float] = perf_counter) -> float:
    """Return the shortest of a few rounds: what the work costs when nothing else is in its way.

    Work that only computes is better told by the clock of its thread, which stands still while others have the core.
    """
    gc.collect()
    return min(_once(work, clock) for _ in range(rounds))


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return rows of figures as aligned text."""
    written = [list(head), *([_shown(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in written) for column in range(len(head))]
    return "\n".join(
        "  ".join([first.ljust(widths[0]), *map(str.rjust, others, widths[1:])]) for first, *others in written
    )


def _once(work: Callable[[], object], clock: Callable[[], float]) -> float:
    started = clock()
    work()
    return clock() - started


def _shown(cell: object) -> str:
    if not isinstance(cell, float):
        return str(cell)
    return f"{cell:,.0f}" if cell >= 100 else f"{cell:.2f}"
