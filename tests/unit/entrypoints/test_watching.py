"""Watching: what a watcher tells is kept, and one that is lost comes back without disturbing anybody."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from runbook_engine.entrypoints.logs import EventLog
from runbook_engine.entrypoints.watching import Watching
from runbook_engine.errors import Unreadable
from runbook_engine.model.observation import ChangeEvent
from runbook_engine.model.target import Target
from runbook_engine.ports import ChangeWatcher
from runbook_engine.testing.memory_journal import MemoryJournal
from tests.lab import wait_until

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
CHECKOUT = Target("deployment", "prod", "apps", "checkout", "u1")
Tell = Callable[[Target, ChangeEvent], None]


def change(minute: int) -> ChangeEvent:
    """A restart at a minute past noon."""
    return ChangeEvent(at=NOON + timedelta(minutes=minute), who="ann", what="restarted")


class Scripted:
    """A watcher that does one thing each time it is asked to watch, and then waits to be stopped."""

    def __init__(self, *turns: ChangeEvent | Exception, obedient: bool = True) -> None:
        self._turns = list(turns)
        self._obedient = obedient
        self.watched = 0
        self.let_go = threading.Event()

    def watch(self, tell: Tell, stopped: Callable[[], bool]) -> None:
        self.watched += 1
        while self._turns:
            turn = self._turns.pop(0)
            if isinstance(turn, Exception):
                raise turn
            tell(CHECKOUT, turn)
        while not self.let_go.wait(0.01):
            if self._obedient and stopped():
                return


class Kept:
    """What came of watching."""

    def __init__(self, **watchers: ChangeWatcher) -> None:
        self._stream = io.StringIO()
        self.journal = MemoryJournal()
        self.kinds: list[str] = []
        self.watching = Watching(
            watchers=watchers,
            journal=self.journal,
            log=EventLog(self._stream),
            stop=threading.Event(),
            seen=self.kinds.append,
            first_backoff=0.05,
        )

    def recorded(self) -> tuple[ChangeEvent, ...]:
        return self.journal.recorded_changes(CHECKOUT, NOON)

    def events(self, name: str) -> list[dict[str, Any]]:
        lines = map(json.loads, self._stream.getvalue().splitlines())
        return [line for line in lines if line["event"] == name]

    @contextmanager
    def running(self) -> Iterator[None]:
        self.watching.start()
        try:
            yield
        finally:
            self.watching.stop.set()
            assert self.watching.join()


def test_change_is_kept_and_logged_when_a_watcher_tells_of_it() -> None:
    """With who, what and where; and counted by its kind."""
    kept = Kept(prod=Scripted(change(1)))

    with kept.running():
        wait_until(lambda: bool(kept.events("change.seen")), "the change is logged")

    (seen,) = kept.events("change.seen")
    fields = ("target", "place", "who", "what", "kind")
    assert ["apps/deployment/checkout", "prod", "ann", "restarted", "change"] == [seen[name] for name in fields]
    assert (change(1),) == kept.recorded()
    assert ["change"] == kept.kinds
    assert ["prod"] == [event["source"] for event in kept.events("watch.started")]


@pytest.mark.parametrize(
    ("error", "name"),
    [
        pytest.param(Unreadable("cannot watch deployments: HTTP 403 (grant watch)"), "Unreadable", id="a lost source"),
        pytest.param(KeyError("metadata"), "KeyError", id="a bug"),
    ],
)
def test_source_is_watched_again_when_it_is_lost(error: Exception, name: str) -> None:
    """The log says what it was; what comes afterwards is kept."""
    kept = Kept(prod=Scripted(change(1), error, change(2)))

    with kept.running():
        wait_until(lambda: len(kept.recorded()) == 2, "the second change is kept")

    (lost,) = kept.events("watch.lost")
    assert (name, str(error), "prod", 0.05, "error") == tuple(
        lost[field] for field in ("error", "says", "source", "wait", "level")
    )


@pytest.mark.slow
def test_same_loss_is_told_once_when_it_happens_again_and_again() -> None:
    """A missing permission stays missing for hours; another sentence is news."""
    same = [Unreadable("cannot watch") for _ in range(3)]
    watcher = Scripted(*same, Unreadable("no connection"), change(1))
    kept = Kept(prod=watcher)

    with kept.running():
        wait_until(lambda: bool(kept.recorded()), "the change is kept")

    assert ["cannot watch", "no connection"] == [event["says"] for event in kept.events("watch.lost")]
    assert [0.05, 0.4] == [event["wait"] for event in kept.events("watch.lost")]
    assert 5 == watcher.watched


def test_others_are_watched_when_one_is_lost() -> None:
    """Each source has a thread of its own."""
    kept = Kept(bad=Scripted(*(Unreadable(f"away {number}") for number in range(99))), good=Scripted(change(1)))

    with kept.running():
        wait_until(lambda: bool(kept.recorded()), "the change is kept")

    assert {"bad", "good"} == {event["source"] for event in kept.events("watch.started")}


def test_change_is_kept_once_when_a_restarted_runner_sees_it_again() -> None:
    """A second process on the same journal, or the first one anew."""
    kept = Kept(one=Scripted(change(1)), two=Scripted(change(1)))

    with kept.running():
        wait_until(lambda: len(kept.events("change.seen")) == 2, "both have told")

    assert (change(1),) == kept.recorded()


def test_join_gives_up_when_a_watcher_does_not_end() -> None:
    """The process ends all the same: its threads do not keep it alive."""
    stuck = Scripted(obedient=False)
    kept = Kept(prod=stuck)
    kept.watching.start()
    wait_until(lambda: stuck.watched == 1, "it watches")

    kept.watching.stop.set()

    assert not kept.watching.join(patience=0.1)
    stuck.let_go.set()
    assert kept.watching.join()
