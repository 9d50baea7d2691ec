"""Logs: the newest lines that a function wrote, by the stream of each of its instances.

CloudWatch returns what it finds from the oldest line on, so the search goes back in windows that grow: a function that
writes much is asked for its last seconds only, one that writes little for its last hours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from runbook_adapters.aws.clients import Clients
from runbook_adapters.aws.looks import looking_for
from runbook_engine.errors import Unreadable
from runbook_engine.model.observation import LogExcerpt
from runbook_engine.model.target import Target
from runbook_engine.ports import Clock

WINDOWS = (timedelta(seconds=15), timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1), timedelta(hours=6))
MOST_LINES = 1000
MOST_STREAMS = 10
MOST_PAGES = 10  # of one window, of up to 1 MB each
AHEAD = timedelta(minutes=1)  # how far the clock of whoever wrote a line may be before ours
MILLISECOND = timedelta(milliseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOT_FOUND = "ResourceNotFoundException"
CUT = "[older and newer lines left out: too many were written at once]"

Event = Mapping[str, Any]
_NAMED = re.compile(r"\d{4}/\d{2}/\d{2}/(?P<function>[^\[/]*)\[", re.ASCII)  # 2026/03/01/orders[$LATEST]0af1


class CloudWatchLogReader:
    """Shows the end of the logs of functions."""

    def __init__(self, clients: Clients, clock: Clock, log_groups: Mapping[str, str]) -> None:
        self._clients = clients
        self._clock = clock
        self._log_groups = log_groups

    def logs(self, target: Target, lines: int, *, previous: bool = False) -> tuple[LogExcerpt, ...]:
        """Return the newest lines, those of the instance that wrote last first. `previous` means nothing here."""
        if target.kind != "function":
            raise Unreadable(f"CloudWatch has no logs of {target} (ask for a function)")
        wanted = max(1, min(lines, MOST_LINES))
        function = target.name.partition(":")[0]
        group = self._group(target, function)
        events, is_cut = self._newest(group, function, wanted)
        if is_cut and not events:
            raise Unreadable(
                f"the logs of {group} cannot be read: {MOST_PAGES} pages of them hold no line of {function} "
                "(look in CloudWatch itself)"
            )
        streams: dict[str, list[str]] = {}
        for event in reversed(events):
            streams.setdefault(_stream(event), []).append(str(event.get("message") or "").rstrip())
        mark = (CUT,) if is_cut else ()
        shown = list(streams.items())[:MOST_STREAMS]
        return tuple(LogExcerpt(name=name, lines=(*mark, *reversed(newest))) for name, newest in shown)

    def _group(self, target: Target, function: str) -> str:
        if function in self._log_groups:
            return self._log_groups[function]
        absent = Unreadable(f"the logs of {target} cannot be read: there is no such function (check the name)")
        with looking_for(f"the log group of {target}", absent, NOT_FOUND):
            configuration = self._clients.looking("lambda").get_function_configuration(FunctionName=function)
        return str((configuration.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{function}")

    def _newest(self, group: str, function: str, wanted: int) -> tuple[list[Event], bool]:
        """Return the newest events of a function, oldest first, and whether some of them had to be left out."""
        start, found, is_cut = self._clock.now(), list[Event](), False
        end = start + AHEAD
        for window in WINDOWS:
            start -= window
            events, is_cut = self._between(group, start, end)
            found = sorted([*_of(function, events), *found], key=_written_at)[-wanted:]
            if len(found) == wanted or is_cut:
                break
            end = start
        return found, is_cut

    def _between(self, group: str, start: datetime, end: datetime) -> tuple[list[Event], bool]:
        """Return the events from `start` until just before `end`, and whether there are more than are read."""
        events: list[Event] = []
        for read, page in enumerate(self._pages(group, start, end), start=1):
            events += page.get("events") or ()
            if read == MOST_PAGES and page.get("nextToken"):
                return events, True
        return events, False

    def _pages(self, group: str, start: datetime, end: datetime) -> Iterator[Mapping[str, Any]]:
        request = {"logGroupName": group, "startTime": _stamp(start), "endTime": _stamp(end) - 1}
        absent = Unreadable(f"there is no log group {group} (name it under logGroups of adapter cloudwatch)")
        token: dict[str, str] = {}
        while True:
            with looking_for(f"the logs of {group}", absent, NOT_FOUND):
                page = self._clients.looking("logs").filter_log_events(**request, **token)
            yield page
            if not page.get("nextToken"):
                return
            token = {"nextToken": page["nextToken"]}


def _of(function: str, events: list[Event]) -> list[Event]:
    """Return the events of one function: several may write to one group, and their streams then name them."""
    named = ((event, _NAMED.match(_stream(event))) for event in events)
    return [event for event, found in named if found is None or found["function"] in ("", function)]


def _stream(event: Event) -> str:
    return str(event.get("logStreamName") or "")


def _written_at(event: Event) -> int:
    return int(event.get("timestamp") or 0)


def _stamp(at: datetime) -> int:
    return (at - EPOCH) // MILLISECOND
