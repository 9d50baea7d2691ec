"""What must hold of freezes and windows: their zones and days exist, they end, and no two bear one name."""

from __future__ import annotations

import fnmatch
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from runbook_engine.documents.calendar import CalendarDocument
from runbook_engine.loading.diagnostics import did_you_mean
from runbook_engine.loading.findings import Findings
from runbook_engine.loading.matchers import check_matchers
from runbook_engine.loading.rules import as_list, as_map
from runbook_engine.loading.yaml_tree import Path
from runbook_engine.model.calendar import CalendarEntry
from runbook_engine.model.occurrences import LONGEST, readings_of, zone_of
from runbook_engine.model.quantity import InvalidQuantity, parse_duration
from runbook_engine.model.recurrence import CalendarError, check_length, parse_recurrence

CALENDARS: Final = ("freezes", "windows")
FIRST_YEAR: Final = 2  # beyond these two, the clocks of some zone show a year that no date has
LAST_YEAR: Final = 9998


def check_calendars(findings: Findings) -> None:
    """Report what makes a freeze or a window mean nothing, or not what its author thinks."""
    for path, entry in entries_of(findings.content):
        for key in ("matchers", "except"):
            check_matchers(findings, (*path, key))
        _check_zone(findings, path, entry)
        _check_span(findings, path, entry)
        _check_rule(findings, path, entry)
    for calendar in CALENDARS:
        seen: set[str] = set()
        for index, each in enumerate(as_list(as_map(findings.content).get(calendar))):
            name = as_map(each).get("name")
            if isinstance(name, str) and name in seen:
                message = f'two of "{calendar}" are named "{name}"'
                findings.error((calendar, index, "name"), "duplicate-calendar", message, "rename one of them")
            seen.add(str(name))


def compile_calendar(
    documents: tuple[CalendarDocument, ...], findings: Findings, key: str
) -> tuple[CalendarEntry, ...]:
    """Return the freezes or the windows as values."""
    return tuple(_entry(document, findings, (key, index), key) for index, document in enumerate(documents))


def warn_of_unknown_runbooks(findings: Findings, names: Collection[str]) -> None:
    """Warn of freezes and windows about runbooks that are not there: most likely a name is misspelt."""
    if as_map(findings.content).get("kind") != "EngineConfig" or not names:
        return
    for path, entry in entries_of(findings.content):
        for index, glob in enumerate(as_list(entry.get("runbooks"))):
            if isinstance(glob, str) and not any(fnmatch.fnmatchcase(name, glob) for name in names):
                message = f'no runbook is named "{glob}", so this is about none'
                findings.warning((*path, "runbooks", index), "unknown-runbook", message, did_you_mean(glob, names))


def entries_of(content: Any) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Yield every freeze and window that is a map, with its path."""
    for calendar in CALENDARS:
        for index, entry in enumerate(as_list(as_map(content).get(calendar))):
            if isinstance(entry, dict):
                yield (calendar, index), entry


def _entry(document: CalendarDocument, findings: Findings, path: Path, key: str) -> CalendarEntry:
    begins, ends = _instants(document.begins, document.ends, document.time_zone, frozen=key == "freezes")
    return CalendarEntry(
        name=document.name,
        zone=document.time_zone,
        says=document.says,
        begins=begins,
        ends=ends,
        every=document.every or "",
        at=document.at or "",
        lasts=document.lasts or timedelta(0),
        starting=document.starting or "",
        matchers=check_matchers(findings, (*path, "matchers")),
        exempt=check_matchers(findings, (*path, "except")),
        targets=document.targets,
        runbooks=document.runbooks,
    )


def _instants(
    begins: str | None, ends: str | None, zone: str, *, frozen: bool
) -> tuple[datetime | None, datetime | None]:
    """Return the instants of what is once; of times that clocks show twice or never, those that change the least."""
    if begins is None or ends is None:
        return None, None
    clocks = zone_of(zone)
    first, last = (readings_of(datetime.fromisoformat(wall), clocks) for wall in (begins, ends))
    return (min(first), max(last)) if frozen else (max(first), min(last))


def _check_zone(findings: Findings, path: Path, entry: Mapping[str, Any]) -> None:
    zone = entry.get("timeZone")
    if not isinstance(zone, str) or not zone.strip():
        return
    try:
        zone_of(zone)
    except CalendarError as error:
        findings.error((*path, "timeZone"), "time-zone", error.message, error.hint)


def _check_span(findings: Findings, path: Path, entry: Mapping[str, Any]) -> None:
    moments = {}
    for key in ("from", "to"):
        if isinstance(entry.get(key), str):
            try:
                moments[key] = datetime.fromisoformat(entry[key])
            except ValueError:
                message = f'"{entry[key]}" is no date with a time of day'
                findings.explained.add((*path, key))
                findings.error((*path, key), "calendar-moment", message, "write it as in 2026-11-27T00:00")
    for key, moment in moments.items():
        if not FIRST_YEAR <= moment.year <= LAST_YEAR:
            message = f'"{entry[key]}" is too far away: not every zone has that year'
            findings.error((*path, key), "calendar-moment", message, f"write a year from {FIRST_YEAR} to {LAST_YEAR}")
    naive = len(moments) == 2 and all(moment.tzinfo is None for moment in moments.values())
    if naive and moments["to"] <= moments["from"]:
        findings.error((*path, "to"), "calendar-order", "it ends before it begins", "write a later time as to")


def _check_rule(findings: Findings, path: Path, entry: Mapping[str, Any]) -> None:
    every, starting = entry.get("every"), entry.get("starting")
    if not isinstance(every, str) or not every.strip():
        return
    try:
        rule = parse_recurrence(every, starting if isinstance(starting, str) else "")
    except CalendarError as error:
        findings.error((*path, "every"), "calendar-rule", error.message, error.hint)
        return
    try:
        lasts = parse_duration(entry.get("for"))
    except InvalidQuantity:
        return  # the field's own type says so
    if lasts > LONGEST:
        findings.error((*path, "for"), "calendar-length", "it may last 31d at most", "write from and to")
        return
    try:
        check_length(rule, lasts)
    except CalendarError as error:
        findings.error((*path, "for"), "calendar-length", error.message, error.hint)
