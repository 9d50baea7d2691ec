"""Identity: the execution or incident that a person means by the first characters of its id."""

from __future__ import annotations

from collections.abc import Iterable

from runbook_engine.entrypoints.cli.failure import UsageError
from runbook_engine.errors import UnknownExecution, UnknownIncident
from runbook_engine.model.execution import Execution
from runbook_engine.model.incident import Incident
from runbook_engine.ports import Journal

MOST = 1000  # older ones need their whole id
SHORTEST = 4
FULL = 12  # ids are at least this long: asked for as they stand


def find_execution(journal: Journal, given: str) -> Execution:
    """Return the execution. Raises UnknownExecution, and UsageError when several begin so."""
    if len(given) > FULL:
        return journal.load(given)
    ids = _beginning(given, (each.id for each in journal.executions(limit=MOST)))
    if not ids:
        raise UnknownExecution(f"there is no execution {given}: runbook executions lists them")
    return journal.load(_only(given, ids))


def find_incident(journal: Journal, given: str) -> Incident:
    """Return the incident. Raises UnknownIncident, and UsageError when several begin so."""
    if len(given) >= FULL:
        return journal.incident(given)
    ids = _beginning(given, (each.id for each in journal.incidents(limit=MOST)))
    if not ids:
        raise UnknownIncident(f"there is no incident {given}: runbook incidents lists them")
    return journal.incident(_only(given, ids))


def _beginning(given: str, ids: Iterable[str]) -> list[str]:
    if len(given) < SHORTEST:
        raise UsageError(f"{given!r} is too short to name one: type at least {SHORTEST} characters of the id")
    return [identity for identity in ids if identity.startswith(given)]


def _only(given: str, ids: list[str]) -> str:
    if len(ids) > 1:
        raise UsageError(f"{given} begins {len(ids)} ids, {', '.join(ids[:3])}: type more of it")
    return ids[0]
