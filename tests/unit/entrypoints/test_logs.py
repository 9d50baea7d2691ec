"""Logs: one event a line, whatever its values hold."""

from __future__ import annotations

import io
import json
import logging
import sys

from hypothesis import given
from hypothesis import strategies as st

from runbook_engine.entrypoints.logs import LONGEST_VALUE, EventLog, JsonFormatter, say_error


@given(st.text())
def test_an_event_is_one_line_of_printable_ascii_whatever_it_says(text: str) -> None:
    """No label value can forge a line or steer a terminal."""
    stream = io.StringIO()

    EventLog(stream).event("told", says=text)

    line = stream.getvalue()
    assert line.endswith("\n")
    assert all(" " <= character <= "~" for character in line[:-1])
    said = json.loads(line)["says"]
    assert text[:LONGEST_VALUE] == said[:LONGEST_VALUE]


def test_an_event_has_time_level_name_and_the_fields_of_its_log() -> None:
    """What a log search needs is always there."""
    stream = io.StringIO()
    log = EventLog(stream, process="worker")

    log.event("drive", "warning", execution="e1")
    log.event("detail", "debug")

    [line] = stream.getvalue().splitlines()
    event = json.loads(line)
    assert {"ts", "level", "event", "process", "execution"} == set(event)
    assert ("warning", "drive", "worker", "e1") == tuple(
        event[key] for key in ("level", "event", "process", "execution")
    )


def test_a_log_that_cannot_be_written_stops_nobody() -> None:
    """A closed pipe is no reason to lose an alert."""
    stream = io.StringIO()
    stream.close()

    EventLog(stream).event("told")

    assert stream.closed


def test_an_error_is_said_with_its_class_and_place_and_without_a_dump() -> None:
    """Enough to find it, nothing of what it was working on."""

    def fail() -> None:
        raise ValueError("no such thing")

    try:
        fail()
    except ValueError as error:
        said = say_error(error)

    assert ("ValueError", "no such thing") == (said["error"], said["says"])
    assert "fail" in said["where"]


def test_other_peoples_loggers_speak_json_too() -> None:
    """Gunicorn's lines can be read by the same machine."""
    try:
        raise OSError("gone")
    except OSError:
        record = logging.LogRecord("gunicorn.error", logging.ERROR, __file__, 1, "it\n%s", ("broke",), sys.exc_info())

    event = json.loads(JsonFormatter().format(record))

    assert ("gunicorn.error", "it\nbroke", "error", "OSError") == tuple(
        event[key] for key in ("logger", "message", "level", "error")
    )
