"""Changes as they are known: what the source itself still says, and what was kept while somebody watched it.

Of a function or a queue nobody need watch: its deployments report themselves, so the record alone will do.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from runbook_engine.errors import NoAdapter, RunbookError, Unreadable
from runbook_engine.model.observation import ChangeEvent
from runbook_engine.model.target import SERVERLESS_KINDS, Target
from runbook_engine.ports import ChangeReader, Journal

SAME_WITHIN = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class RecordedChangeReader:
    """Looks at what others changed, in the source and in the journal; neither may be missing."""

    source: ChangeReader
    journal: Journal

    def changes(self, target: Target, since: datetime) -> tuple[ChangeEvent, ...]:
        """Return the changes of a target since then, newest first. Raises what the source raises, and Unreadable.

        What was done to a function as a whole was done to each of its aliases.
        """
        seen = self._seen(target, since)
        try:
            recorded = [
                event
                for each in dict.fromkeys((target, target.whole))
                for event in self.journal.recorded_changes(each, since)
            ]
        except RunbookError as error:
            raise Unreadable(f"the recorded changes of {target} cannot be read: {error}") from error
        return merged(seen, recorded)

    def _seen(self, target: Target, since: datetime) -> tuple[ChangeEvent, ...]:
        try:
            return self.source.changes(target, since)
        except NoAdapter:
            if target.kind not in SERVERLESS_KINDS:
                raise
            return ()


def merged(seen: Iterable[ChangeEvent], recorded: Iterable[ChangeEvent]) -> tuple[ChangeEvent, ...]:
    """Return both, newest first, each change once.

    Who watches sees a change as it is made, the source tells of it later and often less exactly: of one writer at one
    instant the record is believed, and whatever else is said in the same words is the same change.
    """
    known = tuple(recorded)
    writes = {(event.who, event.at) for event in known}
    told = [event for event in seen if (event.who, event.at) not in writes]
    kept: list[ChangeEvent] = []
    for event in sorted((*known, *told), key=lambda event: event.at, reverse=True):
        if not any(_is_same(event, later) for later in reversed(kept)):
            kept.append(event)
    return tuple(kept)


def _is_same(event: ChangeEvent, later: ChangeEvent) -> bool:
    alike = (event.kind, event.who) == (later.kind, later.who)
    same_words = event.what.startswith(later.what) or later.what.startswith(event.what)  # one may know the cause too
    return alike and same_words and later.at - event.at <= SAME_WITHIN
