"""Watching: one thread for each source of changes, which keeps in the journal what it is told.

A source that is lost is watched again, a little later each time. Nothing that happens here reaches the loop that
drives executions.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from runbook_engine.entrypoints.logs import EventLog, Level, say_error
from runbook_engine.model.observation import ChangeEvent
from runbook_engine.model.target import Target
from runbook_engine.ports import ChangeWatcher, Journal

LONGEST_BACKOFF = 60.0  # seconds
STOP_PATIENCE = 2.0
REMINDER = 3600.0  # the same sentence is not told every minute


@dataclass(slots=True)
class Watching:
    """The watchers of one process, by the name of what each watches."""

    watchers: Mapping[str, ChangeWatcher]
    journal: Journal
    log: EventLog
    stop: threading.Event
    seen: Callable[[str], None] = lambda kind: None  # is told of every change, by its kind
    first_backoff: float = 1.0  # seconds; doubled each time, up to a minute
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        """Begin to watch; the threads end with `stop`, and none of them keeps the process alive."""
        for name, watcher in self.watchers.items():
            thread = threading.Thread(target=self._keep_watching, args=(name, watcher), name="watching", daemon=True)
            thread.start()
            self._threads.append(thread)

    def join(self, patience: float = STOP_PATIENCE) -> bool:
        """Wait until every thread has ended, once `stop` is set. Returns whether all have, within the patience."""
        limit = time.monotonic() + patience
        for thread in self._threads:
            thread.join(max(0.0, limit - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _keep_watching(self, name: str, watcher: ChangeWatcher) -> None:
        backoff, said, quiet_until = self.first_backoff, "", 0.0
        while not self.stop.is_set():
            started = time.monotonic()
            self.log.event("watch.started", "debug" if said else "info", source=name)
            error = self._watch(watcher)
            if error is None:
                continue
            ended = time.monotonic()
            if ended - started > LONGEST_BACKOFF:
                backoff = self.first_backoff  # it had worked
            is_news = str(error) != said or ended > quiet_until
            said, quiet_until = str(error), ended + REMINDER if is_news else quiet_until
            level: Level = "error" if is_news else "debug"
            self.log.event("watch.lost", level, source=name, wait=backoff, **say_error(error))
            self.stop.wait(backoff)
            backoff = min(backoff * 2, LONGEST_BACKOFF)

    def _watch(self, watcher: ChangeWatcher) -> Exception | None:
        """Watch until told to stop. Returns what went wrong, None when nothing did."""
        try:
            watcher.watch(self._keep, self.stop.is_set)
        except Exception as error:  # noqa: BLE001 - the edge: a bug must not end the watching for good, nor unseen
            return error
        return None

    def _keep(self, target: Target, event: ChangeEvent) -> None:
        self.journal.record_change(target, event)
        self.seen(event.kind)
        self.log.event(
            "change.seen", target=str(target), place=target.place, who=event.who, what=event.what, kind=event.kind
        )
