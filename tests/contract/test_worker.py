"""The worker: what is due is driven, once at a time, and one execution's trouble stays its own."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from runbook_engine.engine import Engine
from runbook_engine.entrypoints import holding
from runbook_engine.entrypoints import worker as module
from runbook_engine.entrypoints.heartbeat import is_fresh, read_heartbeat
from runbook_engine.entrypoints.logs import EventLog
from runbook_engine.entrypoints.receiver_breaker import ReceiverBreaker
from runbook_engine.entrypoints.worker import Worker, run_until_idle
from runbook_engine.errors import Retryable, RunbookError, Spoiled, Unreadable
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.directive import Directive, Done, Wait
from runbook_engine.model.observation import Message
from runbook_engine.model.plan import Value
from runbook_engine.model.target import Target
from runbook_engine.ports import FlagWriter
from runbook_engine.testing.memory_journal import MemoryJournal
from runbook_engine.testing.simulated_world import SimulatedWorld
from tests.lab import bundle_in, post, simulated_engine, wait_until, webhook

pytestmark = pytest.mark.slow

SHORT = timedelta(seconds=0.1)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The small installation of the lab."""
    return bundle_in(tmp_path_factory.mktemp("lab"))


class StuckFlags:
    """A flag store of which one parameter never answers until it is let go."""

    def __init__(self, flags: FlagWriter, stuck: str) -> None:
        self.flags = flags
        self.stuck = stuck
        self.entered = threading.Event()
        self.let_go = threading.Event()
        self.calls: list[str] = []

    def write(self, target: Target, value: str | None, *, expected: str | None) -> Mapping[str, Value]:
        """Write, or hang first."""
        self.calls.append(target.name)
        if target.name == self.stuck:
            self.entered.set()
            self.let_go.wait(20)
        return self.flags.write(target, value, expected=expected)


class HangingReceiver:
    """A receiver that never answers: half a second stands for the ten that are waited for."""

    def __init__(self) -> None:
        self.calls = 0

    def send(self, receiver: str, message: Message) -> str:
        """Hang, then give up."""
        self.calls += 1
        time.sleep(0.5)
        raise Retryable(f"receiver {receiver} was not reached: no answer within the time limit")


class MoodyJournal(MemoryJournal):
    """A journal that can be broken, as a whole or for one execution."""

    def __init__(self) -> None:
        super().__init__()
        self.broken = False
        self.trouble: RunbookError = Unreadable("the journal is broken by the test")
        self.bad_execution = ""

    def due(self, now, limit):  # type: ignore[no-untyped-def]
        """Return what is due, unless broken."""
        if self.broken:
            raise self.trouble
        return super().due(now, limit)

    def load(self, execution_id):  # type: ignore[no-untyped-def]
        """Load, unless it is the bad one."""
        if execution_id == self.bad_execution:
            raise ZeroDivisionError("a bug")
        return super().load(execution_id)


class WaitsOnce:
    """An engine with one run, which waits for a moment and is then done."""

    def __init__(self, engine: Engine) -> None:
        self.driven: list[float] = []
        self._engine = engine

    def __getattr__(self, name: str) -> object:
        """Be the engine in everything else."""
        return getattr(self._engine, name)

    def due(self, now: datetime, limit: int) -> tuple[str, ...]:
        """Return the run until it is done."""
        return ("one",) if len(self.driven) < 2 else ()

    def drive(self, execution_id: str, owner: str, now: datetime, time_left: timedelta) -> Directive:
        """Wait, and then be done."""
        self.driven.append(time.monotonic())
        return Wait(now + SHORT, "on its way") if len(self.driven) == 1 else Done("succeeded")


@contextmanager
def working(engine: Engine, **options: object) -> Iterator[Worker]:
    """Run a worker in a thread, and stop it at the end."""
    log = EventLog(io.StringIO())
    clock = engine.world.clock
    worker = Worker(engine=engine, clock=clock, log=log, owner="w1", first_backoff=0.1, **options)  # type: ignore[arg-type]
    thread = threading.Thread(target=worker.run, kwargs={"grace": timedelta(seconds=5)})
    thread.start()
    try:
        yield worker
    finally:
        worker.stop.set()
        thread.join(10)
        assert not thread.is_alive()


def status_of(engine: Engine, execution_id: str) -> str:
    """Return the execution's status as stored."""
    return MemoryJournal.load(engine.journal, execution_id).status  # type: ignore[arg-type]


def test_everything_due_is_driven_to_its_end(bundle: Bundle) -> None:
    """Twenty alerts at once, four threads: each makes its change exactly once."""
    simulated = SimulatedWorld()
    engine = simulated_engine(bundle, simulated)
    ids = post(engine, webhook(*(f"part-{index}" for index in range(20))))

    with working(engine, threads=4):
        wait_until(lambda: all(status_of(engine, one) == "succeeded" for one in ids), "all succeed")

    assert 20 == len(ids)
    assert 20 == len(simulated.effects_made)


def test_a_short_wait_is_not_prolonged_to_the_next_poll(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for less than the pause between two polls is looked at when its time has come, and not before."""
    monkeypatch.setattr(module, "POLL", 60.0)
    engine = WaitsOnce(simulated_engine(bundle, SimulatedWorld()))

    with working(engine) as worker:  # type: ignore[arg-type]
        wait_until(lambda: len(engine.driven) == 2, "it is looked at again")
        worker.stop.set()
        worker.wake()

    first, second = engine.driven
    assert second - first >= SHORT.total_seconds()


def test_nothing_is_driven_while_what_came_in_since_is_undecided(bundle: Bundle) -> None:
    """A run must not act on an alert whose end waits in the inbox."""
    simulated, behind = SimulatedWorld(), threading.Event()
    engine = simulated_engine(bundle, simulated)
    behind.set()
    [one] = post(engine, webhook("one"))

    with working(engine, is_behind=behind.is_set):
        time.sleep(0.5)
        assert "pending" == status_of(engine, one)
        post(engine, webhook("one", status="resolved"))
        behind.clear()
        wait_until(lambda: status_of(engine, one) not in ("pending", "running"), "it ends")

    assert () == simulated.effects_made


def test_what_is_to_be_done_waits_for_nobody_longer_than_a_minute(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs undo too, and tell people; an inbox that does not move must not stop them."""
    monkeypatch.setattr(holding, "LONGEST", 0.3)
    simulated = SimulatedWorld()
    engine = simulated_engine(bundle, simulated)
    [one] = post(engine, webhook("one"))

    with working(engine, is_behind=lambda: True):
        wait_until(lambda: status_of(engine, one) == "succeeded", "it succeeds")


def test_one_stuck_adapter_does_not_stop_the_others_and_is_not_entered_twice(bundle: Bundle) -> None:
    """Even after its lease has expired, this process does not drive an execution that it still has in hand."""
    simulated = SimulatedWorld()
    stuck = StuckFlags(simulated.effects.flags, "/lab/stuck")
    engine = simulated_engine(bundle, simulated, effects=replace(simulated.effects, flags=stuck))
    [hangs] = post(engine, webhook("stuck"))

    with working(engine, threads=2):
        assert stuck.entered.wait(10)
        simulated.push(timedelta(minutes=2))
        others = post(engine, webhook("one", "two", "three"))
        wait_until(lambda: all(status_of(engine, one) == "succeeded" for one in others), "the others succeed")
        stuck.let_go.set()
        wait_until(lambda: status_of(engine, hangs) == "succeeded", "the stuck one succeeds at last")

    assert 1 == stuck.calls.count("/lab/stuck")


def test_a_receiver_that_hangs_stops_no_change(bundle: Bundle) -> None:
    """Forty runs act while it takes two threads, once; what they have to tell is kept."""
    simulated = SimulatedWorld()
    hanging = HangingReceiver()
    effects = replace(simulated.effects, notifier=ReceiverBreaker(hanging, simulated.clock))
    engine = simulated_engine(bundle, simulated, effects=effects)
    ids = post(engine, webhook(*(f"part-{index}" for index in range(40))))

    with working(engine):
        wait_until(lambda: all(status_of(engine, one) == "succeeded" for one in ids), "all succeed")

    assert 40 == len(ids)
    assert 40 == len(simulated.effects_made)
    assert hanging.calls <= 2
    assert all(engine.journal.load(one).outbox for one in ids)


def test_an_execution_that_raises_is_left_alone_for_a_while_and_the_others_go_on(bundle: Bundle) -> None:
    """A bug in one run is logged with its class, counted, and tried again later."""
    journal, errors = MoodyJournal(), []
    simulated = SimulatedWorld()
    engine = simulated_engine(bundle, simulated, journal=journal)
    [bad] = post(engine, webhook("bad"))
    [good] = post(engine, webhook("good"))
    journal.bad_execution = bad

    with working(engine, count_error=errors.append):
        wait_until(lambda: status_of(engine, good) == "succeeded", "the good one succeeds")
        wait_until(lambda: len(errors) >= 1, "the error is counted")
        journal.bad_execution = ""
        wait_until(lambda: status_of(engine, bad) == "succeeded", "the bad one recovers")

    assert {"ZeroDivisionError"} == set(errors)
    assert len(errors) < 5


@pytest.mark.parametrize(
    ("trouble", "says"),
    [
        pytest.param(Unreadable("journal /secret/path cannot be read"), "Unreadable", id="for a while"),
        pytest.param(
            Spoiled("journal /secret/path is damaged", "journal path is damaged"),
            "journal path is damaged",
            id="for good",
        ),
    ],
)
def test_the_worker_outlives_a_journal_that_breaks(
    trouble: RunbookError, says: str, bundle: Bundle, tmp_path: Path
) -> None:
    """It says so in its heartbeat, and goes on when the journal is back."""
    journal = MoodyJournal()
    journal.broken, journal.trouble = True, trouble
    engine = simulated_engine(bundle, SimulatedWorld(), journal=journal)
    beat_file = tmp_path / "beat.json"
    [execution_id] = post(engine, webhook())

    with working(engine, beat_file=beat_file, pid=7):
        wait_until(
            lambda: (beat := read_heartbeat(beat_file)) is not None and beat.problem == says,
            "the heartbeat says it",
        )
        journal.broken = False
        wait_until(lambda: status_of(engine, execution_id) == "succeeded", "the work goes on")

    beat = read_heartbeat(beat_file)
    assert beat is not None
    assert ("w1", 7) == (beat.owner, beat.pid)
    assert is_fresh(beat, engine.world.clock.now())
    assert not is_fresh(beat, engine.world.clock.now() + timedelta(minutes=1))


def test_a_stop_waits_for_what_is_in_hand_and_gives_up_after_its_grace(bundle: Bundle) -> None:
    """A stuck adapter cannot keep the process; its intent stays recorded for whoever comes next."""
    simulated = SimulatedWorld()
    stuck = StuckFlags(simulated.effects.flags, "/lab/all")
    engine = simulated_engine(bundle, simulated, effects=replace(simulated.effects, flags=stuck))
    [execution_id] = post(engine, webhook())
    stream = io.StringIO()
    worker = Worker(engine=engine, clock=simulated.clock, log=EventLog(stream), owner="w1")

    rested: list[bool] = []
    thread = threading.Thread(target=lambda: rested.append(worker.run(grace=timedelta(milliseconds=200))))
    thread.start()
    assert stuck.entered.wait(10)
    worker.stop.set()
    thread.join(10)
    stuck.let_go.set()

    assert [False] == rested
    assert 1 == json.loads(stream.getvalue().splitlines()[-1])["abandoned"]
    assert "intended" in {record.event for record in engine.journal.audit(execution_id)}


def test_a_worker_takes_over_what_a_dead_one_left(bundle: Bundle) -> None:
    """When the lease has expired the intent is found and brought to its end, once."""
    simulated = SimulatedWorld()

    class Died(Exception):
        """The process ends here."""

    def die(name: str) -> None:
        if name == "after-intent":
            raise Died

    engine = simulated_engine(bundle, simulated)
    [execution_id] = post(engine, webhook())
    mortal = Engine(
        bundle=bundle,
        journal=engine.journal,
        world=simulated.world,
        effects=simulated.effects,
        registry=engine._registry,
        checkpoint=die,
    )
    with pytest.raises(Died):
        run_until_idle(mortal, [execution_id], clock=simulated.clock, owner="dead")

    with working(engine):
        still = status_of(engine, execution_id)
        simulated.push(bundle.configuration.limits.lease + timedelta(seconds=1))
        wait_until(lambda: status_of(engine, execution_id) == "succeeded", "it is taken over")

    assert "running" == still
    assert 1 == len(simulated.effects_made)


def test_alerts_of_which_nobody_speaks_expire(bundle: Bundle) -> None:
    """The worker does it about once a minute, without being asked; the change that was made stays."""
    simulated = SimulatedWorld()
    engine = simulated_engine(bundle, simulated)
    [execution_id] = post(engine, webhook())
    run_until_idle(engine, [execution_id], clock=simulated.clock, owner="w0")
    simulated.push(bundle.configuration.correlation.expire_after * 1.1)

    with working(engine):
        wait_until(
            lambda: [member.state for member in engine.journal.load(execution_id).members] == ["expired"],
            "the alert expires",
        )

    assert 1 == len(simulated.effects_made)


def test_run_until_idle_drives_to_the_end_and_tells_every_step(bundle: Bundle) -> None:
    """What `runbook run` needs: no thread, every directive heard, back when only an alert could go on."""
    simulated = SimulatedWorld()
    engine = simulated_engine(bundle, simulated)
    ids = post(engine, webhook("one", "two"))
    told: list[tuple[str, Directive]] = []

    last = run_until_idle(
        engine,
        ids,
        clock=simulated.clock,
        owner="cli",
        sleep=lambda seconds: simulated.push(timedelta(seconds=seconds)),
        told=lambda execution_id, directive: told.append((execution_id, directive)),
    )

    assert set(ids) == set(last)
    assert ["succeeded", "succeeded"] == [status_of(engine, one) for one in ids]
    assert {execution_id for execution_id, _ in told} == set(ids)
    assert [last[one] for one in ids] == [[d for i, d in told if i == one][-1] for one in ids]
