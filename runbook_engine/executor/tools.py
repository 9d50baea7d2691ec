"""Tools: what driving needs besides the execution itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from runbook_engine.model.runbook import Runbook
from runbook_engine.planning import Sight
from runbook_engine.ports import ActionSpec, Effects, Journal


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """Eyes, hands, a journal. `checkpoint` is told each place at which a crash is worth trying."""

    sight: Sight
    effects: Effects
    journal: Journal
    lease: timedelta = timedelta(seconds=60)
    checkpoint: Callable[[str], None] = field(default=lambda name: None)
    _runbooks: dict[str, Runbook] = field(default_factory=dict)  # by digest: what a digest names never changes

    def now(self) -> datetime:
        """Return the present: an external call may have taken a while."""
        return self.sight.world.clock.now()

    def spec(self, runbook: Runbook, step: int) -> ActionSpec:
        """Return the action of one step. Raises UnknownAction."""
        return self.sight.registry.action(runbook.steps[step].action)

    def runbook(self, digest: str) -> Runbook:
        """Return a compiled runbook, read from the journal once. Raises UnknownRunbook."""
        if digest not in self._runbooks:
            self._runbooks[digest] = self.journal.runbook(digest)
        return self._runbooks[digest]
