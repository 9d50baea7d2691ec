"""The journal when there is much of it: eight callers at once, a restart over all that is open, pages of a million.

Commits of one caller and of eight, ours and bare sqlite3 with the same pragmas; a flush is 4 kB and fdatasync. A start
is what a process does before it accepts its first delivery, and before its worker has found what is due.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter

from msgspec.structs import replace

from benchmarks.deliveries import CONFIGURATION, bodies, engine, entries, half_new, request
from benchmarks.journal import Bench
from benchmarks.journal_callers import BUSY, ROUNDS, callers
from benchmarks.journal_rows import NOON, pending, timed
from benchmarks.timing import table
from runbook_adapters.sqlite import SqliteJournal
from runbook_adapters.sqlite.database import Database

COMMITS, QUICK_COMMITS = 1600, 160
OPEN, QUICK_OPEN = 100_000, 5_000
STORED, QUICK_STORED = 1_000_000, 20_000
PAGE, LOOKS = 50, 200


def run(quick: bool) -> str:
    """Return the figures of many callers, of a restart, and of pages."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        commits, opened, stored = (QUICK_COMMITS, QUICK_OPEN, QUICK_STORED) if quick else (COMMITS, OPEN, STORED)
        return "\n\n".join((callers(place, commits), _restart(place, opened), _pages(place / "pages", stored)))


def _restart(folder: Path, count: int) -> str:
    """Compare a start over so many open incidents, each with a run that waits, with one over nothing."""
    written = entries()
    accepted = bodies(half_new(written, 1, ROUNDS * 2))
    paths = {"empty": folder / "empty", "full": folder / "full"}
    _fill_open(paths["full"], count)
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in paths}
    for body in accepted:
        for name, path in paths.items():
            started = perf_counter()
            journal = SqliteJournal(Database(path, BUSY))
            host = engine(journal, written)
            host.accept(request(body))
            answered = perf_counter()
            host.due(NOON, 8)
            host.expire(NOON)
            spent[name].append((answered - started, perf_counter() - answered))
            journal.close()
    middles = {name: [median(part) for part in zip(*taken[1:], strict=True)] for name, taken in spent.items()}
    (empty, _), (full, found) = middles["empty"], middles["full"]
    rows = [
        (f"accepting with {count:,} open, ms; x an empty start", full * 1e3, full / empty, "<= 2"),
        ("finding what is due, us an open incident", found / count * 1e6, "-", "<= 20"),
    ]
    return table((f"a start, {len(written):,} runbooks", "measured", "x", "goal"), rows)


def _fill_open(path: Path, count: int) -> None:
    with _bench(path.parent / "filling") as bench:
        journal, run = SqliteJournal(Database(path, BUSY)), pending("open")
        later = NOON + CONFIGURATION.correlation.expire_after
        for _ in range(count // 500):
            intake = bench.intake(500)
            opened = tuple(replace(one, resolved_at=None) for one in intake.incidents)
            runs = tuple(
                replace(run, id=f"run-{one.id}", slot=one.id, incident_id=one.id, due_at=later) for one in opened
            )
            journal.record(replace(intake, incidents=opened, opened=runs))
        journal.close()


def _pages(folder: Path, count: int) -> str:
    """Read the first page, and what is known of one incident, again and again."""
    with _bench(folder) as bench:
        for _ in range(count // 1000):
            bench.journal.record(bench.intake(1000))
        numbers = iter(range(7, count, max(1, count // (2 * LOOKS))))

        def history() -> None:
            incident_id = f"incident-{next(numbers)}"
            bench.journal.incident(incident_id)
            bench.journal.arrivals(incident_id)
            bench.journal.executions(limit=PAGE, incident_id=incident_id)

        looks: dict[str, Callable[[], object]] = {
            f"a page of {PAGE}": partial(bench.journal.incidents, limit=PAGE),
            f"a page of {PAGE} that are open": partial(bench.journal.incidents, limit=PAGE, open_only=True),
            "the history of one incident": history,
        }
        kept = {name: list(timed(look, LOOKS)) for name, look in looks.items()}
    rows = [(name, median(spent) * 1e3, quantiles(spent, n=100)[98] * 1e3, "<= 5") for name, spent in kept.items()]
    return table((f"{count:,} incidents stored", "p50 ms", "p99 ms", "goal"), rows)


@contextmanager
def _bench(folder: Path) -> Iterator[Bench]:
    folder.mkdir()
    bench = Bench(folder, LOOKS)
    yield bench
    bench.close()
