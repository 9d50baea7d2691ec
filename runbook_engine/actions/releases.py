"""Which older release is good enough to return to: of a workload, or of a function.

The release before may be just as broken, so unless an author names one, only one that somebody recorded as healthy
will do. What was recorded while somebody watched counts with what the service itself still knows.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from runbook_engine.errors import NoAdapter, Permanent, Unreadable
from runbook_engine.model.changes import KEPT_FOR
from runbook_engine.model.observation import ChangeEvent, Revision
from runbook_engine.model.target import Target
from runbook_engine.ports import World


def judged_by_changes(revisions: Sequence[Revision], target: Target, world: World) -> tuple[Revision, ...]:
    """Return releases with what was recorded of how they did; unreadable, nothing more is known."""
    try:
        told = world.changes.changes(target, world.clock.now() - KEPT_FOR)
    except (NoAdapter, Unreadable):
        return tuple(revisions)
    return tuple(_judged(revision, told) for revision in revisions)


def choose(to: str | int, present: int, revisions: Sequence[Revision], refusal: str, *, noun: str) -> Revision:
    """Return the older release that is meant. Raises Permanent when none is good enough."""
    older = sorted((each for each in revisions if each.number < present), key=lambda each: -each.number)
    if not older:
        raise Permanent(f"{refusal}: no older {noun} is kept (raise the number of {noun}s that are kept)")
    if to == "lastHealthy":
        healthy = next((revision for revision in older if revision.healthy), None)
        if healthy is None:
            numbers = ", ".join(str(revision.number) for revision in older)
            raise Permanent(
                f"{refusal}: none of the older {noun}s ({numbers}) is known to have been healthy "
                "(name one, as in to: previous)"
            )
        return healthy
    chosen = older[0] if to == "previous" else next((each for each in older if each.number == to), None)
    if chosen is None:
        raise Permanent(f"{refusal}: there is no older {noun} {to} (kept: {', '.join(str(r.number) for r in older)})")
    if chosen.healthy is False:
        raise Permanent(f"{refusal}: {noun} {chosen.number} is known to have been unhealthy (use to: lastHealthy)")
    return chosen


def _judged(revision: Revision, told: Sequence[ChangeEvent]) -> Revision:
    """Return a release with the newest that is told of it. A number is borne anew once a workload was deleted."""
    numbers, released = (revision.number, *revision.formerly), revision.released_at
    of_it = [
        event
        for event in told
        if event.kind in ("healthy", "failed") and event.revision in numbers and released and event.at >= released
    ]
    if not of_it:
        return revision
    newest = max(of_it, key=lambda event: event.at)
    return replace(revision, healthy=newest.kind == "healthy" and revision.healthy is not False)
