"""A desk over the simulated world: the whole command line in one process, with a person or a script at it."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from runbook_engine.entrypoints.cli import main
from runbook_engine.entrypoints.cli.desk import Desk
from runbook_engine.entrypoints.cli.installation import Installation
from runbook_engine.entrypoints.settings import Settings
from runbook_engine.model.configuration import Configuration
from runbook_engine.model.runbook import Runbook
from runbook_engine.ports import Clock
from runbook_engine.registry import Registry
from tests.scenario.rig import Rig, configuration

ALERT = {
    "labels": {"alertname": "CheckoutHighErrorRate", "severity": "critical", "namespace": "apps"},
    "startsAt": "2026-01-05T08:57:00Z",
}


class Stream(io.StringIO):
    """A stream that may be a terminal."""

    def __init__(self, text: str = "", *, terminal: bool = False) -> None:
        super().__init__(text)
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


class Result:
    """What a command left behind."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def record(self) -> dict[str, Any]:
        """Return standard output as one JSON object."""
        found: dict[str, Any] = json.loads(self.out)
        return found


class Sitting:
    """Somebody at a desk, in front of one engine and one simulated world."""

    def __init__(self, folder: Path, *runbooks: Runbook, settings: Configuration | None = None) -> None:
        self.rig = Rig(*runbooks, settings=settings or configuration())
        self.folder = folder
        self.operator = "ann"
        self.alert_file = folder / "alert.json"
        self.alert_file.write_text(json.dumps(ALERT))
        (folder / "state").mkdir(exist_ok=True)

    def run(
        self, *argv: str, typed: str = "", terminal: bool = False, environment: dict[str, str] | None = None
    ) -> Result:
        """Run one command."""
        out, err = Stream(terminal=terminal), Stream(terminal=terminal)
        desk = Desk(
            stdin=Stream(typed, terminal=terminal),
            stdout=out,
            stderr=err,
            environment={
                "RUNBOOK_STATE": str(self.folder / "state"),
                "RUNBOOK_OPERATOR": self.operator,
                "NO_COLOR": "1",
                "RUNBOOK_DEBUG": "1",
                **(environment or {}),
            },
            clock=self.rig.simulated.clock,
            sleep=lambda seconds: self.rig.simulated.push(timedelta(seconds=max(seconds, 1))),
            opens=self._open,
            opens_records=self._open,
            opens_switch=self._open,
        )
        return Result(main(argv, desk), out.getvalue(), err.getvalue())

    def _open(self, settings: Settings, clock: Clock) -> Installation:
        return Installation(
            settings=settings,
            engine=self.rig.engine,
            registry=Registry(),
            pauses=self.rig.simulated.pauses,
        )
