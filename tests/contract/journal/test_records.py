"""What is kept beside executions: the storm latch, how runs ended, and what happened in them."""

import random

import pytest
from msgspec.structs import replace

from runbook_engine.errors import StaleVersion
from runbook_engine.model.guardrail import Lock
from runbook_engine.model.incident import Intake
from runbook_engine.model.standing import End
from runbook_engine.model.storm import Latch
from runbook_engine.ports import Journal, Refused
from tests.contract.journal.samples import NOON, after, episode, evidence, opened


def end(name: str, at: float = 0, digest: str = "d1") -> End:
    """The failure of an execution, so many minutes after noon."""
    return End(runbook="r", digest=digest, execution_id=name, at=after(at), status="failed", mode="auto")


def test_latch_is_open_when_nothing_was_ever_stored(journal: Journal) -> None:
    """It holds nobody, and has the version on which the first one is stored."""
    assert Latch() == journal.latch()


def test_latch_is_stored_with_a_delivery_on_the_version_that_was_read(journal: Journal) -> None:
    """The next one follows on it."""
    first = Latch(recent=(("deployment/apps/a", NOON),))
    journal.record(Intake(latch=first))
    second = replace(journal.latch(), held_since=after(1), reason="too many", last_at=after(1))
    journal.record(Intake(latch=second))

    assert replace(second, version=2) == journal.latch()


def test_record_raises_when_the_latch_has_moved(journal: Journal) -> None:
    """Nothing of the delivery is stored."""
    journal.record(Intake(latch=Latch()))

    with pytest.raises(StaleVersion) as caught:
        journal.record(Intake(episodes=(episode("a"),), latch=Latch(reason="late")))

    assert "the storm latch has moved since it was read: read it again" == str(caught.value)
    assert {} == journal.episodes(["a"])
    assert Latch(version=1) == journal.latch()


def test_ends_are_kept_by_runbook_and_digest_with_the_newest_first(journal: Journal) -> None:
    """Those of another digest are not of this runbook as it is written now."""
    for name, at, digest in (("a", 1, "d1"), ("b", 3, "d1"), ("c", 2, "d2")):
        execution = opened(journal, name)
        journal.commit(execution, expected_version=0, end=end(name, at, digest), now=after(at))

    assert (end("b", 3), end("a", 1)) == journal.ends("r", "d1", 10)
    assert (end("b", 3),) == journal.ends("r", "d1", 1)
    assert () == journal.ends("r", "d3", 10)
    assert () == journal.ends("other", "d1", 10)


def test_ends_answer_what_lowered_the_runbook_however_many_runs_ended_afterwards(journal: Journal) -> None:
    """Of each mode that it was lowered to, the newest; what is among the newest of all is not told twice."""
    fine = {"status": "succeeded", "verified": True, "changed": True}
    kept = (
        end("first", 0),
        end("second", 1),
        replace(end("by yes", 2), mode="approve"),
        replace(end("again", 3), status="unresolved", changed=True, again=True),
        *(replace(end(f"fine-{number}", 4 + number), **fine) for number in range(5)),
        replace(end("other", 20, "d2"), mode="approve"),
        replace(end("unresolved", 21), status="unresolved", changed=True),
    )
    for each in kept:
        journal.commit(opened(journal, each.execution_id), expected_version=0, end=each, now=each.at)

    def named(limit: int) -> list[str]:
        return [found.execution_id for found in journal.ends("r", "d1", limit)]

    lowering = ["again", "by yes", "second", "first"]
    newest = ["unresolved", "fine-4", "fine-3", "fine-2", "fine-1", "fine-0", *lowering]
    assert ["unresolved", "again", "by yes"] == named(1)
    assert ["unresolved", "fine-4", "again", "by yes", "second"] == named(2)
    assert [*newest[:4], *lowering] == named(4)
    assert newest == named(7) == named(10) == named(100)


def test_end_is_kept_once_when_an_execution_ends_otherwise_later(journal: Journal) -> None:
    """The newest word counts."""
    execution = opened(journal, "a")
    journal.commit(execution, expected_version=0, end=end("a"), now=NOON)
    later = replace(end("a"), status="handed_over")
    journal.commit(execution, expected_version=1, end=later, now=NOON)

    assert (later,) == journal.ends("r", "d1", 10)


def test_trace_is_kept_in_the_order_of_commits(journal: Journal) -> None:
    """A commit that says nothing leaves no gap."""
    execution = opened(journal, "a")
    for version, said in enumerate((b"first", b"", b"\x00 second")):
        journal.commit(execution, expected_version=version, trace=said, now=NOON)

    assert (b"first", b"\x00 second") == journal.trace("a")
    assert () == journal.trace("unheard of")


def test_commit_keeps_neither_end_nor_trace_when_a_claim_is_refused(journal: Journal) -> None:
    """It is one transaction."""
    journal.commit(opened(journal, "holder"), expected_version=0, claims=[Lock("x")], now=NOON)
    execution = opened(journal, "a")

    answer = journal.commit(
        execution, expected_version=0, claims=[Lock("x")], trace=b"never", end=end("a"), now=after(1)
    )

    assert isinstance(answer, Refused)
    assert () == journal.trace("a")
    assert () == journal.ends("r", "d1", 10)


def test_trace_of_any_size_is_kept(journal: Journal) -> None:
    """One commit may hold a plan, and a plan the evidence that it is made from."""
    execution = opened(journal, "a")
    said = random.Random(7).randbytes(1_000_000)  # nothing makes it smaller

    journal.commit(execution, expected_version=0, trace=said, now=NOON)

    assert (said,) == journal.trace("a")


def test_trace_is_never_why_a_commit_fails(journal: Journal) -> None:
    """Where there is no room for it, nothing stands in its place, and the commit is stored."""
    execution = opened(journal, "a")
    said = random.Random(7).randbytes(2_200_000)
    piece = replace(evidence("a", "logs"), text=random.Random(8).randbytes(1_900_000).hex())

    journal.commit(execution, expected_version=0, evidence=(piece,), trace=said, now=NOON)

    assert journal.trace("a") in ((said,), (b"",))
    assert (piece,) == journal.evidence("a")
    assert 1 == journal.load("a").version
