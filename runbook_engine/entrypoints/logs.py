"""Logs: one JSON object a line, an event with fields. No secrets, no payloads, nothing that could steer a terminal."""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

Level = Literal["debug", "info", "warning", "error"]
LEVELS: tuple[Level, ...] = ("debug", "info", "warning", "error")
LONGEST_VALUE = 2000


class EventLog:
    """Writes events to one stream, whole lines only, from any thread."""

    def __init__(self, stream: TextIO | None = None, *, least: Level = "info", **fields: Any) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._least = LEVELS.index(least)
        self._fields: Mapping[str, Any] = fields
        self._lock = threading.Lock()

    def event(self, name: str, level: Level = "info", **fields: Any) -> None:
        """Write one event. A log that cannot be written stops nobody."""
        if LEVELS.index(level) < self._least:
            return
        line = render_event(name, level, datetime.now(UTC), {**self._fields, **fields})
        try:
            with self._lock:
                self._stream.write(line + "\n")
                self._stream.flush()
        except (OSError, ValueError):
            return


class JsonFormatter(logging.Formatter):
    """Shows the records of other people's loggers as our events."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        fields = {"logger": record.name, "message": record.getMessage(), "pid": record.process}
        if record.exc_info and record.exc_info[0] is not None:
            fields["error"] = record.exc_info[0].__name__
        level: Level = "error" if record.levelno >= logging.ERROR else "info"
        if record.levelno == logging.WARNING:
            level = "warning"
        return render_event("log", level, datetime.fromtimestamp(record.created, UTC), fields)


def render_event(name: str, level: Level, at: datetime, fields: Mapping[str, Any]) -> str:
    """Return one line of printable ASCII: everything else is escaped, so no value can forge a line."""
    event = {"ts": at.isoformat(timespec="milliseconds"), "level": level, "event": name}
    return json.dumps({**event, **{key: _short(value) for key, value in fields.items()}}, default=str)


def say_error(error: BaseException) -> dict[str, str]:
    """Return the fields of a caught error: its class, its sentence, and the place that raised it."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    where = f"{traceback.tb_frame.f_code.co_qualname}:{traceback.tb_lineno}" if traceback is not None else ""
    return {"error": type(error).__name__, "says": str(error), "where": where}


def _short(value: Any) -> Any:
    if isinstance(value, str) and len(value) > LONGEST_VALUE:
        return value[:LONGEST_VALUE] + "..."
    return value
