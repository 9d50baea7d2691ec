"""Slots: one absorbing execution each; taken by the commit that names another one, and joined in a commit."""

import pytest
from msgspec.structs import replace

from runbook_engine.errors import StaleVersion
from runbook_engine.model.guardrail import Lock, Slot
from runbook_engine.ports import Committed, Journal, Refused
from tests.contract.journal.samples import NOON, audit_record, opened, signal


def test_commit_moves_an_execution_to_the_slot_that_it_names(journal: Journal) -> None:
    """The slot that it had is free again; its followers stay."""
    old = opened(journal, "a", "k1", slot="of the pod")

    journal.commit(replace(old, slot="of the deployment"), expected_version=0, now=NOON)

    assert {"of the deployment": "a"} == journal.holders(["of the pod", "of the deployment"])
    assert {"k1": ("a",)} == journal.followers(["k1"])


def test_commit_is_refused_whole_when_another_execution_holds_the_slot(journal: Journal) -> None:
    """Nothing of it is stored: no version, no claim, no record."""
    opened(journal, "a", slot="taken")
    old = opened(journal, "b", slot="own")

    refused = journal.commit(
        replace(old, slot="taken"), expected_version=0, claims=[Lock("x")], records=[audit_record("b", 1)], now=NOON
    )

    assert Refused(Slot("taken"), "slot taken is held by execution a", None) == refused
    assert (old, (), None) == (journal.load("b"), journal.audit("b"), journal.lock_holder("x"))
    assert {"taken": "a", "own": "b"} == journal.holders(["taken", "own"])


def test_commit_takes_a_slot_when_its_holder_has_let_go(journal: Journal) -> None:
    """The next one may have it."""
    first = opened(journal, "a", slot="wanted")
    second = opened(journal, "b", slot="own")
    journal.commit(replace(first, status="succeeded"), expected_version=0, now=NOON)

    taken = journal.commit(replace(second, slot="wanted"), expected_version=0, now=NOON)

    assert Committed(1) == taken
    assert {"wanted": "b"} == journal.holders(["wanted", "own"])


def test_commit_gives_up_what_it_had_when_an_execution_ends_with_another_slot(journal: Journal) -> None:
    """Ended, it takes none, whoever holds the one that it names."""
    opened(journal, "a", slot="taken")
    old = opened(journal, "b", slot="own")

    stored = journal.commit(replace(old, slot="taken", status="blocked"), expected_version=0, now=NOON)

    assert Committed(1) == stored
    assert {"taken": "a"} == journal.holders(["taken", "own"])


def test_commit_lets_alerts_join_the_holder_of_a_slot(journal: Journal) -> None:
    """In one transaction: this one ends, that one has its alert, is due, and follows it from now on."""
    holder = opened(journal, "a", "k1", slot="wanted", due_at=None)
    joining = opened(journal, "b", "k2", slot="own")
    joined = signal("joined", at=0, key="k2", episode_id="e1")

    journal.commit(replace(joining, status="cancelled"), expected_version=0, joins=[("wanted", "a", joined)], now=NOON)

    assert (replace(joined, number=1),) == journal.signals(holder.id, 0)
    assert {"k1": ("a",), "k2": ("a",)} == journal.followers(["k1", "k2"])
    assert "a" in journal.due(NOON, 9)


def test_commit_raises_when_what_is_joined_no_longer_holds_the_slot(journal: Journal) -> None:
    """Nobody would hear of the alert: nothing is stored, and the slot is asked for again."""
    opened(journal, "a", slot="other")
    joining = opened(journal, "b", "k2", slot="own")

    with pytest.raises(StaleVersion) as caught:
        journal.commit(
            replace(joining, status="cancelled"),
            expected_version=0,
            joins=[("wanted", "a", signal("joined"))],
            now=NOON,
        )

    assert "slot wanted is no longer held by execution a: read it again" == str(caught.value)
    assert ((), joining) == (journal.signals("a", 0), journal.load("b"))
    assert {"k2": ("b",)} == journal.followers(["k2"])


def test_commit_raises_when_an_execution_would_join_with_a_signal_unread(journal: Journal) -> None:
    """Its alert may just have resolved: that is read first, so that the holder never hears of one that is over."""
    opened(journal, "a", slot="wanted")
    joining = opened(journal, "b", "k2", slot="own")
    journal.signal("b", signal("resolved", key="k2"))

    with pytest.raises(StaleVersion):
        journal.commit(
            replace(joining, status="cancelled"),
            expected_version=0,
            joins=[("wanted", "a", signal("joined"))],
            now=NOON,
        )

    assert () == journal.signals("a", 0)
