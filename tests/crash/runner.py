"""A runner as a real process: the SQLite journal, a world in files, the real clock, and SIGKILL where it is ordered.

A life posts the alert, drives what is due, approves what is asked, posts the resolve once the run has ended, and
leaves when all is finished. Whoever starts it again finds everything in the folder.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from runbook_adapters.sqlite import SqliteJournal
from runbook_adapters.sqlite.database import Database
from runbook_engine.engine import Engine
from runbook_engine.errors import StalePlan
from runbook_engine.model.directive import Next
from runbook_engine.model.execution import Execution
from tests.crash.cases import REAL, Case, cases, once
from tests.crash.file_world import FileWorld
from tests.crash.host import engine_of, webhook
from tests.crash.mortality import Mortality, kill
from tests.crash.register import RegisterRegistry

LEASE = timedelta(seconds=0.3)
STARTED = datetime(2026, 1, 5, 9, tzinfo=UTC)  # one alert, whoever posts it
LONGEST_LIFE = 90.0  # seconds; a run takes one or two on an idle machine


def case_named(name: str) -> Case:
    """Return the case of that name, at a pace for the real clock."""
    return next(case for case in (*cases(REAL), once(REAL)) if case.name == name)


def open_journal(folder: Path) -> SqliteJournal:
    """Return the journal of a folder."""
    return SqliteJournal(Database(folder / "journal.sqlite3", timedelta(seconds=30)))


class Life:
    """One process's life."""

    def __init__(self, case: Case, folder: Path, mortality: Mortality) -> None:
        self.journal = open_journal(folder)
        self.files = FileWorld(case, folder)
        self.owner = f"process-{os.getpid()}"
        self.engine: Engine = engine_of(
            case.runbook,
            journal=self.journal,
            world=self.files.world,
            effects=self.files.effects,
            registry=RegisterRegistry(self.files.register),
            mortality=mortality,
            lease=LEASE,
        )

    def live(self) -> None:
        """Bring the run to its end, or die."""
        self.engine.ingest(webhook("firing", STARTED, datetime.now(UTC)))
        self._drive_until(lambda execution: execution.ended)
        self.files.heal()
        self.engine.ingest(webhook("resolved", STARTED, datetime.now(UTC)))
        self._drive_until(lambda execution: execution.finished)

    def _drive_until(self, reached: Callable[[Execution], bool]) -> None:
        end = time.monotonic() + LONGEST_LIFE
        while not reached(self._execution()):
            assert time.monotonic() < end, f"still {self._execution().status}: {self._execution().waiting_for}"
            for execution_id in self.engine.due(datetime.now(UTC)):
                while isinstance(self._drive(execution_id), Next):
                    pass
            self._approve()
            time.sleep(0.01)

    def _drive(self, execution_id: str) -> object:
        return self.engine.drive(execution_id, self.owner, datetime.now(UTC), timedelta(minutes=5))

    def _execution(self) -> Execution:
        (execution,) = self.journal.executions(limit=2)
        return execution

    def _approve(self) -> None:
        execution = self._execution()
        if execution.approval is None or self.journal.signals(execution.id, execution.signals_consumed):
            return
        try:
            self.engine.approve(execution.id, plan_hash=execution.approval.hash, by="ann", now=datetime.now(UTC))
        except StalePlan:
            return


def spawn(name: str, folder: Path, *deaths: int | str) -> int:
    """Start a life in a process of its own; return its process id."""
    process = os.fork()
    if process:
        return process
    code = 1
    try:
        mortality = Mortality(*deaths, by=kill)
        Life(case_named(name), folder, mortality).live()
        (folder / "passed").write_text("\n".join(mortality.passed))
        code = 0
    except BaseException:  # noqa: BLE001 - the end of a process: what went wrong is for the parent to say
        (folder / "problem").write_text(traceback.format_exc())
    finally:
        sys.stdout.flush()
        os._exit(code)
