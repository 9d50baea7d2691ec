"""Time a callable, and print a table of figures."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Sequence
from time import perf_counter

ROUNDS = 5


def seconds(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Return the shortest of a few rounds: what the work costs when nothing else is in its way."""
    gc.collect()
    return min(_once(work) for _ in range(rounds))


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return rows of figures as aligned text."""
    written = [list(head), *([_shown(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in written) for column in range(len(head))]
    return "\n".join(
        "  ".join([first.ljust(widths[0]), *map(str.rjust, others, widths[1:])]) for first, *others in written
    )


def _once(work: Callable[[], object]) -> float:
    started = perf_counter()
    work()
    return perf_counter() - started


def _shown(cell: object) -> str:
    if not isinstance(cell, float):
        return str(cell)
    return f"{cell:,.0f}" if cell >= 100 else f"{cell:.2f}"
