"""One scenario in each host: simulated time around the same engine, with the host's own journal and its own driving."""

from __future__ import annotations

import tempfile
import threading
import time
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from runbook_adapters.sqlite import SqliteJournal
from runbook_adapters.sqlite.database import Database
from runbook_engine.documents.runbook_test import ScenarioDocument
from runbook_engine.engine import Engine
from runbook_engine.entrypoints.aws_lambda.host import Host
from runbook_engine.entrypoints.aws_lambda.waking import Waker
from runbook_engine.entrypoints.logs import EventLog
from runbook_engine.entrypoints.worker import Worker
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.configuration import Configuration, Receiver
from runbook_engine.model.ration import Held
from runbook_engine.registry import Registry
from runbook_engine.testing.play import Play
from runbook_engine.testing.simulated_world import SimulatedWorld
from tests.emulators.aws import Aws
from tests.pipeline.cloud_host import cloud_configuration
from tests.pipeline.installation import Installation

PATIENCE = 90.0  # seconds
MOMENT = 0.002


class LocalPlay(Play):
    """The local runner: SQLite, and the worker with its threads."""

    def __init__(
        self, scenario: ScenarioDocument, bundle: Bundle, simulated: SimulatedWorld, registry: Registry
    ) -> None:
        self._folder = tempfile.TemporaryDirectory()
        journal = SqliteJournal(Database(Path(self._folder.name, "journal.sqlite3"), timedelta(seconds=30)))
        super().__init__(scenario, bundle, simulated, registry, journal)
        quiet = EventLog(least="error")
        self._worker = Worker(engine=self.engine, clock=self.clock, log=quiet, owner="worker", threads=2)
        self._thread = threading.Thread(target=self._worker.run, daemon=True)

    def run(self) -> tuple[str, ...]:
        """Play while the worker runs."""
        self._thread.start()
        try:
            return super().run()
        finally:
            self._worker.stop.set()
            self._worker._wake.set()
            self._thread.join(PATIENCE)

    def drive_all(self) -> None:
        """Wait until the worker has nothing left to do now."""
        end = time.monotonic() + PATIENCE
        while self.engine.due(self.clock.now()) or self._worker._busy:
            assert time.monotonic() < end, "the worker does not come to rest"
            self._worker._wake.set()
            time.sleep(MOMENT)


class Awake:
    """An engine whose host is told of everything that somebody must drive, as the functions of AWS do."""

    def __init__(self, engine: Engine, waker: Waker) -> None:
        self._engine = engine
        self._waker = waker

    def __getattr__(self, name: str) -> Any:
        """Return what the engine itself answers; after a signal, whoever drives is woken."""
        found = getattr(self._engine, name)
        if name not in ("approve", "deny", "cancel", "take_over", "release"):
            return found

        def signalled(execution_id: str, **named: Any) -> None:
            found(execution_id, **named)
            self._waker.wake([execution_id])

        return signalled

    def release_storm(self, *, now: datetime, **named: Any) -> Held:
        """Let changes go on, and wake what waited."""
        held = self._engine.release_storm(now=now, **named)
        self._waker.wake(self._engine.due(now))
        return held

    def ingest(self, request: Any) -> Any:
        """Take a delivery in, and wake."""
        receipt = self._engine.ingest(request)
        self._waker.wake(receipt.due)
        return receipt

    def expire(self, now: datetime) -> int:
        """Expire alerts, and wake."""
        expired = self._engine.expire(now)
        self._waker.wake(self._engine.due(now))
        return expired


class CloudPlay(Play):
    """AWS: the table, the bus, the state machine, and the function that drives."""

    scratch: ClassVar[Path]

    def __init__(
        self, scenario: ScenarioDocument, bundle: Bundle, simulated: SimulatedWorld, registry: Registry
    ) -> None:
        self._subject, self._registry = bundle, registry
        self._aws = Aws(clock=simulated.clock)
        self._aws.__enter__()
        deployed = Bundle(bundle.runbooks, _deployable(bundle.configuration))
        self._installed = Installation(
            self._aws, Path(tempfile.mkdtemp(dir=self.scratch)), bundle=deployed, rig=self._rig
        )
        self._simulated = simulated
        front = self._installed.host(acts=False)
        super().__init__(scenario, bundle, simulated, registry, front.engine.journal)
        self.engine = Awake(self.engine, front.waker)  # type: ignore[assignment]  # answers as the engine does
        self._expiring = Awake(self._expiring, front.waker)  # type: ignore[assignment]

    def run(self) -> tuple[str, ...]:
        """Play, and leave no account behind."""
        try:
            return super().run()
        finally:
            self.kept = self.transcript()
            self._aws.__exit__(None, None, None)

    def wait_until(self, instant: datetime) -> None:
        """Let the platform's time pass."""
        if instant > self.clock.now():
            self._aws.advance(instant - self.clock.now(), timeout=PATIENCE * 3)

    def drive_all(self) -> None:
        """Let the platform do all that is due now."""
        self._aws.settle(PATIENCE * 3)

    def transcript(self) -> Any:
        """Return the trails, as `transcript_of` reads them."""
        return transcript_of(self)

    def _rig(self, built: Host, acts: bool) -> Host:
        if not acts:
            return built
        engine = Engine(
            bundle=self._subject,
            journal=built.engine.journal,
            world=self._simulated.world,
            effects=self._simulated.effects,
            registry=self._registry,
        )
        return replace(built, engine=engine)


def _deployable(configuration: Configuration) -> Configuration:
    """Return a test's installation as functions can be built from it; what they look at and touch is the test's."""
    cloud = cloud_configuration()
    receivers = tuple(Receiver(name=receiver.name, adapter="console") for receiver in configuration.receivers)
    return msgspec.structs.replace(configuration, tokens=cloud.tokens, adapters=cloud.adapters, receivers=receivers)


Told = tuple[str, str, str, str]  # runbook, event, step, what it says


def transcript_of(play: Play) -> tuple[tuple[Told, ...], ...]:
    """Return what every execution did and decided, oldest first."""
    runs = sorted(play.journal.executions(limit=1000), key=lambda run: (run.opened_at, run.runbook, str(run.target)))
    return tuple(
        tuple((run.runbook, record.event, record.step, record.says) for record in play.journal.audit(run.id))
        for run in runs
    )
