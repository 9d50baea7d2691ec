"""Whether the calendar lets a change be made now: no freeze holds, and a window is open where one is demanded.

Both are passing: they say until when, in the zone that people think in. A calendar that cannot be evaluated says no,
and not until when: only whoever wrote it can mend it.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from datetime import datetime

from runbook_engine.errors import RunbookError
from runbook_engine.guardrails.case import Case
from runbook_engine.model.calendar import CalendarEntry, Occurrence
from runbook_engine.model.guardrail import Verdict
from runbook_engine.model.occurrences import next_after, now_in, zone_of
from runbook_engine.model.recurrence import CalendarError
from runbook_engine.model.target import WORKLOAD_KINDS
from runbook_engine.resolution import allowed


def freeze(case: Case) -> Verdict:
    """Nothing is changed while a freeze holds that is about it; of several, the one that ends last tells until when."""
    try:
        applying = _about(case, case.configuration.freezes)
        holding = [(held, entry) for entry in applying if (held := now_in(entry, case.now)) is not None]
        return _frozen(holding) if holding else Verdict(guardrail="freeze", ok=True, says="no freeze holds")
    except (CalendarError, RunbookError) as error:
        return _unevaluated("freeze", error)


def window(case: Case) -> Verdict:
    """What a window is about is changed within it alone; of several, any one that is open will do."""
    try:
        applying = _about(case, case.configuration.windows)
        opened = [(held, entry) for entry in applying if (held := now_in(entry, case.now)) is not None]
        to_come = [] if opened else [(come, entry) for entry in applying if (come := next_after(entry, case.now))]
        if not applying:
            return Verdict(guardrail="window", ok=True, says="no window is demanded")
        return _open(opened) if opened else _closed(applying, to_come)
    except (CalendarError, RunbookError) as error:
        return _unevaluated("window", error)


def _frozen(holding: list[tuple[Occurrence, CalendarEntry]]) -> Verdict:
    held, entry = max(holding, key=lambda found: found[0].ends)
    why = f" ({entry.says})" if entry.says else ""
    says = f"frozen by {entry.name}{why} until {_shown(held.ends, entry)}"
    return Verdict(guardrail="freeze", ok=False, says=says, until=held.ends)


def _open(opened: list[tuple[Occurrence, CalendarEntry]]) -> Verdict:
    held, entry = max(opened, key=lambda found: found[0].ends)
    return Verdict(guardrail="window", ok=True, says=f"within {entry.name} until {_shown(held.ends, entry)}")


def _closed(applying: Iterable[CalendarEntry], to_come: list[tuple[Occurrence, CalendarEntry]]) -> Verdict:
    names = " and ".join(f"{entry.name} ({entry.says})" if entry.says else entry.name for entry in applying)
    if not to_come:
        says = f"outside {names}, and none is to come"
        return Verdict(guardrail="window", ok=False, says=says)
    come, entry = min(to_come, key=lambda found: found[0].begins)
    says = f"outside {names} until {_shown(come.begins, entry)}"
    return Verdict(guardrail="window", ok=False, says=says, until=come.begins)


def _about(case: Case, entries: Iterable[CalendarEntry]) -> list[CalendarEntry]:
    """Return the entries that are about this change. Raises what says that it cannot be told.

    A change of a pod is one of the workload that the run works on as well: nobody names pods in a calendar.
    """
    changed, run = case.change.target, case.execution.target
    targets = (changed, run) if changed.kind == "pod" and run.kind in WORKLOAD_KINDS else (changed,)
    return [
        entry
        for entry in entries
        if (not entry.matchers or case.holds(entry.matchers))
        and not (entry.exempt and case.holds(entry.exempt))
        and (not entry.targets or any(allowed(target, entry.targets) for target in targets))
        and (not entry.runbooks or any(fnmatch.fnmatchcase(case.runbook.name, glob) for glob in entry.runbooks))
    ]


def _shown(instant: datetime, entry: CalendarEntry) -> str:
    return f"{instant.astimezone(zone_of(entry.zone)):%Y-%m-%d %H:%M} {entry.zone}"


def _unevaluated(guardrail: str, error: Exception) -> Verdict:
    return Verdict(guardrail=guardrail, ok=False, says=f"the calendar of engine.yaml cannot be evaluated: {error}")
