"""A history: recorded alerts as JSON Lines, in the order in which they came. Read strictly, one line at a time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Literal

import msgspec

from runbook_engine.backtest.instants import why_unusable
from runbook_engine.backtest.webhooks import alert_request, delivery_request
from runbook_engine.errors import RunbookError
from runbook_engine.model.decoding import from_json
from runbook_engine.model.delivery import Request

LONGEST_LINE = 24 * 1024 * 1024  # a delivery may have 20 MiB
NO_TIME = datetime(1, 1, 1, tzinfo=UTC)  # what senders write where there is none
FORMAT = 'a line is {"at", "status", "labels"} of one alert, or {"at", "source", "body"} of a whole delivery'


class InvalidHistory(RunbookError):
    """A recorded history cannot be used; the sentence begins with file and line."""


class RecordedAlert(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One alert as it was said to fire, or to be resolved, at an instant."""

    at: datetime
    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    annotations: dict[str, str] = {}
    starts_at: datetime | None = None
    ends_at: datetime | None = None


class RecordedDelivery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One webhook as it was posted."""

    at: datetime
    source: str
    body: msgspec.Raw
    scope: str = ""


class _Keys(msgspec.Struct, frozen=True):
    """What tells the two sorts of lines apart."""

    body: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class Recorded(msgspec.Struct, frozen=True):
    """One line of a history, and where it stands."""

    place: str
    line: RecordedAlert | RecordedDelivery

    @property
    def at(self) -> datetime:
        """When it came, in UTC."""
        return self.line.at.astimezone(UTC)

    def request(self, scope: str) -> Request:
        """Return the delivery that it was; a line that names no scope is of the one given."""
        line = self.line
        if isinstance(line, RecordedDelivery):
            return delivery_request(line.scope or scope, line.source, bytes(line.body), self.at)
        return alert_request(
            scope,
            line.labels,
            line.annotations,
            started=line.starts_at or (self.at if line.status == "firing" else None),
            ended=line.ends_at,
            resolved=line.status == "resolved",
            at=self.at,
        )


def read_history(file: Path) -> Iterator[Recorded]:
    """Return the lines of a history, oldest first, without holding the file. Raises InvalidHistory."""
    try:
        with file.open("rb") as stream:
            yield from _in_order(stream, str(file))
    except OSError as error:
        raise InvalidHistory(f"the history {file} cannot be read: {error.strerror} (name a file)") from error


def _in_order(stream: IO[bytes], name: str) -> Iterator[Recorded]:
    before: Recorded | None = None
    number = 0
    while content := stream.readline(LONGEST_LINE + 1):
        number += 1
        if content.isspace():
            continue
        place = f"{name}:{number}"
        if len(content) > LONGEST_LINE:
            raise InvalidHistory(f"{place}: the line has more than {LONGEST_LINE} bytes (one delivery a line)")
        recorded = Recorded(place, _line(content, place))
        if before is not None and recorded.at < before.at:
            raise InvalidHistory(f"{place}: it is older than {before.place} (sort the lines by their time)")
        yield recorded
        before = recorded
    if before is None:
        raise InvalidHistory(f"{name}: no alert in it ({FORMAT})")


def _line(content: bytes, place: str) -> RecordedAlert | RecordedDelivery:
    try:
        line: RecordedAlert | RecordedDelivery
        if from_json(content, _Keys).body is msgspec.UNSET:
            line = from_json(content, RecordedAlert)
        else:
            line = from_json(content, RecordedDelivery)
    except msgspec.ValidationError as error:
        raise InvalidHistory(f"{place}: {_said(error)} ({FORMAT})") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidHistory(f"{place}: the line is not JSON: {error} ({FORMAT})") from error
    _refuse_times(line, place)
    return line


def _refuse_times(line: RecordedAlert | RecordedDelivery, place: str) -> None:
    times: dict[str, datetime] = {"at": line.at}
    if isinstance(line, RecordedAlert):
        told = {"starts_at": line.starts_at, "ends_at": line.ends_at}
        times |= {name: instant for name, instant in told.items() if instant is not None and instant != NO_TIME}
    for name, instant in times.items():
        wrong = why_unusable(instant)
        if wrong:
            raise InvalidHistory(f"{place}: {name} {wrong}")


def _said(error: msgspec.ValidationError) -> str:
    """Return `labels: expected object, got null` for msgspec's `Expected `object`, got `null` - at `$.labels``."""
    message, _, path = str(error).replace("`", "").partition(" - at $")
    sentence = message[:1].lower() + message[1:]
    return f"{path.lstrip('.')}: {sentence}" if path else sentence
