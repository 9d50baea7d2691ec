"""Recorded changes in memory: each once, the newest first, and none older than they are kept."""

from __future__ import annotations

from datetime import datetime

from runbook_engine.model.changes import KEPT_FOR, MOST_RECORDED, mark_of
from runbook_engine.model.observation import ChangeEvent
from runbook_engine.model.target import Target


class MemoryChanges:
    """What was seen to change, by target; the journal's lock guards it."""

    def __init__(self) -> None:
        self._by_target: dict[str, dict[str, ChangeEvent]] = {}

    def record(self, target: Target, event: ChangeEvent) -> None:
        """Keep a change unless it is kept already, and drop what is too old."""
        self._by_target.setdefault(target.key, {}).setdefault(mark_of(target, event), event)
        oldest = event.at - KEPT_FOR
        for key, kept in tuple(self._by_target.items()):
            self._by_target[key] = {mark: old for mark, old in kept.items() if old.at >= oldest}

    def since(self, target: Target, since: datetime) -> tuple[ChangeEvent, ...]:
        """Return the changes of a target since then, newest first."""
        kept = [event for event in self._by_target.get(target.key, {}).values() if event.at >= since]
        oldest_first = sorted(kept, key=lambda event: event.at)  # of one instant, in the order of recording
        return tuple(oldest_first[::-1][:MOST_RECORDED])
