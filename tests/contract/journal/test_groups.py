"""Groups: stored on top of the version that was read, with each of their executions as the group sees it."""

from typing import Any

import pytest
from msgspec.structs import replace

from runbook_engine.errors import StaleVersion, UnknownExecution
from runbook_engine.model.group import Group, part_of
from runbook_engine.model.guardrail import Slot
from runbook_engine.model.incident import Intake
from runbook_engine.ports import Committed, Journal, Refused
from tests.contract.journal.samples import NOON, after, execution, opened, signal


def group(name: str = "g", at: float = 0, **changes: Any) -> Group:
    """A group that gathers for a minute from so many minutes after noon."""
    fields: dict[str, Any] = {"id": name, "runbook": "r", "opened_at": after(at), "closes_at": after(at + 1)}
    return Group(**(fields | changes))


def test_group_is_stored_with_the_delivery_that_opens_it(journal: Journal) -> None:
    """Under the version after the one that was read; the newest of a runbook is found."""
    journal.record(Intake(groups=(group("first"),)))
    journal.record(Intake(groups=(group("second", at=5), group("other", at=9, runbook="s"))))

    assert group("first", version=1) == journal.group("first")
    assert group("second", at=5, version=1) == journal.newest_group("r")
    assert journal.newest_group("unheard of") is None


def test_group_raises_when_nobody_has_stored_it(journal: Journal) -> None:
    """The sentence names it."""
    with pytest.raises(UnknownExecution) as caught:
        journal.group("g")

    assert "no group g" == str(caught.value)


def test_record_raises_when_two_deliveries_open_a_group_at_once(journal: Journal) -> None:
    """Nothing of the second is stored: it reads the group of the first, and joins it."""
    journal.record(Intake(groups=(group(),)))

    with pytest.raises(StaleVersion) as caught:
        journal.record(Intake(groups=(group(),), opened=(execution("a", group_id="g"),)))

    assert "a group has moved since it was read: read it again" == str(caught.value)
    assert ((), ()) == (journal.parts("g"), journal.executions(limit=9))


def test_record_raises_when_a_group_was_decided_while_an_alert_came_in(journal: Journal) -> None:
    """Who would come too late to be counted never comes to be of the group."""
    journal.record(Intake(groups=(group(),), opened=(execution("a", group_id="g"),)))
    read = journal.group("g")
    decided = replace(read, state="released", order=("a",))
    journal.commit(journal.load("a"), expected_version=0, group=decided, now=after(1))

    with pytest.raises(StaleVersion):
        journal.record(Intake(groups=(read,), opened=(execution("b", group_id="g"),)))

    assert replace(decided, version=2) == journal.group("g")
    assert ["a"] == [part.execution_id for part in journal.parts("g")]


def test_commit_raises_when_the_group_that_it_decides_has_moved(journal: Journal) -> None:
    """An alert came in: the execution is not stored either, and everything is read again."""
    journal.record(Intake(groups=(group(),), opened=(execution("a", group_id="g"),)))
    read, old = journal.group("g"), journal.load("a")
    journal.record(Intake(groups=(read,), opened=(execution("b", group_id="g"),)))

    with pytest.raises(StaleVersion) as caught:
        journal.commit(
            replace(old, status="blocked"), expected_version=0, group=replace(read, state="held"), now=after(1)
        )

    assert "a group has moved since it was read: read it again" == str(caught.value)
    assert (old, "gathering", 2) == (journal.load("a"), journal.group("g").state, journal.group("g").version)


def test_commit_stores_no_group_when_it_is_refused(journal: Journal) -> None:
    """All or nothing."""
    journal.record(Intake(groups=(group(),), opened=(execution("a", group_id="g"),)))
    opened(journal, "b", slot="taken")
    old, read = journal.load("a"), journal.group("g")

    refused = journal.commit(
        replace(old, slot="taken"), expected_version=0, group=replace(read, state="held"), now=after(1)
    )

    assert Refused(Slot("taken"), "slot taken is held by execution b", None) == refused
    assert read == journal.group("g")


def test_parts_are_the_executions_of_a_group_as_they_are_now(journal: Journal) -> None:
    """Oldest first; those of other groups, or of none, are not among them."""
    late, early = execution("a", group_id="g", opened_at=after(2)), execution("b", group_id="g", opened_at=after(1))
    other = execution("c", group_id="h")
    journal.record(Intake(groups=(group(), group("h")), opened=(late, early, other, execution("d"))))

    journal.commit(replace(late, status="succeeded", reason="verified"), expected_version=0, now=after(3))

    assert (part_of(early), part_of(replace(late, status="succeeded", reason="verified"))) == journal.parts("g")
    assert ["working", "well"] == [part.state for part in journal.parts("g")]
    assert () == journal.parts("unheard of")


def test_parts_are_unchanged_when_only_a_signal_came(journal: Journal) -> None:
    """What a group sees changes with the execution, not with what it is told."""
    journal.record(Intake(groups=(group(),), opened=(execution("a", group_id="g"),)))
    before = journal.parts("g")

    journal.signal("a", signal("resolved"))

    assert before == journal.parts("g")
    assert Committed(1) == journal.commit(journal.load("a"), expected_version=0, now=NOON)
    assert before == journal.parts("g")
