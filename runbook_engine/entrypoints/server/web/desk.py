"""What the web page is made of: the engine, what it is told by, and what it acts through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from runbook_engine.engine import Engine
from runbook_engine.entrypoints.logs import EventLog
from runbook_engine.entrypoints.tests_state import TestsState
from runbook_engine.ports import Clock, PauseReader, PauseWriter
from runbook_engine.registry import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class WebDesk:
    """Everything that pages read and forms act on."""

    engine: Engine
    registry: Registry
    clock: Clock
    pause: tuple[PauseReader, PauseWriter]
    log: EventLog
    problems: Callable[[], list[str]]  # why work cannot be done now, as /readyz says it
    goes_round: Callable[[], bool] = lambda: False  # whether the worker does
    tests: Callable[[], TestsState | None] = lambda: None  # what became of the tests beside the runbooks
