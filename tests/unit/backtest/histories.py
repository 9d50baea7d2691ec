"""Histories for tests: lines of recorded alerts, a minute apart or as a test wants them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from runbook_engine.backtest.backtest import backtest_history
from runbook_engine.backtest.history import Recorded, RecordedAlert, read_history
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.configuration import Configuration
from runbook_engine.model.hindsight import Backtest, Hindsight
from runbook_engine.model.runbook import Runbook
from runbook_engine.registry import Registry
from tests.scenario.rig import ALERT, configuration

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
REGISTRY = Registry()


def at(minutes: float) -> datetime:
    """Return an instant so many minutes after noon."""
    return NOON + timedelta(minutes=minutes)


def fires(minutes: float, **labels: str) -> Recorded:
    """Return that the alert fires."""
    return Recorded("h:1", RecordedAlert(at=at(minutes), status="firing", labels={"alertname": ALERT, **labels}))


def resolves(minutes: float, **labels: str) -> Recorded:
    """Return that the alert is resolved."""
    return Recorded("h:1", RecordedAlert(at=at(minutes), status="resolved", labels={"alertname": ALERT, **labels}))


def firing(begin: float, end: float, **labels: str) -> list[Recorded]:
    """Return a whole episode."""
    return [fires(begin, **labels), resolves(end, **labels)]


def look_back(
    history: Iterable[Recorded], *runbooks: Runbook, settings: Configuration | None = None, scope: str = "local"
) -> Backtest:
    """Return what the runbooks would have done about a history, brought into its order."""
    ordered = sorted(history, key=lambda recorded: recorded.at)
    return backtest_history(ordered, Bundle(runbooks, settings or configuration()), REGISTRY, scope)


def only(backtest: Backtest) -> Hindsight:
    """Return what is told of the only runbook."""
    (found,) = backtest.runbooks
    return found


def counted(found: Hindsight) -> dict[str, int]:
    """Return everything that was counted at all of a runbook."""
    names = (
        "matched joined came_back would_act would_tell would_propose would_ask would_observe resolved_first undecided "
        "blocked flapping"
    )
    return {name: getattr(found, name) for name in names.split() if getattr(found, name)}


def write(folder: Path, *lines: object, name: str = "history.jsonl") -> Path:
    """Write lines as they are, or as JSON."""
    file = folder / name
    file.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return file


def read(file: Path) -> list[Recorded]:
    """Return every line of a history."""
    return list(read_history(file))
