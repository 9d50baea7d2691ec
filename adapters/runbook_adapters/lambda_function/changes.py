"""Changes: what was published of a function lately. Who did it, and when an alias was moved, Lambda does not keep."""

from __future__ import annotations

from datetime import datetime

from runbook_adapters.lambda_function.looks import Answer, Looks
from runbook_adapters.lambda_function.names import named
from runbook_adapters.lambda_function.releases import number_of, published, released_at
from runbook_engine.errors import InvalidTarget, Unreadable
from runbook_engine.model.observation import ChangeEvent
from runbook_engine.model.target import Target

LONGEST = 200


class LambdaChangeReader:
    """Tells which versions of a function were published."""

    def __init__(self, looks: Looks) -> None:
        self._looks = looks

    def changes(self, target: Target, since: datetime) -> tuple[ChangeEvent, ...]:
        """Return what was published since then, newest first. Raises Unreadable."""
        try:
            versions = published(self._looks.versions(named(target)))
        except InvalidTarget as error:
            raise Unreadable(f"the changes of {target} cannot be read: {error}") from error
        dated = ((released_at(version), version) for version in versions)
        return tuple(_event(at, version) for at, version in dated if at is not None and at >= since)


def _event(at: datetime, version: Answer) -> ChangeEvent:
    number, says = number_of(version), " ".join(str(version.get("Description") or "").split())[:LONGEST]
    what = f"published version {number}: {says}" if says else f"published version {number}"
    return ChangeEvent(at=at, who="somebody", what=what, revision=number)
