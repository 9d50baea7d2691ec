"""Logs are JSON lines."""

import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest

from logs import JsonFormatter, build_logger


@pytest.fixture(autouse=True)
def quiet_logger() -> Iterator[None]:
    """Give the logger back as it was."""
    logger = logging.getLogger("checkout")
    before = (logger.handlers, logger.level, logger.propagate)
    yield
    logger.handlers, logger.level, logger.propagate = before[0], before[1], before[2]


def test_log_line_holds_the_event_and_its_fields() -> None:
    """One call, one line of JSON."""
    stream = io.StringIO()

    build_logger(stream).warning("knobs_rejected", extra={"reason": 'a "quoted" word'})

    line = json.loads(stream.getvalue())
    assert line.pop("time").endswith("+00:00")
    assert line == {"level": "warning", "logger": "checkout", "event": "knobs_rejected", "reason": 'a "quoted" word'}


def test_log_line_holds_the_traceback_when_there_is_one() -> None:
    """A traceback stays inside its line."""
    try:
        raise ValueError("no")
    except ValueError:
        record = logging.LogRecord("checkout", logging.ERROR, "app.py", 1, "failed", (), sys.exc_info())

    line = JsonFormatter().format(record)

    assert "\n" not in line
    assert json.loads(line)["traceback"].endswith("ValueError: no")
