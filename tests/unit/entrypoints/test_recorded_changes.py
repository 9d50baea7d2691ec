"""Changes as they are known: the source's own and the recorded ones, each told once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from runbook_engine.entrypoints.recorded_changes import RecordedChangeReader, merged
from runbook_engine.errors import NoAdapter, Overloaded, RunbookError, Unreadable
from runbook_engine.model.observation import ChangeEvent
from runbook_engine.model.target import Target
from runbook_engine.testing.memory_journal import MemoryJournal

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
CHECKOUT = Target("deployment", "prod", "apps", "checkout")


def change(seconds: float, what: str, who: str = "ci", **more: Any) -> ChangeEvent:
    """A change so many seconds after noon."""
    return ChangeEvent(at=NOON + timedelta(seconds=seconds), who=who, what=what, **more)


class Source:
    """A source of changes, or of an error."""

    def __init__(self, *events: ChangeEvent, error: RunbookError | None = None) -> None:
        self._events = events
        self._error = error

    def changes(self, target: Target, since: datetime) -> tuple[ChangeEvent, ...]:
        if self._error is not None:
            raise self._error
        return self._events


class BrokenJournal(MemoryJournal):
    """A journal that cannot be read now."""

    def recorded_changes(self, target: Target, since: datetime) -> tuple[ChangeEvent, ...]:
        raise Overloaded("journal j was busy for 5 s: others keep writing (raise busyTimeout)")


CASES: dict[str, tuple[list[ChangeEvent], list[ChangeEvent], list[str]]] = {
    "what only one of them knows": (
        [change(9, "marked")],
        [change(10, "restarted"), change(0, "replicas 2 -> 3")],
        ["restarted", "marked", "replicas 2 -> 3"],
    ),
    "a release seen as it was written and as its ReplicaSet came": (
        [change(1, "image a:1 -> a:2", revision=3)],
        [change(0, "image a:1 -> a:2")],
        ["image a:1 -> a:2"],
    ),
    "a release of which one knows the cause": (
        [change(1, "image a:1 -> a:2 (ticket 7)")],
        [change(0, "image a:1 -> a:2")],
        ["image a:1 -> a:2 (ticket 7)"],
    ),
    "a write told exactly and vaguely": (
        [change(0, "wrote spec.replicas, spec.template")],
        [change(0, "image a:1 -> a:2"), change(0, "replicas 2 -> 3")],
        ["image a:1 -> a:2", "replicas 2 -> 3"],
    ),
    "the same words by two people": (
        [change(1, "restarted", "ann")],
        [change(0, "restarted", "bob")],
        ["restarted", "restarted"],
    ),
    "the same words two minutes apart": ([change(120, "restarted")], [change(0, "restarted")], ["restarted"]),
    "the same words later": ([change(121, "restarted")], [change(0, "restarted")], ["restarted", "restarted"]),
    "a change and how it did": (
        [],
        [change(1, "revision 2", "kubernetes", kind="failed"), change(2, "revision 2", "kubernetes", kind="healthy")],
        ["revision 2", "revision 2"],
    ),
}


@pytest.mark.parametrize(("seen", "recorded", "told"), CASES.values(), ids=CASES)
def test_each_change_is_told_once_when_both_know_it(
    seen: list[ChangeEvent], recorded: list[ChangeEvent], told: list[str]
) -> None:
    """Newest first; the exact words win over the vague ones."""
    found = merged(seen, recorded)

    assert told == [event.what for event in found]
    assert sorted(found, key=lambda event: event.at, reverse=True) == list(found)


def test_reader_asks_both_when_it_is_asked() -> None:
    """And of the journal what is young enough."""
    journal = MemoryJournal()
    journal.record_change(CHECKOUT, change(0, "deleted"))
    journal.record_change(CHECKOUT, change(-99, "too old"))

    found = RecordedChangeReader(Source(change(5, "restarted")), journal).changes(CHECKOUT, NOON)

    assert ["restarted", "deleted"] == [event.what for event in found]


@pytest.mark.parametrize(
    ("source", "journal", "sentence"),
    [
        pytest.param(
            Source(error=Unreadable("the cluster is away (look at it)")),
            MemoryJournal(),
            "the cluster is away (look at it)",
            id="the source",
        ),
        pytest.param(
            Source(),
            BrokenJournal(),
            "the recorded changes of apps/deployment/checkout cannot be read: "
            "journal j was busy for 5 s: others keep writing (raise busyTimeout)",
            id="the journal",
        ),
    ],
)
def test_reader_raises_unreadable_when_either_cannot_be_read(
    source: Source, journal: MemoryJournal, sentence: str
) -> None:
    """Half of the truth would pass for: nobody changed anything."""
    with pytest.raises(Unreadable) as caught:
        RecordedChangeReader(source, journal).changes(CHECKOUT, NOON)

    assert sentence == str(caught.value)


LIVE = Target("function", "", "", "orders:live")


def test_of_a_function_the_record_is_enough_and_the_whole_counts_for_its_alias() -> None:
    """Whoever deploys reports the function; nobody has to watch it."""
    journal = MemoryJournal()
    journal.record_change(LIVE.whole, change(10, "release 9"))
    journal.record_change(LIVE, change(20, "alias moved"))
    nobody = Source(error=NoAdapter("nothing serves changes", "name an adapter under adapters.changes"))

    reader = RecordedChangeReader(nobody, journal)

    assert ["alias moved", "release 9"] == [event.what for event in reader.changes(LIVE, NOON)]
    with pytest.raises(NoAdapter):
        reader.changes(CHECKOUT, NOON)
