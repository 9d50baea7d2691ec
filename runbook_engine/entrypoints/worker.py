"""The worker: drives what is due, many executions at once, each by one thread at a time.

It decides nothing: the journal says what is due, the engine what to do. What another process drives stays with it
until its lease expires. An execution that raises waits a little longer each time, and the others go on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from runbook_engine.engine import EXPIRE_BATCH, Engine
from runbook_engine.entrypoints.heartbeat import Beating, Heartbeat
from runbook_engine.entrypoints.holding import Holding
from runbook_engine.entrypoints.logs import EventLog, say_error
from runbook_engine.entrypoints.measuring import CountIncident, Measuring
from runbook_engine.entrypoints.pause_watch import PauseWatch
from runbook_engine.errors import Spoiled
from runbook_engine.machine.notices import MOST_ATTEMPTS
from runbook_engine.model.directive import Directive, Done, Next, Wait
from runbook_engine.ports import Clock

POLL = 0.2  # seconds
MOST_STEPS = 20  # of one execution before the others have their turn
PLENTY = timedelta(hours=1)  # this host is never cut off in the middle of a step
BEAT = 1.0
EXPIRE_PERIOD = 60.0
MOST_EXPIRIES = 20  # batches a round
LONGEST_BACKOFF = 60.0
REMEMBERED = 600.0  # trouble longer ago than this starts to be counted anew
STILL = 0.02  # an execution that is due again at once is not looked at more often
SHORTEST = 0.001


class ErrorCount(Protocol):
    """Counts drives that ended in an unexpected error, by its class."""

    def __call__(self, error: str, /) -> None:
        """Count one."""
        ...


@dataclass(slots=True)
class _Trouble:
    """An execution that raised: how often in a row, and until when it is left alone (monotonic)."""

    times: int
    until: float


@dataclass(slots=True)
class Worker:
    """One process's loop over due executions."""

    engine: Engine
    clock: Clock
    log: EventLog
    owner: str
    threads: int = 8
    pid: int = 0
    beat_file: Path | None = None
    count_error: ErrorCount = lambda error: None
    count_incident: CountIncident = lambda report: None
    is_behind: Callable[[], bool] = lambda: False  # whether what was received since then waits to be decided
    first_backoff: float = 1.0  # seconds; doubled each time, up to a minute
    stop: threading.Event = field(default_factory=threading.Event)
    _wake: threading.Event = field(default_factory=threading.Event)
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _busy: dict[str, Future[None]] = field(default_factory=dict)
    _troubles: dict[str, _Trouble] = field(default_factory=dict)
    _again: dict[str, float] = field(default_factory=dict)  # driven just now: not before, and soon then (monotonic)
    _problem: str = ""
    _next_beat: float = 0.0
    _next_expiry: float = 0.0
    _beating: Beating | None = field(init=False)
    _holding: Holding = field(init=False)
    _pauses: PauseWatch = field(init=False)
    _measuring: Measuring = field(init=False)

    def __post_init__(self) -> None:
        """Watch the pause too, and how long incidents take."""
        self._beating = Beating(self.beat_file, self.log) if self.beat_file is not None else None
        self._holding = Holding(lambda: self.is_behind(), self.log)
        self._pauses = PauseWatch(self.engine, self.log)
        self._measuring = Measuring(self.engine, self.count_incident)

    def run(self, alive: Callable[[], bool] = lambda: True, grace: timedelta = timedelta(seconds=10)) -> bool:
        """Drive until told to stop. Returns whether everything in hand came to rest within the grace."""
        pool = ThreadPoolExecutor(max_workers=self.threads, thread_name_prefix="drive")
        self.log.event("worker.started", owner=self.owner, threads=self.threads)
        while not self.stop.is_set() and alive():
            self._wake.clear()
            wait = self._round(pool)
            self._wake.wait(wait)
        self.stop.set()
        rested = self._come_to_rest(grace)
        pool.shutdown(wait=False, cancel_futures=True)
        self.log.event("worker.stopped", owner=self.owner, abandoned=len(self._busy))
        return rested

    def wake(self) -> None:
        """Look for what is due now, whoever says so."""
        self._wake.set()

    def _round(self, pool: ThreadPoolExecutor) -> float:
        """Start what is due, do what time asks for, and return how many seconds to wait."""
        self._beat()
        try:
            if not self._holding.holds():
                self._start_due(pool)
            self._expire()
            self._pauses.look(self.clock.now())
            self._measuring.look(self.clock.now())
        except Exception as error:  # noqa: BLE001 - the journal may be down for a while; the worker outlives it
            self._say_problem(error)
            return self.first_backoff
        self._problem = ""
        with self._guard:
            soonest = min(self._again.values(), default=time.monotonic() + POLL)
        return min(max(soonest - time.monotonic(), SHORTEST), POLL)

    def _start_due(self, pool: ThreadPoolExecutor) -> None:
        now = time.monotonic()
        with self._guard:
            self._forget(now)
            busy = set(self._busy)
            held = busy | {key for key, trouble in self._troubles.items() if trouble.until > now} | set(self._again)
        free = self.threads - len(busy)
        if free <= 0:
            return
        due = self.engine.due(self.clock.now(), limit=len(held) + free)
        for execution_id in [found for found in due if found not in held][:free]:
            future: Future[None] = Future()
            with self._guard:
                self._busy[execution_id] = future
            pool.submit(self._work, execution_id, future)

    def _forget(self, now: float) -> None:
        self._again = {key: until for key, until in self._again.items() if until > now}
        self._troubles = {key: trouble for key, trouble in self._troubles.items() if trouble.until + REMEMBERED > now}

    def _work(self, execution_id: str, future: Future[None]) -> None:
        rest = STILL
        try:
            rest = self._drive(execution_id)
        except Exception as error:  # noqa: BLE001 - the edge: one execution's surprise must not stop the others
            self._back_off(execution_id, error)
        finally:
            with self._guard:
                self._again[execution_id] = time.monotonic() + rest
                del self._busy[execution_id]
            future.set_result(None)
            self._wake.set()

    def _drive(self, execution_id: str) -> float:
        """Take it as far as it goes now. Returns for how many seconds there is no use in looking at it again."""
        for _ in range(MOST_STEPS):
            started = time.monotonic()
            directive = self.engine.drive(execution_id, self.owner, self.clock.now(), PLENTY)
            self.log.event(
                "drive",
                "debug" if isinstance(directive, Next) else "info",
                execution=execution_id,
                ms=round((time.monotonic() - started) * 1000, 1),
                **_say(directive),
            )
            with self._guard:
                self._troubles.pop(execution_id, None)
            if not isinstance(directive, Next) or self.stop.is_set():
                return self._rest(directive)
        return STILL

    def _rest(self, directive: Directive) -> float:
        """Return how long it rests; one that is due before the next poll is looked at when it is, and not then."""
        rest = (directive.until - self.clock.now()).total_seconds() if isinstance(directive, Wait) else 0.0
        return rest if STILL < rest < POLL else STILL

    def _back_off(self, execution_id: str, error: Exception) -> None:
        with self._guard:
            known = self._troubles.get(execution_id)
            times = known.times + 1 if known is not None else 1
            wait = min(self.first_backoff * 2 ** (times - 1), LONGEST_BACKOFF)
            self._troubles[execution_id] = _Trouble(times, time.monotonic() + wait)
        self.count_error(type(error).__name__)
        self.log.event("drive.failed", "error", execution=execution_id, times=times, wait=wait, **say_error(error))

    def _expire(self) -> None:
        if time.monotonic() < self._next_expiry:
            return
        self._next_expiry = time.monotonic() + EXPIRE_PERIOD
        for _ in range(MOST_EXPIRIES):
            expired = self.engine.expire(self.clock.now())
            if expired:
                self.log.event("alerts.expired", count=expired)
            if expired < EXPIRE_BATCH:
                return

    def _beat(self) -> None:
        if self._beating is None or time.monotonic() < self._next_beat:
            return
        self._next_beat = time.monotonic() + BEAT
        beat = Heartbeat(
            at=self.clock.now(),
            pid=self.pid,
            owner=self.owner,
            driving=len(self._busy),
            backing_off=len(self._troubles),
            problem=self._problem,
        )
        self._beating.beat(beat)

    def _say_problem(self, error: Exception) -> None:
        told = error.told if isinstance(error, Spoiled) else type(error).__name__  # strangers read it at /readyz
        if self._problem != told:
            self.log.event("worker.cannot_see_its_work", "error", **say_error(error))
        self._problem = told

    def _come_to_rest(self, grace: timedelta) -> bool:
        limit = time.monotonic() + grace.total_seconds()
        with self._guard:
            pending = list(self._busy.values())
        for future in pending:
            try:
                future.result(timeout=max(0.0, limit - time.monotonic()))
            except TimeoutError:
                return False
        return True


def run_until_idle(
    engine: Engine,
    execution_ids: Iterable[str],
    *,
    clock: Clock,
    owner: str,
    sleep: Callable[[float], None] = time.sleep,
    told: Callable[[str, Directive], None] = lambda execution_id, directive: None,
    until: Callable[[Mapping[str, Directive]], bool] = lambda directives: False,
) -> Mapping[str, Directive]:
    """Drive some executions in this thread until each has ended, or `until` says enough.

    Returns the last directive of each; `told` hears every one, for live progress. A run that waits for a person
    waits here too, until its own deadline. Raises what `drive` raises.
    """
    open_ids = list(dict.fromkeys(execution_ids))
    directives: dict[str, Directive] = {}
    while open_ids and not until(directives):
        for execution_id in tuple(open_ids):
            directive = engine.drive(execution_id, owner, clock.now(), PLENTY)
            directives[execution_id] = directive
            told(execution_id, directive)
            if isinstance(directive, Done) or _has_ended(engine, execution_id, directive):
                open_ids.remove(execution_id)
        if open_ids and not any(isinstance(directives[open_id], Next) for open_id in open_ids):
            sleep(POLL)
    return directives


def _has_ended(engine: Engine, execution_id: str, directive: Directive) -> bool:
    """A run that ended and only holds its changes has come to rest: what follows is the alert's to say."""
    if isinstance(directive, Next):
        return False
    execution = engine.journal.load(execution_id)
    told = all(notice.attempts >= MOST_ATTEMPTS for notice in execution.outbox)  # or may be only in hours
    return execution.ended and execution.compensation != "undoing" and told


def _say(directive: Directive) -> dict[str, str]:
    match directive:
        case Next():
            return {"directive": "next"}
        case Done():
            return {"directive": "done", "status": directive.status, "reason": directive.reason}
        case _:
            return {"directive": type(directive).__name__.lower(), "until": directive.until.isoformat()}
