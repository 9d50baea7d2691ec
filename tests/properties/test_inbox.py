"""The inbox changes when a delivery is decided, and never what is decided of it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runbook_engine.engine import Engine
from runbook_engine.errors import Conflict
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.delivery import Request
from runbook_engine.model.incident import Intake
from runbook_engine.ports import Inbox, Journal
from runbook_engine.testing.memory_journal import MemoryJournal
from runbook_engine.testing.simulated_world import SimulatedWorld
from tests.contract.journal.opening import open_sqlite
from tests.lab import bundle_in, simulated_engine
from tests.length import examples

pytestmark = pytest.mark.slow

NOON = datetime(2026, 5, 11, 12, tzinfo=UTC)


class Dies(BaseException):
    """The process ends."""


class Mortal:
    """A journal whose process ends just before it has stored what was decided, or just after."""

    def __init__(self, inner: Journal) -> None:
        self.inner = inner
        self.death = ""

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    def record(self, intake: Intake) -> None:
        """Store, or die."""
        if self.death == "before":
            raise Dies
        self.inner.record(intake)
        if self.death == "after":
            raise Dies


@cache
def bundle() -> Bundle:
    """The lab's installation."""
    with tempfile.TemporaryDirectory() as folder:
        return bundle_in(Path(folder))


@contextmanager
def in_memory() -> Iterator[Journal]:
    """A journal in memory."""
    yield MemoryJournal()


@contextmanager
def in_a_file() -> Iterator[Journal]:
    """A journal on a file."""
    with tempfile.TemporaryDirectory() as folder:
        journal = open_sqlite(Path(folder))
        yield journal
        journal.close()


Told = tuple[str, str, int | None]  # of which part, what, and since when; None = its sender does not say

alerts = st.tuples(st.sampled_from("ab"), st.sampled_from(["firing", "resolved"]), st.sampled_from([None, 0, 1, 2]))
deliveries = st.lists(alerts, min_size=1, max_size=2)
DEEDS = ("decide", "decide", "decide", "decide by two", "die before", "die after", "set aside", "give back", "discard")
AGAIN: list[tuple[str, list[Told]]] = [("accept", [("a", "firing", None)])]
steps = st.lists(
    st.one_of(
        st.tuples(st.just("accept"), deliveries),
        st.tuples(st.just("accept"), deliveries),
        st.tuples(st.sampled_from(DEEDS), st.just([])),
    ),
    max_size=25,
)


def request(told: list[Told], minute: int) -> Request:
    """One delivery; times are minutes."""
    body = []
    for part, status, start in told:
        alert = {"status": status, "labels": {"alertname": "Hot", "part": part}}
        times = {"startsAt": at(start * 3).isoformat()} if start is not None else {}
        if start is not None and status == "resolved":
            times["endsAt"] = at(start * 3 + 2).isoformat()
        body.append(alert | times)
    headers = {"content-type": "application/json"}
    return Request("lab", "alertmanager", headers, json.dumps({"alerts": body}).encode(), at(minute))


def at(minute: int) -> datetime:
    """That minute."""
    return NOON + timedelta(minutes=minute)


def engine_on(journal: Journal) -> Engine:
    """A process."""
    return simulated_engine(bundle(), SimulatedWorld(start=NOON), journal=journal, give_way=lambda attempt: None)


class Stage:
    """One installation with an inbox, and another that decides at its door what the first one has decided."""

    def __init__(self, journal: Journal) -> None:
        self.mortal = Mortal(journal)
        self.engine = engine_on(self.mortal)  # type: ignore[arg-type]  # the inner journal answers the rest
        assert journal.inbox is not None
        self.inbox: Inbox = journal.inbox
        self.door = engine_on(MemoryJournal())
        self.kept: dict[int, Request] = {}
        self.aside: list[int] = []

    def take(self, name: str, told: list[Told], minute: int) -> None:
        """Do one thing."""
        match name:
            case "accept":
                self._accept(request(told, minute))
            case "decide":
                self._decided(self._oldest())
            case "decide by two":
                self._decided(self._oldest(), times=2)
            case "die before" | "die after":
                self._die(name.removeprefix("die "))
            case "set aside" if number := self._oldest():
                self.inbox.set_aside(number, reason="?", at=at(minute))
                self.aside.append(number)
            case "give back" if self.aside:
                number = self.aside.pop()
                self.kept[self.inbox.give_back(number, at(minute))] = self.kept.pop(number)
            case "discard" if self.aside:
                self.inbox.discard(self.aside.pop())

    def _accept(self, sent: Request) -> None:
        number = self.engine.accept(sent).waiting
        if number:
            self.kept[number] = sent
        else:
            assert self.inbox.is_empty(), "nothing overtakes what waits"
            self.door.ingest(sent)  # it was decided to be no news

    def _oldest(self) -> int:
        waiting = self.inbox.oldest()
        return waiting.number if waiting is not None else 0

    def _decided(self, number: int, times: int = 1) -> None:
        if not number:
            return
        waiting = self.inbox.oldest()
        assert waiting is not None
        assert waiting.request == self.kept[number]
        self.engine.decide(waiting)
        for _ in range(times - 1):  # somebody who has read the same is too late
            with pytest.raises(Conflict):
                self.engine.decide(waiting)
        self.door.ingest(self.kept.pop(number))

    def _die(self, when: str) -> None:
        waiting = self.inbox.oldest()
        if waiting is None:
            return
        self.mortal.death = when
        with pytest.raises(Dies):
            self.engine.decide(waiting)
        self.mortal.death = ""
        if when == "after":
            self.door.ingest(self.kept.pop(waiting.number))
        self.engine = engine_on(self.mortal)  # type: ignore[arg-type]  # the next process

    def all_decided(self) -> None:
        """Decide what still waits."""
        while number := self._oldest():
            self._decided(number)


def memory_of(journal: Journal) -> object:
    """All that was decided: episodes, incidents with what happened in them, runs, and who heard what."""
    runs = sorted(journal.executions(limit=1000), key=lambda one: one.id)
    incidents = sorted(journal.incidents(limit=1000), key=lambda one: one.id)
    keys = {key for one in incidents for key in one.alert_keys}
    return (
        runs,
        incidents,
        [journal.arrivals(one.id) for one in incidents],
        [journal.signals(one.id, 0) for one in runs],
        sorted(journal.episodes(sorted(keys)).items()),
    )


@pytest.mark.parametrize("opened", [in_memory, in_a_file])
def test_what_waited_means_what_it_would_have_meant_at_the_door(opened: Callable[[], Iterator[Journal]]) -> None:
    """Whatever dies, is decided twice, set aside or given back: the same deliveries in the same order, each once."""

    @settings(max_examples=examples(45), deadline=None)
    @given(steps)
    @example([*AGAIN, ("decide", []), ("accept", [("a", "resolved", None)]), *AGAIN])  # a repeat behind what ends it
    def holds(taken: list[tuple[str, list[Told]]]) -> None:
        with opened() as journal:  # type: ignore[attr-defined]  # a context
            stage = Stage(journal)
            for minute, (name, told) in enumerate(taken):
                stage.take(name, told, minute)
            stage.all_decided()

            assert memory_of(stage.door.journal) == memory_of(journal)

    holds()
