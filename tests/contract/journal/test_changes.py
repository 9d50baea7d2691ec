"""Recorded changes: each kept once, found by its target, and forgotten in time."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from runbook_engine.model.observation import ChangeEvent
from runbook_engine.model.target import Target
from runbook_engine.ports import Journal
from runbook_engine.testing.memory_journal import MemoryJournal
from tests.contract.journal.opening import FIRST_LAYOUT, open_sqlite
from tests.contract.journal.samples import NOON, after, opened

CHECKOUT = Target("deployment", "prod", "apps", "checkout", "uid-1")
LONG_AGO = NOON - timedelta(days=365)


def released(at: float = 0, what: str = "image a:1 -> a:2", **more: object) -> ChangeEvent:
    """A change, so many minutes after noon."""
    return msgspec.structs.replace(ChangeEvent(at=after(at), who="ci", what=what), **more)


def healthy(at: float = 0, revision: int = 4, kind: str = "healthy") -> ChangeEvent:
    """What was found of a revision, so many minutes after noon."""
    return released(at, f"revision {revision}", who="kubernetes", kind=kind, revision=revision)


def test_changes_come_newest_first_when_they_are_asked_for(journal: Journal) -> None:
    """In whatever order they were seen, with all that they say."""
    events = [released(5, "five"), released(9, "nine", ours=True), healthy(7)]
    for event in events:
        journal.record_change(CHECKOUT, event)

    assert (events[1], events[2], events[0]) == journal.recorded_changes(CHECKOUT, LONG_AGO)
    assert (events[1], events[2]) == journal.recorded_changes(CHECKOUT, after(6))
    assert (events[1],) == journal.recorded_changes(CHECKOUT, after(9))


@pytest.mark.parametrize(
    ("one", "other", "kept"),
    [
        pytest.param(released(), released(), 1, id="the very same"),
        pytest.param(released(), released(who="somebody"), 1, id="one time and text, seen with another writer"),
        pytest.param(released(), released(1), 2, id="the same text later"),
        pytest.param(released(), released(what="restarted"), 2, id="two at one moment"),
        pytest.param(healthy(0), healthy(50), 1, id="a revision found healthy again after a restart of the watcher"),
        pytest.param(healthy(0, 4), healthy(50, 5), 2, id="two revisions"),
        pytest.param(healthy(0, kind="failed"), healthy(50), 2, id="a revision that failed and recovered"),
    ],
)
def test_change_is_kept_once_when_it_is_recorded_twice(
    journal: Journal, one: ChangeEvent, other: ChangeEvent, kept: int
) -> None:
    """The first one stays."""
    journal.record_change(CHECKOUT, one)
    journal.record_change(CHECKOUT, other)

    found = journal.recorded_changes(CHECKOUT, LONG_AGO)

    assert kept == len(found)
    assert one in found


def test_health_is_told_of_each_object_when_a_name_is_used_again(journal: Journal) -> None:
    """A deployment that was deleted and made anew begins at revision 1 again."""
    journal.record_change(CHECKOUT, healthy(0, 1))
    journal.record_change(msgspec.structs.replace(CHECKOUT, uid="uid-2"), healthy(60, 1))

    assert [after(60), NOON] == [event.at for event in journal.recorded_changes(CHECKOUT, LONG_AGO)]


def test_changes_of_others_are_not_told_when_one_target_is_asked_for(journal: Journal) -> None:
    """The uid does not matter: who asks may not know it."""
    others = [msgspec.structs.replace(CHECKOUT, **field) for field in ({"name": "cart"}, {"place": "test"})]
    for target in (*others, CHECKOUT):
        journal.record_change(target, released(what=f"{target.place} {target}"))

    found = journal.recorded_changes(msgspec.structs.replace(CHECKOUT, uid=""), LONG_AGO)

    assert ["prod apps/deployment/checkout"] == [event.what for event in found]


def test_only_the_newest_five_hundred_are_told_when_there_are_more(quick_journal: Journal) -> None:
    """A question is bounded, whatever happened."""
    for minute in range(510):
        quick_journal.record_change(CHECKOUT, released(minute))

    found = quick_journal.recorded_changes(CHECKOUT, LONG_AGO)

    assert 500 == len(found)
    assert (after(509), after(10)) == (found[0].at, found[-1].at)


def test_changes_are_forgotten_after_ninety_days_when_something_else_changes(journal: Journal) -> None:
    """Those of a target that is long gone too."""
    gone = msgspec.structs.replace(CHECKOUT, name="gone")
    journal.record_change(gone, released(0))
    journal.record_change(gone, released(1))

    journal.record_change(CHECKOUT, released(90 * 24 * 60 + 0.5))

    assert [after(1)] == [event.at for event in journal.recorded_changes(gone, LONG_AGO)]


EVENTS = some.builds(
    lambda at, what, kind, revision: released(at, what, kind=kind, revision=revision),
    some.integers(0, 6).map(lambda step: step * 30 * 24 * 60),
    some.sampled_from(("x", "y")),
    some.sampled_from(("change", "autoscaled", "healthy", "failed")),
    some.integers(0, 2),
)
TARGETS = some.builds(
    lambda name, uid: Target("deployment", "", "a", name, uid), some.sampled_from("bc"), some.sampled_from(("", "u"))
)


@settings(deadline=None)
@given(seen=some.lists(some.tuples(TARGETS, EVENTS), max_size=20))
def test_journals_agree_on_what_they_keep(
    seen: list[tuple[Target, ChangeEvent]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Memory and SQLite keep the same, in the same order."""
    memory, sqlite = MemoryJournal(), open_sqlite(tmp_path_factory.mktemp("journal"))
    for target, event in seen:
        memory.record_change(target, event)
        sqlite.record_change(target, event)

    for name in "bc":
        target = Target("deployment", "", "a", name)
        assert memory.recorded_changes(target, LONG_AGO) == sqlite.recorded_changes(target, LONG_AGO)
    sqlite.close()


def test_journal_of_an_older_release_keeps_changes_when_it_is_opened(tmp_path: Path) -> None:
    """The first layout had no place for them."""
    journal = open_sqlite(tmp_path)
    stored = opened(journal, "a")
    journal.close()
    with closing(sqlite3.connect(tmp_path / "journal.sqlite3", isolation_level=None)) as connection:
        connection.executescript(FIRST_LAYOUT)

    again = open_sqlite(tmp_path)
    again.record_change(CHECKOUT, released())

    assert (released(),) == again.recorded_changes(CHECKOUT, LONG_AGO)
    assert stored == again.load("a")
    again.close()
