"""Signals, leases, and when an execution is due."""

import msgspec
import pytest

from runbook_engine.errors import UnknownExecution
from runbook_engine.ports import Journal
from tests.contract.journal.samples import NOON, after, lease, opened, signal


def test_due_returns_the_longest_due_first_when_several_are(journal: Journal) -> None:
    """What is not due yet is left out, and the limit holds."""
    for name, minute in (("later", 9), ("second", 2), ("first", 1), ("third", 3)):
        opened(journal, name, due_at=after(minute))
    opened(journal, "asleep", due_at=None)

    assert ("first", "second", "third") == journal.due(after(3), 10)
    assert ("first",) == journal.due(after(3), 1)
    assert () == journal.due(NOON, 10)
    assert after(1) == journal.next_due()


def test_due_returns_what_a_signal_waits_for_first_when_a_crowd_is_due(journal: Journal) -> None:
    """The longest due first; once heard, it is one of the others; while it is driven, it is not due."""
    for name, minute in (("crowd", 1), ("more", 2), ("held", 30)):
        opened(journal, name, due_at=after(minute))
    quiet, other = opened(journal, "quiet", due_at=None), opened(journal, "other", due_at=None)
    journal.commit(msgspec.structs.replace(other, lease=lease("w1", until=9)), expected_version=0, now=NOON)
    for name, minute in (("held", 5), ("quiet", 4), ("other", 4)):
        journal.signal(name, signal(at=minute))

    waiting = journal.due(after(6), 10)
    journal.commit(
        msgspec.structs.replace(quiet, due_at=after(3), signals_consumed=1), expected_version=0, now=after(6)
    )

    assert ("quiet", "held", "crowd", "more") == waiting
    assert ("held", "crowd", "more", "quiet") == journal.due(after(6), 10)
    assert ("held", "crowd") == journal.due(after(6), 2)
    assert ("held", "crowd", "more", "quiet", "other") == journal.due(after(9), 9)
    assert after(1) == journal.next_due()


def test_next_due_is_none_when_only_signals_wake(journal: Journal) -> None:
    """A host may then sleep until it is told."""
    opened(journal, "a", due_at=None)

    assert journal.next_due() is None


def test_leased_execution_is_due_when_its_lease_ends(journal: Journal) -> None:
    """Whatever it wants for itself: until then its driver has it, and then anybody takes over."""
    old = opened(journal, "a", due_at=NOON)

    journal.commit(msgspec.structs.replace(old, lease=lease("w1", until=5)), expected_version=0, now=NOON)

    assert () == journal.due(after(4.9), 10)
    assert ("a",) == journal.due(after(5), 10)


def test_signal_does_not_wake_an_execution_that_is_driven(journal: Journal) -> None:
    """Its driver finds the signal when it lets go: it is due at once."""
    old = opened(journal, "a", due_at=None)
    journal.commit(msgspec.structs.replace(old, lease=lease("w1", until=5)), expected_version=0, now=NOON)

    journal.signal("a", signal(at=1))

    assert () == journal.due(after(2), 10)
    journal.commit(msgspec.structs.replace(old, due_at=None), expected_version=1, now=after(2))
    assert ("a",) == journal.due(after(2), 10)


def test_signal_finds_the_execution_due_already_when_its_lease_has_run_out(journal: Journal) -> None:
    """A dead driver does not delay a signal."""
    old = opened(journal, "a", due_at=None)
    journal.commit(msgspec.structs.replace(old, lease=lease("w1", until=5)), expected_version=0, now=NOON)

    journal.signal("a", signal(at=6))

    assert ("a",) == journal.due(after(6), 10)


def test_signal_wakes_an_execution_that_waits(journal: Journal) -> None:
    """It is due when the signal came, not when it wanted to look again."""
    opened(journal, "a", due_at=after(30))

    number = journal.signal("a", signal(at=1))

    assert 1 == number
    assert after(1) == journal.next_due()


def test_signal_does_not_delay_an_execution_that_is_due_before(journal: Journal) -> None:
    """The earlier time stays."""
    opened(journal, "a", due_at=NOON)

    journal.signal("a", signal(at=1))

    assert NOON == journal.next_due()


def test_commit_leaves_the_execution_due_now_when_signals_wait(journal: Journal) -> None:
    """A signal that came between the read and the commit is not slept through."""
    old = opened(journal, "a", due_at=None)
    journal.signal("a", signal(at=1))
    journal.signal("a", signal(at=1))

    journal.commit(msgspec.structs.replace(old, due_at=after(30), signals_consumed=1), expected_version=0, now=after(2))
    waiting = journal.next_due()
    journal.commit(msgspec.structs.replace(old, due_at=after(30), signals_consumed=2), expected_version=1, now=after(2))

    assert after(2) == waiting
    assert after(30) == journal.next_due()


def test_signals_are_numbered_from_one_and_returned_after_a_number(journal: Journal) -> None:
    """Each execution counts its own; the number a caller wrote is not believed."""
    opened(journal, "a")
    opened(journal, "b")

    numbers = [journal.signal("a", signal("joined", name=name, number=99)) for name in "xyz"]

    assert [1, 2, 3] == numbers
    assert 1 == journal.signal("b", signal())
    assert [(2, "y"), (3, "z")] == [(found.number, found.name) for found in journal.signals("a", 1)]
    assert () == journal.signals("a", 3)


def test_signal_raises_when_there_is_no_such_execution(journal: Journal) -> None:
    """Nothing is kept for executions that do not exist."""
    with pytest.raises(UnknownExecution):
        journal.signal("nobody", signal())

    assert () == journal.signals("nobody", 0)
