"""Deciding: what waits in the inbox is decided in order, and what cannot be is told to a person."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from runbook_engine.engine import Engine
from runbook_engine.entrypoints import deciding as module
from runbook_engine.entrypoints.deciding import MOST_TRIES, Deciding
from runbook_engine.entrypoints.logs import EventLog
from runbook_engine.errors import Retryable, Unreadable
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.delivery import Request
from runbook_engine.model.incident import Intake
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
    engine = simulated_engine(bundle, simulated, journal=journal)
    deciding = Deciding(engine=engine, clock=simulated.clock, log=EventLog(log), stop=stop, first_backoff=0.01)
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

    wait_until(lambda: place.engine.journal.inbox.is_empty(), "all is decided")  # type: ignore[union-attr]  # it has one
    assert ["/lab/a", "/lab/b", "/lab/c"] == place.targets()
    wait_until(lambda: len(place.events("delivery.decided")) == 4, "all are told")
    [first] = [each.id for each in place.journal.executions(limit=9) if str(each.target) == "/lab/a"]
    assert ["resolved"] == [signal.kind for signal in place.journal.signals(first, 0)]


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
    assert () == place.engine.journal.inbox.aside(9)  # type: ignore[union-attr]  # it has one


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
    [aside] = place.engine.journal.inbox.aside(9)  # type: ignore[union-attr]  # it has one
    assert (poison, reason) == (aside.number, aside.reason)
    assert [
        f"delivery {poison} of scope lab was stored and answered, and what it means could not be decided: {reason}; "
        f"no run was opened for its alerts (runbook inbox shows them; runbook inbox retry {poison} tries again, "
        f"runbook inbox discard {poison} throws them away)"
    ] == place.told()


def test_what_ended_the_process_too_often_is_not_tried_again(started: Callable[[], Place], place: Place) -> None:
    """Only the oldest one can have been in hand when a worker died; every start counts one try."""
    poison = place.send(webhook("poison"))
    place.send(webhook("fine"))
    for _ in range(MOST_TRIES):
        place.engine.journal.inbox.tried(poison)  # type: ignore[union-attr]  # it has one

    started()

    wait_until(lambda: place.targets() == ["/lab/fine"], "the other one is decided")
    [aside] = place.engine.journal.inbox.aside(9)  # type: ignore[union-attr]  # it has one
    assert f"the worker ended {MOST_TRIES} times while it was decided" == aside.reason


def test_what_is_no_longer_understood_is_set_aside_at_once(started: Callable[[], Place], place: Place) -> None:
    """Runbooks and scopes may change between the answer and the decision."""
    place.engine.journal.inbox.keep(  # type: ignore[union-attr]  # it has one
        Request(scope="lab", source="alertmanager", headers={}, body=b"[]", received_at=place.simulated.clock.now()), 1
    )

    started()

    wait_until(lambda: len(place.engine.journal.inbox.aside(9)) == 1, "it is set aside")  # type: ignore[union-attr]
    [aside] = place.engine.journal.inbox.aside(9)  # type: ignore[union-attr]  # it has one
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
