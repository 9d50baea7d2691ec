"""What runs one action to its end, with nothing but the ports that it is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runbook_engine.model.plan import Change, Progress
from runbook_engine.model.target import Target
from runbook_engine.ports import Clock, Effects, World
from runbook_engine.ports.absent import absent

WORLD = ("cluster", "flags", "metrics", "changes", "logs", "pauses")
EFFECTS = ("cluster", "flags", "notifier")
MOST_LOOKS = 5


class NoChanges:
    """Nobody has changed anything."""

    def changes(self, target: Target, since: object) -> tuple[()]:
        """Return none."""
        return ()


class Engine:
    """Prepares, applies, and looks until it ends."""

    def __init__(self, clock: Clock, settle: Callable[[], None], **served: Any) -> None:
        readers = {port: each.reader for port, each in served.items()}
        writers = {port: each.writer for port, each in served.items()}
        nothing = {port: absent(port) for port in WORLD}
        self.world = World(clock=clock, **{**nothing, "changes": NoChanges(), **readers})
        self.effects = Effects(**{**{port: absent(port) for port in EFFECTS}, **writers})
        self._settle = settle

    def run(self, action: Any, target: Target, **arguments: Any) -> Change:
        """Prepare and make true; return the change."""
        change = self.prepare(action, target, **arguments)
        assert isinstance(change, Change)
        ended = self.make_true(action, change)
        assert ended.status == "done", ended
        return change

    def prepare(self, action: Any, target: Target, **arguments: Any) -> Change | None:
        """Look what would be changed."""
        change: Change | None = action.prepare(action.ACTION.params(**arguments), target, self.world)
        return change

    def make_true(self, action: Any, change: Change) -> Progress:
        """Apply, and look until it has ended."""
        outcome = action.apply(change, "e-1/1", self.effects)
        assert outcome.status in ("done", "noop"), outcome
        for _ in range(MOST_LOOKS):
            progress: Progress = action.observe(change, outcome.receipt, self.world)
            if progress.status != "progressing":
                return progress
            self._settle()
        return progress
