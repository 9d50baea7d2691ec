"""Deciding: what waits in the inbox is decided in order, and what cannot be is told to a person."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from runbook_engine.engine import Engine
from runbook_engine.entrypoints import deciding as module
from runbook_engine.entrypoints.bell import hung_bell
from runbook_engine.entrypoints.deciding import BEHIND, MOST_TOLD, MOST_TRIES, Deciding
from runbook_engine.entrypoints.logs import EventLog
from runbook_engine.errors import Conflict, Overloaded, Retryable, StaleVersion, Unreadable
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.delivery import Request
from runbook_engine.model.incident import Intake
from runbook_engine.ports import Inbox
from runbook_engine.testing.memory_journal import MemoryJournal
from runbook_engine.testing.simulated_world import SimulatedWorld
from tests.lab import bundle_in, simulated_engine, wait_until, webhook


class FragileJournal(MemoryJournal):
    """A journal that refuses to store on order."""

    def __init__(self) -> None:
        super().__init__()
        self.refusal: Callable[[Intake], Exception | None] = lambda intake: None

    def record(self, intake: Intake) -> None:
        """Store, or refuse."""
        if (error := self.refusal(intake)) is not None:
            raise error
        super().record(intake)


@dataclass
class Place:
    """An engine whose journal can be made to fail, and what decides for it."""

    engine: Engine
    journal: FragileJournal
    simulated: SimulatedWorld
    log: io.StringIO
    stop: threading.Event
    deciding: Deciding

    @property
    def inbox(self) -> Inbox:
        """What waits."""
        assert self.journal.inbox is not None
        return self.journal.inbox

    def another(self) -> Deciding:
        """Return what decides for the next process."""
        return replace(self.deciding)

    def send(self, body: bytes, scope: str = "lab") -> int:
        """Let the front door take something in; return the number under which it waits."""
        headers = {"content-type": "application/json"}
        now = self.simulated.clock.push(timedelta(seconds=1))
        request = Request(scope=scope, source="alertmanager", headers=headers, body=body, received_at=now)
        return self.engine.accept(request).waiting

    def targets(self) -> list[str]:
        """What runs were opened for, in the order in which they were."""
        found = self.journal.executions(limit=100)
        return [str(one.target) for one in reversed(found)]

    def events(self, name: str) -> list[dict[str, object]]:
        """What the log says."""
        lines = [json.loads(line) for line in self.log.getvalue().splitlines()]
        return [line for line in lines if line["event"] == name]

    def told(self) -> list[str]:
        """What people were told."""
        return [each.message.text for each in self.simulated.inbox.messages if each.message.event == "setAside"]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The lab's installation."""
    return bundle_in(tmp_path_factory.mktemp("deciding"))


@pytest.fixture
def place(bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A place where nothing is started yet."""
    monkeypatch.setattr(module, "TELL_PERIOD", 0.05)
    simulated, journal, log, stop = SimulatedWorld(), FragileJournal(), io.StringIO(), threading.Event()
    engine = simulated_engine(bundle, simulated, journal=journal, give_way=lambda attempt: None)
    deciding = Deciding(engine=engine, clock=simulated.clock, log=EventLog(log), stop=stop, first_backoff=0.001)
    return Place(engine, journal, simulated, log, stop, deciding)


@pytest.fixture
def started(place: Place) -> Iterator[Callable[[], Place]]:
    """Start the thread, and stop it in the end."""

    def start() -> Place:
        place.deciding.start()
        return place

    yield start
    place.stop.set()
    assert place.deciding.join(5)


def test_what_waits_is_decided_in_the_order_in_which_it_came(started: Callable[[], Place], place: Place) -> None:
    """A resolve never overtakes its alert."""
    for part in ("a", "b", "c"):
        place.send(webhook(part))
    place.send(webhook("a", status="resolved"))

    started()

    wait_until(lambda: place.inbox.is_empty(), "all is decided")
    assert ["/lab/a", "/lab/b", "/lab/c"] == place.targets()
    wait_until(lambda: len(place.events("delivery.decided")) == 4, "all are told")
    [first] = [each.id for each in place.journal.executions(limit=9) if str(each.target) == "/lab/a"]
    assert ["resolved"] == [signal.kind for signal in place.journal.signals(first, 0)]


def test_a_delivery_is_decided_at_once_when_somebody_rings(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who only looked every now and then would find it after the patience of the test."""
    monkeypatch.setattr(module, "POLL", 60.0)
    with hung_bell() as bell:
        woken = replace(place.deciding, rest=bell.wait)
        woken.start()
        place.send(webhook("early"))
        bell.ring()
        wait_until(lambda: ["/lab/early"] == place.targets(), "the first is decided")
        place.send(webhook("late"))

        bell.ring()

        wait_until(lambda: ["/lab/early", "/lab/late"] == place.targets(), "the second is decided")
        place.stop.set()
        bell.ring()
        assert woken.join(5)


def test_a_journal_that_is_away_delays_and_loses_nothing(started: Callable[[], Place], place: Place) -> None:
    """The same sentence is said once, however often it is tried."""
    place.journal.refusal = lambda intake: Unreadable("the disk is full")
    place.send(webhook("a"))
    place.send(webhook("b"))
    started()
    wait_until(lambda: len(place.events("deciding.failed")) == 1, "it is said")

    place.journal.refusal = lambda intake: None

    wait_until(lambda: place.targets() == ["/lab/a", "/lab/b"], "all is decided")
    assert 1 == len(place.events("deciding.failed"))
    assert () == place.inbox.aside(9)


def test_what_makes_us_fail_is_set_aside_after_some_tries_and_somebody_is_paged(
    started: Callable[[], Place], place: Place
) -> None:
    """The others go on."""
    poison = place.send(webhook("poison"))
    place.send(webhook("fine"))
    place.journal.refusal = lambda intake: ZeroDivisionError("a bug") if intake.delivery == poison else None

    started()

    wait_until(lambda: place.targets() == ["/lab/fine"], "the other one is decided")
    wait_until(lambda: place.told() != [], "somebody is told")
    reason = f"an unexpected ZeroDivisionError, {MOST_TRIES} times (see the log)"
    [aside] = place.inbox.aside(9)
    assert (poison, reason) == (aside.number, aside.reason)
    assert [
        f"delivery {poison} of scope lab was stored and answered, and what it means could not be decided: {reason}; "
        f"no run was opened for its alerts (runbook inbox shows them; runbook inbox retry {poison} tries again, "
        f"runbook inbox discard {poison} throws them away)"
    ] == place.told()


def test_what_nobody_else_has_decided_is_no_conflict_for_ever(started: Callable[[], Place], place: Place) -> None:
    """A delivery that still waits was not taken by somebody faster: it is tried like any other, and set aside."""
    poison = place.send(webhook("poison"))
    place.send(webhook("fine"))
    place.journal.refusal = lambda intake: Conflict("in the way") if intake.delivery == poison else None

    started()

    wait_until(lambda: place.targets() == ["/lab/fine"], "the other one is decided")
    [aside] = place.engine.journal.inbox.aside(9)  # type: ignore[union-attr]  # it has one
    assert (poison, f"an unexpected Conflict, {MOST_TRIES} times (see the log)") == (aside.number, aside.reason)


def test_what_ended_the_process_too_often_is_not_tried_again(started: Callable[[], Place], place: Place) -> None:
    """Only the oldest one can have been in hand when a worker died; every start counts one try."""
    poison = place.send(webhook("poison"))
    place.send(webhook("fine"))
    for _ in range(MOST_TRIES):
        place.inbox.tried(poison)

    started()

    wait_until(lambda: place.targets() == ["/lab/fine"], "the other one is decided")
    [aside] = place.inbox.aside(9)
    assert f"the worker ended {MOST_TRIES} times while it was decided" == aside.reason


def test_what_is_no_longer_understood_is_set_aside_at_once(started: Callable[[], Place], place: Place) -> None:
    """Runbooks and scopes may change between the answer and the decision."""
    place.inbox.keep(
        Request(scope="lab", source="alertmanager", headers={}, body=b"[]", received_at=place.simulated.clock.now()), 1
    )

    started()

    wait_until(lambda: len(place.inbox.aside(9)) == 1, "it is set aside")
    [aside] = place.inbox.aside(9)
    assert 'schema: the body is not an Alertmanager webhook: an object with a list "alerts" is expected' == aside.reason


def test_a_receiver_that_is_away_is_told_later(started: Callable[[], Place], place: Place) -> None:
    """The page is not lost with the first try."""
    place.send(webhook("poison"))
    place.journal.refusal = lambda intake: ZeroDivisionError("a bug")
    place.simulated.fail_next("notifier.send", Retryable("away"), times=2)

    started()

    wait_until(lambda: len(place.told()) == 1, "somebody is told")
    assert 2 == len(place.events("delivery.set_aside.untold"))


def test_no_alert_expires_while_something_waits(place: Place) -> None:
    """What waits may say that it still fires."""
    place.send(webhook("a"))
    place.engine.decide(place.engine.oldest_waiting())  # type: ignore[arg-type]  # it waits
    place.simulated.clock.push(place.engine.bundle.configuration.correlation.expire_after * 2)
    place.send(webhook("a"))

    kept = place.engine.expire(place.simulated.clock.now())
    place.engine.decide(place.engine.oldest_waiting())  # type: ignore[arg-type]  # it waits

    assert 0 == kept
    assert 0 == place.engine.expire(place.simulated.clock.now())


def test_what_only_waits_for_the_journal_is_never_set_aside_however_often_it_is_tried(
    started: Callable[[], Place], place: Place
) -> None:
    """A try that the process survives, and that a full disk ended, says nothing against the delivery."""
    number, refusals = place.send(webhook("a")), iter(range(MOST_TRIES + 3))
    place.journal.refusal = lambda intake: Overloaded("the disk is full") if next(refusals, None) is not None else None

    started()

    wait_until(lambda: place.targets() == ["/lab/a"], "it is decided")
    assert (number, ()) == (1, place.inbox.aside(9))


def test_restarts_while_the_journal_is_full_are_not_held_against_what_waits(place: Place) -> None:
    """Every start counts a try, and takes it back when the process lived to see that the journal was the reason."""
    place.send(webhook("a"))
    place.journal.refusal = lambda intake: Overloaded("the disk is full")

    for lives in range(1, MOST_TRIES + 3):
        place.stop.clear()
        life = place.another()
        life.start()
        wait_until(lambda: len(place.events("deciding.failed")) == lives, "it is tried")  # noqa: B023 - at once
        place.stop.set()
        assert life.join(5)

    assert (1, ()) == (place.inbox.tried(1), place.inbox.aside(9))


def test_what_can_never_be_stored_does_not_hold_the_others_up(started: Callable[[], Place], place: Place) -> None:
    """It is always somebody else who was faster: after so many tries that is no race, it is a fault."""
    odd = place.send(webhook("odd"))
    place.send(webhook("fine"))
    place.journal.refusal = lambda intake: StaleVersion("it is there already") if intake.delivery == odd else None

    started()

    wait_until(lambda: place.targets() == ["/lab/fine"], "the other one is decided")
    [aside] = place.inbox.aside(9)
    assert (odd, f"an unexpected StaleVersion, {MOST_TRIES} times (see the log)") == (aside.number, aside.reason)


def test_somebody_is_paged_for_each_however_many_were_set_aside(started: Callable[[], Place], place: Place) -> None:
    """Those beyond the first hundred too."""
    for _ in range(MOST_TOLD + 2):
        place.inbox.set_aside(place.send(webhook("a")), reason="?", at=place.simulated.clock.now())

    started()

    wait_until(lambda: len(place.told()) == MOST_TOLD + 2, "somebody is told of each")


def test_somebody_is_paged_while_others_still_wait(started: Callable[[], Place], place: Place) -> None:
    """The inbox of a bad day is never empty, and that is the day on which the page counts."""
    place.inbox.set_aside(place.send(webhook("a")), reason="?", at=place.simulated.clock.now())
    place.send(webhook("b"))
    place.journal.refusal = lambda intake: Unreadable("the disk is full")

    started()

    wait_until(lambda: len(place.told()) == 1, "somebody is told")
    assert not place.inbox.is_empty()


def test_it_is_behind_until_it_has_come_to_what_is_new(started: Callable[[], Place], place: Place) -> None:
    """What came in long ago may be taken back by what came in later."""
    place.send(webhook("a"))
    place.simulated.clock.push(BEHIND * 2)
    place.journal.refusal = lambda intake: Unreadable("the disk is full")
    started()
    wait_until(lambda: place.events("deciding.failed") != [], "it is tried")

    behind = place.deciding.is_behind()
    place.journal.refusal = lambda intake: None
    wait_until(place.inbox.is_empty, "all is decided")

    assert behind
    wait_until(lambda: not place.deciding.is_behind(), "it is up to date")


def test_targets_count_for_a_storm_when_their_runs_are_opened_and_not_when_the_alerts_came(place: Place) -> None:
    """A worker that was away for an hour would otherwise change at once what came in over that hour."""
    rule = place.engine.bundle.configuration.storm
    for number in range(rule.max_targets + 1):
        place.send(webhook(f"part-{number}"))
        place.simulated.clock.push(rule.within / 10)

    while (waiting := place.engine.oldest_waiting()) is not None:
        place.engine.decide(waiting)

    assert place.journal.latch().held_since == place.simulated.clock.now()


def test_alerts_for_which_there_is_no_room_are_told_together(place: Place, started: Callable[[], Place]) -> None:
    """Once for all of them: a storm is no reason for a thousand messages."""
    place.engine.room.most = 1
    place.send(webhook("a", "b", "c"))

    started()

    wait_until(lambda: len(place.simulated.inbox.messages) == 1, "somebody is told")
    [told] = [each.message for each in place.simulated.inbox.messages]
    assert ("crowded", "alerts open no runs any more") == (told.event, told.title)
    assert (
        "1 runs are open, which is as many as may be (limits.maxOpenExecutions), so 2 alerts opened none: they are "
        "recorded, and nobody looks after them (runbook shows them as not handled; end runs that wait for nothing, or "
        "raise the limit)"
    ) == told.text
    assert [2] == [event["crowded"] for event in place.events("delivery.decided")]


def test_a_delivery_whose_scope_was_renamed_while_it_waited_is_set_aside(
    started: Callable[[], Place], place: Place
) -> None:
    """Its sender was believed when it came; what may be done for it, nobody knows any more."""
    request = Request("gone", "alertmanager", {}, webhook("a"), place.simulated.clock.now())
    place.engine.journal.inbox.keep(request, 1)  # type: ignore[union-attr]  # it has one

    started()

    wait_until(lambda: len(place.told()) == 1, "somebody is told")
    [aside] = place.engine.journal.inbox.aside(9)  # type: ignore[union-attr]  # it has one
    assert "not_ours: engine.yaml names no scope gone any more (name it again, then retry the delivery)" == aside.reason
    assert [] == place.targets()
