"""A commit: the next version with all that belongs to it, or nothing."""

import msgspec
import pytest

from runbook_engine.errors import StaleVersion, UnknownExecution
from runbook_engine.model.execution import Execution
from runbook_engine.model.guardrail import Lock
from runbook_engine.ports import Committed, Journal
from tests.contract.journal.samples import NOON, after, audit_record, evidence, execution, opened, signal


def change(old: Execution, **changes: object) -> Execution:
    """The same execution with other fields."""
    return msgspec.structs.replace(old, **changes)


def test_load_returns_the_whole_value_when_it_was_opened(journal: Journal) -> None:
    """What comes back is equal to what went in, hostile text included."""
    new = execution("a")

    assert new == opened(journal, "a")


def test_load_raises_when_there_is_no_such_execution(journal: Journal) -> None:
    """The sentence says where ids are listed."""
    with pytest.raises(UnknownExecution) as caught:
        journal.load("nobody")

    assert "no execution nobody (`runbook executions` lists them)" == str(caught.value)


def test_commit_stores_the_next_version_whatever_version_the_value_carries(journal: Journal) -> None:
    """The journal numbers versions; the caller says only which one it has read."""
    old = opened(journal, "a")

    committed = journal.commit(change(old, version=77, status="running"), expected_version=0, now=NOON)

    assert Committed(1) == committed
    assert change(old, version=1, status="running") == journal.load("a")


@pytest.mark.parametrize("expected", [0, 2], ids=["an older version", "a version that is not there yet"])
def test_commit_raises_and_stores_nothing_when_the_version_is_not_the_stored_one(
    journal: Journal, expected: int
) -> None:
    """The version is the fence."""
    old = opened(journal, "a")
    journal.commit(change(old, status="running"), expected_version=0, now=NOON)

    with pytest.raises(StaleVersion) as caught:
        journal.commit(
            change(old, status="failed"), expected_version=expected, records=[audit_record("a", 1)], now=NOON
        )

    assert f"execution a has version 1, not {expected}: read it again" == str(caught.value)
    assert "running" == journal.load("a").status
    assert () == journal.audit("a")


def test_commit_raises_when_the_execution_was_never_opened(journal: Journal) -> None:
    """Only a delivery opens executions."""
    with pytest.raises(UnknownExecution):
        journal.commit(execution("a"), expected_version=0, now=NOON)


def test_audit_returns_records_in_order_when_several_commits_appended(journal: Journal) -> None:
    """Records keep their hashes."""
    old = opened(journal, "a")
    records = [audit_record("a", number) for number in range(1, 4)]
    journal.commit(old, expected_version=0, records=records[:2], now=NOON)
    journal.commit(old, expected_version=1, records=records[2:], now=NOON)

    found = journal.audit("a")

    assert tuple(records) == found
    assert all(record.hash == record.expected_hash() for record in found)


@pytest.mark.parametrize(
    "numbers", [(1,), (3,), (2, 2), (2, 4)], ids=["written already", "a gap", "twice", "a gap inside"]
)
def test_commit_raises_when_audit_numbers_do_not_follow(journal: Journal, numbers: tuple[int, ...]) -> None:
    """A chain has no holes and no forks."""
    old = opened(journal, "a")
    journal.commit(old, expected_version=0, records=[audit_record("a", 1)], now=NOON)

    with pytest.raises(StaleVersion) as caught:
        journal.commit(old, expected_version=1, records=[audit_record("a", number) for number in numbers], now=NOON)

    assert "execution a has 1 audit records, the next number is 2" == str(caught.value)
    assert 1 == journal.load("a").version


def test_evidence_is_returned_oldest_first_when_committed_out_of_order(journal: Journal) -> None:
    """An infinite point survives."""
    old = opened(journal, "a")
    late, early = evidence("a", "late", at=2), evidence("a", "early", at=1)

    journal.commit(old, expected_version=0, evidence=[late, early], now=NOON)

    assert (early, late) == journal.evidence("a")
    assert () == journal.evidence("b")


def test_slot_and_followers_are_given_up_when_the_execution_no_longer_absorbs(journal: Journal) -> None:
    """The next alert opens a new execution."""
    old = opened(journal, "a", "k1", "k2")
    other = opened(journal, "b", "k2")

    journal.commit(change(old, status="succeeded"), expected_version=0, now=NOON)

    assert {other.slot: "b"} == journal.holders([old.slot, other.slot])
    assert {"k2": ("b",)} == journal.followers(["k1", "k2"])


def test_slot_is_kept_when_an_ended_execution_still_holds_its_change(journal: Journal) -> None:
    """A holding execution absorbs further episodes."""
    old = opened(journal, "a")

    journal.commit(change(old, status="succeeded", compensation="held"), expected_version=0, now=NOON)

    assert {old.slot: "a"} == journal.holders([old.slot])


def test_commit_raises_when_an_execution_would_end_with_a_signal_unread(journal: Journal) -> None:
    """A join that came in the last moment is not lost; once it is consumed, the end is stored."""
    old = opened(journal, "a")
    journal.signal("a", signal("joined"))

    with pytest.raises(StaleVersion) as caught:
        journal.commit(change(old, status="succeeded"), expected_version=0, now=NOON)

    assert "execution a may not end while signal 1 waits: read its signals first" == str(caught.value)
    ended = journal.commit(change(old, status="succeeded", signals_consumed=1), expected_version=0, now=NOON)
    assert Committed(1) == ended


def test_commit_is_stored_when_a_signal_came_after_the_end(journal: Journal) -> None:
    """A late approval must not keep a driver from taking its lease; the slot was given up long ago."""
    ended = change(opened(journal, "a"), status="succeeded", due_at=None)
    journal.commit(ended, expected_version=0, now=NOON)
    journal.signal("a", signal("approved"))

    assert Committed(2) == journal.commit(ended, expected_version=1, now=after(1))


def test_commit_frees_this_executions_locks_only_when_asked(journal: Journal) -> None:
    """Locks do not expire by themselves."""
    one, two = opened(journal, "a"), opened(journal, "b")
    journal.commit(one, expected_version=0, claims=[Lock("x"), Lock("y")], now=NOON)
    journal.commit(two, expected_version=0, claims=[Lock("z")], now=NOON)
    journal.commit(one, expected_version=1, now=NOON)
    held = [journal.lock_holder(key) for key in "xyz"]

    journal.commit(one, expected_version=2, release_locks=True, now=NOON)

    assert ["a", "a", "b"] == held
    assert [None, None, "b"] == [journal.lock_holder(key) for key in "xyz"]


def test_stored_execution_does_not_change_when_the_caller_changes_a_mapping(journal: Journal) -> None:
    """What is stored is a value, not a reference."""
    inputs = {"cluster": "local"}
    opened(journal, "a", inputs=inputs)

    inputs["cluster"] = "prod"

    assert {"cluster": "local"} == journal.load("a").inputs


def test_audit_returns_only_what_is_new_when_an_earlier_answer_is_named(journal: Journal) -> None:
    """Whoever has heard of some records asks for those after the last of them."""
    old = opened(journal, "a")
    first = (audit_record("a", 1), audit_record("a", 2))
    journal.commit(change(old), expected_version=0, records=first, now=NOON)
    journal.commit(change(old), expected_version=1, records=(audit_record("a", 3),), now=NOON)

    assert [1, 2, 3] == [record.number for record in journal.audit("a")]
    assert [3] == [record.number for record in journal.audit("a", 2)]
    assert () == journal.audit("a", 3)
